"""Text of answers in progress, kept piece by piece: what is there when their process dies.

Only an answer that is being written has pieces. Whoever ends one forgets them in the same
transaction, and nobody can add one to it afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, String, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from chatweb.database.types import BigId
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
HELD = STREAMING.order_by(Message.id).with_for_update(key_share=True)
FORGET = delete(ReplyPiece).where(
    ReplyPiece.message_id.in_(bindparam("answer_ids", expanding=True))
)
TEXT = (
    select(ReplyPiece.text)
    .where(ReplyPiece.message_id == bindparam("answer_id"))
    .order_by(ReplyPiece.offset)
)


def _adding(insert: Any, answer_id: Any, offset: Any, text: Any) -> Any:
    """Adds text where its answer is being written, and holds that answer until the commit."""
    written = (
        select(Message.id, offset, text)
        .where(Message.id == answer_id, Message.status == "streaming")
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


def add(connection: Connection, pieces: Sequence[Piece]) -> frozenset[int]:
    """Add ``pieces``, and say whose were left out: those answers are not being written any more."""
    ids = [each.answer_id for each in pieces]
    statement, values = ADD_EACH, [vars(each) for each in pieces]
    if connection.dialect.name == "postgresql":
        texts, offsets = [each.text for each in pieces], [each.offset for each in pieces]
        statement, values = ADD_ALL, [{"answer_ids": ids, "offsets": offsets, "texts": texts}]
    result = connection.execute(statement, values, execution_options={"preserve_rowcount": True})
    if result.rowcount == len(pieces):
        return frozenset()
    return frozenset(ids) - streaming(connection, ids)


def streaming(connection: Connection, answer_ids: Sequence[int]) -> frozenset[int]:
    """Those of ``answer_ids`` that are there and being written."""
    return frozenset(connection.execute(STREAMING, {"answer_ids": answer_ids}).scalars())


def held(connection: Connection, answer_ids: Sequence[int]) -> Sequence[int]:
    """Those being written, held: what is added at this moment is there already, or never comes."""
    return connection.execute(HELD, {"answer_ids": answer_ids}).scalars().all()


def text(connection: Connection, answer_id: int) -> str:
    """What has been kept of an answer so far."""
    return "".join(connection.execute(TEXT, {"answer_id": answer_id}).scalars())


def forget(connection: Connection, answer_ids: Sequence[int]) -> None:
    """Answers have ended: their texts are in their rows."""
    connection.execute(FORGET, {"answer_ids": answer_ids})
