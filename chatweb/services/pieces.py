"""Text of answers in progress, kept piece by piece: what is there when their process dies.

Only an answer that is being written has pieces, and only the process it belongs to can add one.
Whoever ends one forgets them in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Integer, String, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from chatweb.database.types import AnyRow, BigId
from chatweb.models import Message, ReplyPiece


@dataclass(frozen=True)
class Piece:
    """Text of an answer from ``offset`` (characters) on."""

    answer_id: int
    offset: int
    text: str


STREAMING = select(Message.id).where(
    Message.id.in_(bindparam("answer_ids", expanding=True)), Message.status == "streaming"
)
WRITTEN_BY = STREAMING.where(Message.process_id == bindparam("process_id"))
HELD = (
    STREAMING.add_columns(Message.process_id, Message.details.label("details"))
    .order_by(Message.id)
    .with_for_update(key_share=True)
)
FORGET = delete(ReplyPiece).where(
    ReplyPiece.message_id.in_(bindparam("answer_ids", expanding=True))
)
TEXT = (
    select(ReplyPiece.text)
    .where(ReplyPiece.message_id == bindparam("answer_id"))
    .order_by(ReplyPiece.offset)
)


def _adding(insert: Any, answer_id: Any, offset: Any, text: Any) -> Any:
    """Adds text where its answer is being written here, and holds that answer until the commit."""
    written = (
        select(Message.id, offset, text)
        .where(
            Message.id == answer_id,
            Message.status == "streaming",
            Message.process_id == bindparam("process_id"),
        )
        .order_by(Message.id)
        .with_for_update(read=True, of=Message)
    )
    add = insert(ReplyPiece).from_select(["message_id", "offset", "text"], written)
    # After a commit whose outcome is unclear the same offset comes again, with more text.
    return add.on_conflict_do_update(
        index_elements=["message_id", "offset"], set_={"text": add.excluded.text}
    )


GAINED = func.unnest(
    bindparam("answer_ids", type_=postgresql.ARRAY(BigId)),
    bindparam("offsets", type_=postgresql.ARRAY(Integer)),
    bindparam("texts", type_=postgresql.ARRAY(String)),
).table_valued("answer_id", "offset", "text", name="gained").render_derived()  # fmt: skip
ADD_ALL = _adding(postgresql.insert, GAINED.c.answer_id, GAINED.c.offset, GAINED.c.text)
"""All at once, which psycopg2 would else send one by one."""
ADD_EACH = _adding(sqlite.insert, bindparam("answer_id"), bindparam("offset"), bindparam("text"))


def add(connection: Connection, process_id: UUID, pieces: Sequence[Piece]) -> frozenset[int]:
    """Add ``pieces`` of a process, and say whose were left out: it does not write those answers any
    more, because they have ended or another one has taken them up."""
    ids = [each.answer_id for each in pieces]
    by: dict[str, Any] = {"process_id": process_id}
    statement, values = ADD_EACH, [vars(each) | by for each in pieces]
    if connection.dialect.name == "postgresql":
        texts, offsets = [each.text for each in pieces], [each.offset for each in pieces]
        every = {"answer_ids": ids, "offsets": offsets, "texts": texts}
        statement, values = ADD_ALL, [every | by]
    result = connection.execute(statement, values, execution_options={"preserve_rowcount": True})
    if result.rowcount == len(pieces):
        return frozenset()
    return frozenset(ids) - written_by(connection, process_id, ids)


def written_by(
    connection: Connection, process_id: UUID, answer_ids: Sequence[int]
) -> frozenset[int]:
    """Those of ``answer_ids`` that are there and being written by a process."""
    known = {"answer_ids": answer_ids, "process_id": process_id}
    return frozenset(connection.execute(WRITTEN_BY, known).scalars())


def held(connection: Connection, orphans: Mapping[int, UUID]) -> Sequence[AnyRow]:
    """Those still being written by the processes given with them, held: what is added at this
    moment is there already, or never comes. Rows of id, process_id and details."""
    rows = connection.execute(HELD, {"answer_ids": list(orphans)}).all()
    return [row for row in rows if row.process_id == orphans[row.id]]


def text(connection: Connection, answer_id: int) -> str:
    """What has been kept of an answer so far."""
    return "".join(connection.execute(TEXT, {"answer_id": answer_id}).scalars())


def forget(connection: Connection, answer_ids: Sequence[int]) -> None:
    """Answers have ended: their texts are in their rows."""
    connection.execute(FORGET, {"answer_ids": answer_ids})
