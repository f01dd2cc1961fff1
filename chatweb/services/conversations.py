"""Conversations as wholes: finding, listing, renaming, deleting. Asking is in ``questions``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, select, tuple_, update

from chatweb.database import reading, writing
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Draft, Message
from chatweb.services import changes, texts
from chatweb.services.cursors import Cursor
from chatweb.services.errors import NotFound, Unavailable
from chatweb.services.owners import Owner

PAGE = 50
"""Conversations in a list."""

TO_THE_END = 2**31 - 1
"""As the number of characters seen: all there are."""

MINE = (Conversation.id == bindparam("id")) & (Conversation.owner_id == bindparam("owner_id"))
THERE = MINE & (Conversation.status != "deleted")
RUNNING = exists().where(
    Message.conversation_id == Conversation.id, Message.status == "streaming"
).correlate(Conversation)  # fmt: skip

ROW = (
    Conversation.id,
    Conversation.title,
    Conversation.status,
    Conversation.message_count,
    Conversation.head,
    Conversation.last_message_at,
    Conversation.unseen,
)

STREAMING = (
    select(Message.position)
    .where(Message.conversation_id == Conversation.id, Message.status == "streaming")
    .scalar_subquery()
)
FIND = (
    select(
        *ROW, STREAMING.label("streaming"), STREAMING.is_not(None).label("running"),
        Draft.text.label("draft"), Draft.request_id.label("draft_id"),
    )
    .outerjoin(
        Draft,
        (Draft.owner_id == Conversation.owner_id) & (Draft.conversation_id == Conversation.id),
    )
    .where(THERE)
)  # fmt: skip
LOCK = select(*ROW, Conversation.owner_id).where(THERE).with_for_update()
NEWEST = (
    select(
        Conversation.id,
        Conversation.title,
        Conversation.last_message_at,
        Conversation.message_count,
        Conversation.unseen,
        RUNNING.label("running"),
    )
    .where(Conversation.owner_id == bindparam("owner_id"), Conversation.status == "active")
    .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
    .limit(bindparam("limit"))
)
AMONG = select(*ROW, RUNNING.label("running")).where(
    Conversation.id.in_(bindparam("ids", expanding=True)),
    Conversation.owner_id == bindparam("owner_id"),
)
OLDER = NEWEST.where(
    tuple_(Conversation.last_message_at, Conversation.id)
    < tuple_(
        bindparam("at", type_=Conversation.last_message_at.type),
        bindparam("before", type_=Conversation.id.type),
    )
)


class Listed(NamedTuple):
    """What a list shows of a conversation, for those who know it without reading."""

    id: UUID
    title: str
    last_message_at: datetime
    running: bool
    unseen: bool = False


def find(owner: Owner, conversation_id: UUID) -> AnyRow:
    """One conversation; ``streaming`` is the position of the answer being written, or None;
    ``draft`` what is typed and not sent, and ``draft_id`` the request id it will have.

    :raises NotFound: no such conversation of this owner, or it is deleted
    """
    with reading() as connection:
        row = connection.execute(FIND, {"id": conversation_id, "owner_id": owner.id}).first()
    if row is None:
        raise NotFound
    return row


def recent(
    owner: Owner, before: str | None = None, limit: int = PAGE
) -> tuple[Sequence[AnyRow], str | None]:
    """Conversations, newest first, and the cursor of those that follow."""
    cursor = Cursor.read(before)
    values: dict[str, Any] = {"owner_id": owner.id, "limit": limit + 1}
    with reading() as connection:
        if cursor:
            rows = connection.execute(OLDER, values | {"at": cursor.at, "before": cursor.id}).all()
        else:
            rows = connection.execute(NEWEST, values).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], str(Cursor(last.last_message_at, last.id))


def among(owner: Owner, conversation_ids: Collection[UUID]) -> Sequence[AnyRow]:
    """Those of ``conversation_ids`` that are the owner's, deleted ones too, in any order."""
    with reading() as connection:
        return connection.execute(
            AMONG, {"ids": list(conversation_ids), "owner_id": owner.id}
        ).all()  # fmt: skip


def saw(owner: Owner, conversation_id: UUID) -> None:
    """Its owner has seen how the answers ended; while nothing can be written that stays unsaid."""
    with suppress(Unavailable), writing() as connection:
        connection.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id, Conversation.owner_id == owner.id)
            .values(unseen=False)
        )
        changes.note(connection, owner.id, conversation_id)
        connection.commit()


def rename(owner: Owner, conversation_id: UUID, title: str) -> None:
    """Give a conversation the title a person chose; trimmed to one line of 120 characters.

    :raises NotFound: no such conversation of this owner
    """
    with writing() as connection:
        locked(connection, owner, conversation_id)
        connection.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id)
            .values(title=texts.title(title), title_source="person")
        )
        changes.note(connection, owner.id, conversation_id)
        connection.commit()


def delete(owner: Owner, conversation_id: UUID) -> None:
    """Take a conversation out of every list, and stop its answer; :func:`restore` undoes it.

    :raises NotFound: no such conversation of this owner
    """
    with writing() as connection:
        locked(connection, owner, conversation_id)
        connection.execute(
            update(Conversation).where(Conversation.id == conversation_id).values(status="deleted")
        )
        connection.execute(
            update(Message)
            .where(Message.conversation_id == conversation_id, Message.status == "streaming")
            .values(stop_at=TO_THE_END)
        )
        changes.note(connection, owner.id, conversation_id)
        connection.commit()


def restore(owner: Owner, conversation_id: UUID) -> None:
    """Bring a deleted conversation back; one that is not deleted stays as it is.

    :raises NotFound: no such conversation of this owner
    """
    with writing() as connection:
        result = connection.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id, Conversation.owner_id == owner.id)
            .where(Conversation.status == "deleted")
            .values(status="active")
        )
        if not result.rowcount:
            locked(connection, owner, conversation_id)
        changes.note(connection, owner.id, conversation_id)
        connection.commit()


def deleted(owner: Owner, conversation_id: UUID) -> AnyRow:
    """A deleted conversation, to offer its way back.

    :raises NotFound: no deleted conversation of this owner
    """
    with reading() as connection:
        row = connection.execute(
            select(*ROW).where(
                Conversation.id == conversation_id,
                Conversation.owner_id == owner.id,
                Conversation.status == "deleted",
            )
        ).first()
    if row is None:
        raise NotFound
    return row


def check_position(position: int) -> None:
    """Keep numbers from the databases that they cannot even compare.

    :raises NotFound: no message can have this position
    """
    if not 0 < position <= TO_THE_END:
        raise NotFound


def locked(connection: Connection, owner: Owner, conversation_id: UUID) -> AnyRow:
    """A conversation, held until the transaction ends.

    :raises NotFound: no such conversation of this owner, or it is deleted
    """
    conversation = connection.execute(LOCK, {"id": conversation_id, "owner_id": owner.id}).first()
    if conversation is None:
        raise NotFound
    return conversation
