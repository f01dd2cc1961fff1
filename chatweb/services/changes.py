"""That something in a conversation changed, for the open pages of its owner, in every process.

Noted in the transaction that makes the change, by adding a row: nobody waits for anybody. Whoever
watches asks now and then for what is new. Numbers may become visible out of order, since a
transaction that began earlier can commit later; so one looks back a little, and remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from chatweb.database import reading, writing
from chatweb.database.types import AnyRow, now_seconds
from chatweb.models import Change, Message

KEPT_FOR = 120.0
"""Seconds that a change is remembered: a page that was open before then reads everything anew."""

NEWEST = select(func.max(Change.id))

NOTE = insert(Change).values(made_at=now_seconds())
NOTE_ENDS = insert(Change).from_select(
    ["owner_id", "conversation_id", "made_at"],
    select(Message.owner_id, Message.conversation_id, now_seconds()).where(
        Message.id.in_(bindparam("answer_ids", expanding=True))
    ),
)
SINCE = (
    select(
        Change.id,
        Change.owner_id,
        Change.conversation_id,
        (now_seconds() - Change.made_at).label("age"),
    )
    .where(or_(Change.id > bindparam("number"), Change.id == NEWEST.scalar_subquery()))
    .order_by(Change.id)
)
LATELY = (
    select(Change.conversation_id)
    .where(Change.owner_id == bindparam("owner_id"))
    .where(Change.made_at > now_seconds() - KEPT_FOR)
    .distinct()
)
# The newest stays: SQLite numbers from there, and would begin again with 1 in an empty table.
OLD = delete(Change).where(
    Change.made_at < now_seconds() - KEPT_FOR, Change.id < NEWEST.scalar_subquery()
)


def note(connection: Connection, owner_id: UUID, conversation_id: UUID) -> None:
    """Let the owner's pages know, once this transaction is committed."""
    connection.execute(NOTE, {"owner_id": owner_id, "conversation_id": conversation_id})


def note_ends(connection: Connection, answer_ids: Sequence[int]) -> None:
    """The same for the conversations of answers that have ended."""
    connection.execute(NOTE_ENDS, {"answer_ids": answer_ids})


def since(number: int) -> Sequence[AnyRow]:
    """Everybody's changes after the one of this number, and the newest one in any case: rows of
    id, owner, conversation and age in seconds."""
    with reading() as connection:
        return connection.execute(SINCE, {"number": number}).all()


def newest() -> int:
    """The number of the newest change that can be seen; 0 when there is none."""
    with reading() as connection:
        return connection.execute(NEWEST).scalar() or 0


def lately(owner_id: UUID) -> Sequence[UUID]:
    """Conversations of one owner that changed within the time that is remembered."""
    with reading() as connection:
        return connection.execute(LATELY, {"owner_id": owner_id}).scalars().all()


def forget() -> None:
    """Forget what every page has heard of by now; numbers go on from the newest."""
    with writing() as connection:
        connection.execute(OLD)
        connection.commit()
