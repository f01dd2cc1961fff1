"""Going on with answers whose process has stopped or died.

Exactly one process wins an answer: it writes its own name over the dead one's. From that moment on
nothing comes any more from the other one, should it only have slept (see ``pieces``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.orm import aliased

from chatweb.database import writing
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Message
from chatweb.services import pieces
from chatweb.services.asking import Asked
from chatweb.services.conversations import Listed

MOST = 3
"""How often one answer is taken up: what kills its process again and again must end."""

TAKEN_UP = "taken_up"
"""How often that has happened, in the message's metadata."""

Question = aliased(Message, name="question")
LEFT = (
    select(
        Message.id, Message.process_id, Message.position, Message.created_at, Message.stop_at,
        Message.details.label("details"), Message.conversation_id, Conversation.title,
        Question.position.label("question"), Question.parent, Question.content.label("asked"),
    )
    .join(Conversation, Conversation.id == Message.conversation_id)
    .join(
        Question,
        (Question.conversation_id == Message.conversation_id)
        & (Question.position == Message.parent),
    )
    .where(
        Message.id.in_(bindparam("answer_ids", expanding=True)), Message.status == "streaming"
    )
    .order_by(Message.id)
)  # fmt: skip
TAKE = (
    update(Message)
    .where(
        Message.id == bindparam("answer_id"),
        Message.status == "streaming",
        Message.process_id == bindparam("dead"),
    )
    .values(process_id=bindparam("mine"), details=bindparam("known"))
)


@dataclass(frozen=True)
class TakenUp:
    """An answer that is this process's now. ``details`` is what its message knows already,
    ``stop_at`` how many characters to keep if somebody has asked to stop it."""

    asked: Asked
    details: Mapping[str, Any]
    stop_at: int | None


@dataclass(frozen=True)
class Divided:
    """What became of orphans: ours now, and those that were taken up too often already."""

    taken: list[TakenUp]
    worn_out: dict[int, UUID]


def take_up(process_id: UUID, orphans: Mapping[int, UUID]) -> Divided:
    """Make answers this process's own: ids, each with the process it is taken from.

    Those that another one was quicker to take, or that have ended, are in neither list.
    """
    divided = Divided([], {})
    with writing() as connection:
        for row in connection.execute(LEFT, {"answer_ids": list(orphans)}).all():
            if row.process_id != orphans[row.id]:
                continue
            if row.details.get(TAKEN_UP, 0) >= MOST:
                divided.worn_out[row.id] = row.process_id
            elif taken := _take(connection, process_id, row):
                divided.taken.append(taken)
        connection.commit()
    return divided


def _take(connection: Connection, process_id: UUID, row: AnyRow) -> TakenUp | None:
    details = {**row.details, TAKEN_UP: row.details.get(TAKEN_UP, 0) + 1}
    result = connection.execute(
        TAKE,
        {"answer_id": row.id, "dead": row.process_id, "mine": process_id, "known": details},
    )
    if not result.rowcount:
        return None
    asked = Asked(
        Listed(row.conversation_id, row.title, row.created_at, True), row.parent, row.question,
        row.asked, row.position, row.id, True, process_id, row.created_at,
        # Read after it became ours: nothing can be added by anybody else now.
        pieces.text(connection, row.id),
    )  # fmt: skip
    return TakenUp(asked, details, row.stop_at)
