"""Conversations as wholes: making, finding, changing, deleting. Asking is in ``questions``, lists
of them in ``lists``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from chatweb.database import reading, retried, writing
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Draft, Message
from chatweb.services import changes, limits, owners, texts
from chatweb.services.errors import NotFound, Unavailable
from chatweb.services.limits import Allowance
from chatweb.services.owners import Owner

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
    Conversation.created_at,
    Conversation.last_message_at,
    Conversation.pinned,
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
LOCK = select(*ROW, Conversation.owner_id, Conversation.title_source).where(THERE).with_for_update()
EXISTS = select(Conversation.id).where(Conversation.id == bindparam("id"))
MAKE = insert(Conversation)
AMONG = select(*ROW, RUNNING.label("running")).where(
    Conversation.id.in_(bindparam("ids", expanding=True)),
    Conversation.owner_id == bindparam("owner_id"),
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


@retried
def make(
    owner: Owner, title: str | None, request_id: UUID, allowance: Allowance
) -> tuple[AnyRow, bool]:
    """Make a conversation without a message, which counts as a question; a title of its own, or
    that of its first question.

    :returns: it, and whether it was made just now, not by the same request before
    :raises NotFound: the same request made one that was deleted since
    :raises TooMany: ``allowance`` is used up
    """
    conversation_id = uuid5(owner.id, f"conversation {request_id}")
    with writing() as connection:
        is_new = owners.ensure(connection, owner)
        if not is_new and connection.execute(EXISTS, {"id": conversation_id}).first():
            return locked(connection, owner, conversation_id), False
        limits.count(connection, owner, allowance, begins=True)
        now = datetime.now(UTC)
        connection.execute(
            MAKE,
            {
                "id": conversation_id, "owner_id": owner.id, "created_at": now,
                "last_message_at": now, "title": texts.title(title or ""),
                "title_source": "person" if title else "first_words",
            },
        )  # fmt: skip
        changes.note(connection, owner.id, conversation_id)
        made = locked(connection, owner, conversation_id)
        connection.commit()
    return made, True


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


def change(
    owner: Owner, conversation_id: UUID, *,
    title: str | None = None, status: str | None = None, pinned: bool | None = None,
) -> None:  # fmt: skip
    """Change what a person chooses of a conversation; None leaves it as it is.

    ``title`` is trimmed to one line of 120 characters; ``status``: active, archived or closed.

    :raises NotFound: no such conversation of this owner
    """
    chosen = {"status": status, "pinned": pinned}
    if title is not None:
        chosen |= {"title": texts.title(title), "title_source": "person"}
    values = {name: value for name, value in chosen.items() if value is not None}
    with writing() as connection:
        locked(connection, owner, conversation_id)
        if values:
            connection.execute(
                update(Conversation).where(Conversation.id == conversation_id).values(values)
            )
            changes.note(connection, owner.id, conversation_id)
        connection.commit()


def delete(owner: Owner, conversation_id: UUID) -> None:
    """Take a conversation out of every list, and stop its answer; :func:`restore` undoes it.

    :raises NotFound: no such conversation of this owner
    """
    with writing() as connection:
        locked(connection, owner, conversation_id)
        take_out(connection, owner, [conversation_id])
        connection.commit()


def take_out(connection: Connection, owner: Owner, conversation_ids: Sequence[UUID]) -> None:
    """Delete conversations that the caller holds, and stop their answers."""
    connection.execute(
        update(Conversation).where(Conversation.id.in_(conversation_ids)).values(status="deleted")
    )
    connection.execute(
        update(Message)
        .where(Message.conversation_id.in_(conversation_ids), Message.status == "streaming")
        .values(stop_at=TO_THE_END)
    )
    for conversation_id in conversation_ids:
        changes.note(connection, owner.id, conversation_id)


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
