"""What is typed and not sent: kept while it is typed, gone in the transaction that sends it.

A draft has the ``request_id`` that its question will have. By it, what arrives after its question
is known to be late, and an empty box forgets only what was typed into it. A page that has not heard
of the question goes on typing under its id: what the question does not begin with is new, and gets
an id of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from chatweb.database import reading, writing
from chatweb.models import Draft, Message
from chatweb.services import limits, owners, texts
from chatweb.services.conversations import locked
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner

ROOM = 2
"""So many times as long as a question may a draft be: it can be shortened, and is not lost."""

OF_NEW_CHAT = select(Draft.text, Draft.request_id).where(
    Draft.owner_id == bindparam("owner_id"), Draft.conversation_id.is_(None)
)
SENT = select(Message.content).where(
    Message.owner_id == bindparam("owner_id"), Message.request_id == bindparam("request_id")
)
FORGET = delete(Draft).where(
    Draft.owner_id == bindparam("owner_id"), Draft.request_id == bindparam("request_id")
)


class Typed(NamedTuple):
    """What is in a box, and the id it will be sent with; None: any new one."""

    text: str
    request_id: UUID | None


NOTHING = Typed("", None)


def of_new_chat(owner: Owner) -> Typed:
    """What was typed for a conversation that has not begun."""
    with reading() as connection:
        row = connection.execute(OF_NEW_CHAT, {"owner_id": owner.id}).first()
    return Typed(row.text, row.request_id) if row else NOTHING


def save(
    owner: Owner, conversation_id: UUID | None, text: str, request_id: UUID,
    longest: int | None = None, allowance: Allowance = UNLIMITED,
) -> UUID:  # fmt: skip
    """Keep ``text`` as the one draft of a conversation, or (None) of a new chat.

    A text that shows nothing leaves no draft with this ``request_id``. After the question with
    this id was sent, what it begins with changes nothing: what was sent does not come back.

    :returns: the id that ``text`` will be sent with: a new one where ``request_id`` is used up
    :raises Invalid: more than ``ROOM`` times the ``longest`` question's characters
    :raises TooMany: it would make one guest too many from this address
    :raises NotFound: no such conversation of this owner
    """
    text = texts.draft(text, ROOM * longest) if longest else texts.storable(text)
    is_visible = texts.is_visible(text)
    with writing() as connection:
        # Held by whoever sends too: between the look and the write nothing is sent.
        if conversation_id:
            locked(connection, owner, conversation_id)
        elif is_visible and owners.ensure(connection, owner):
            limits.count_guest(connection, allowance)
        if not is_visible:
            forget(connection, owner, request_id)
        elif (sent := _sent(connection, owner, request_id)) is None or not _is_late(text, sent):
            request_id = request_id if sent is None else uuid4()
            _put(connection, owner, conversation_id, text=text, request_id=request_id)
        connection.commit()
    return request_id


def _sent(connection: Connection, owner: Owner, request_id: UUID) -> str | None:
    """What was sent under this id."""
    values = {"owner_id": owner.id, "request_id": request_id}
    sent: str | None = connection.execute(SENT, values).scalar()
    return sent


def _is_late(text: str, sent: str) -> bool:
    """Whether ``text`` is what was in the box on the way to what was sent."""
    return sent.startswith(text.strip())


def forget(connection: Connection, owner: Owner, request_id: UUID) -> None:
    """What was typed under this id is no draft any more."""
    connection.execute(FORGET, {"owner_id": owner.id, "request_id": request_id})


def _put(
    connection: Connection, owner: Owner, conversation_id: UUID | None, **values: Any
) -> None:  # fmt: skip
    """The caller holds what the draft belongs to, so that nobody else adds it meanwhile."""
    values["updated_at"] = datetime.now(UTC)
    changed = connection.execute(
        update(Draft)
        .where(Draft.owner_id == owner.id, Draft.conversation_id == conversation_id)
        .values(values)
    )
    if not changed.rowcount:
        connection.execute(
            insert(Draft), {"owner_id": owner.id, "conversation_id": conversation_id, **values}
        )
