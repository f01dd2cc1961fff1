"""Answers in progress: kept piece by piece, followed from elsewhere, ended exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    bindparam,
    case,
    column,
    delete,
    null,
    or_,
    select,
    update,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite

from chatweb.database import reading, writing
from chatweb.database.types import AnyRow, BigId, now_seconds
from chatweb.models import Conversation, Message, Process, ReplyPiece
from chatweb.services import changes, pieces
from chatweb.services.conversations import TO_THE_END, check_position, locked
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece

QUIET = 5.0
"""Seconds without a heartbeat after which a process counts as dead."""

SIGNED_OFF = 0.0
"""As its heartbeat: a process has said itself that it will not write any more."""

CUT = "The server stopped while this was being written. What had arrived is kept."


@dataclass(frozen=True)
class Ending:
    """How an answer ended, with its whole text."""

    answer_id: int
    status: str
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """What :func:`keep` did, and what it learned on the way."""

    ended: frozenset[int]
    over: frozenset[int]
    """Answers that gained text but are not this process's any more: somebody else, who took it for
    dead, ended them or goes on with them, or their rows are gone."""
    stops: Mapping[int, int]
    """Answers that somebody asked to stop, with the number of characters they had seen."""


STOPS = select(Message.id, Message.stop_at).where(
    Message.process_id == bindparam("process_id"),
    Message.status == "streaming",
    Message.stop_at.is_not(None),
)
END = (
    update(Message)
    .where(
        Message.id == bindparam("answer_id"),
        Message.status == "streaming",
        Message.process_id == bindparam("by"),
    )
    .values(
        status=bindparam("ended"), content=bindparam("text"), details=bindparam("known"),
        ended_at=bindparam("now"), process_id=null(), stop_at=null(),
    )
)  # fmt: skip
CONTENT = select(Message.status, Message.content).where(Message.id == bindparam("answer_id"))
UNSEEN = (
    update(Conversation)
    .where(
        Conversation.id.in_(
            select(Message.conversation_id).where(
                Message.id.in_(bindparam("answer_ids", expanding=True))
            )
        )
    )
    .values(unseen=True)
)
ORPHANS = (
    select(Message.id, Message.process_id, (Process.heartbeat == SIGNED_OFF).label("signed_off"))
    .join(Process, Process.id == Message.process_id)
    .where(
        Message.status == "streaming",
        or_(
            Process.heartbeat < now_seconds() - QUIET,
            Process.id == bindparam("process_id"),
        ),
    )
)


def beat(process_id: UUID) -> None:
    """Say that this process lives."""
    with writing() as connection:
        _beat(connection, process_id)
        connection.commit()


def _beat(connection: Connection, process_id: UUID) -> None:
    upsert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        upsert(Process)
        .values(id=process_id, heartbeat=now_seconds())
        .on_conflict_do_update(index_elements=["id"], set_={"heartbeat": now_seconds()})
    )


def keep(
    process_id: UUID, gained: Sequence[Piece], endings: Sequence[Ending], *, heartbeat: bool
) -> Kept:
    """Write what all live answers of a process gained, in one transaction.

    An answer that has ended keeps the end it has, and one that another process goes on with is
    left to it: it is missing in ``ended``, and gets no piece any more.
    """
    with writing() as connection:
        if heartbeat:
            _beat(connection, process_id)
        over = pieces.add(connection, process_id, gained) if gained else frozenset()
        ended = frozenset(each.answer_id for each in endings if _end(connection, process_id, each))
        if ended:
            pieces.forget(connection, list(ended))
            changes.note_ends(connection, list(ended))
        stops = _stops(connection, process_id)
        connection.commit()
    return Kept(ended, over, stops)


def stops(process_id: UUID) -> Mapping[int, int]:
    """As in :class:`Kept`, for when there is nothing to write."""
    with reading() as connection:
        return _stops(connection, process_id)


def _stops(connection: Connection, process_id: UUID) -> Mapping[int, int]:
    rows = connection.execute(STOPS, {"process_id": process_id}).all()
    return {row.id: row.stop_at for row in rows}


def _end(connection: Connection, process_id: UUID, ending: Ending) -> bool:
    result = connection.execute(
        END,
        {
            "answer_id": ending.answer_id, "by": process_id,
            "ended": ending.status, "text": ending.text,
            "known": dict(ending.details), "now": datetime.now(UTC),
        },
    )  # fmt: skip
    return bool(result.rowcount)


def request_stop(
    owner: Owner, conversation_id: UUID, position: int, seen: int | None
) -> AnyRow | None:
    """Note that an answer shall stop, for the process it lives in.

    :returns: its id and the number of characters to keep; None when it has ended already
    :raises NotFound: no such message of this owner
    """
    check_position(position)
    with writing() as connection:
        locked(connection, owner, conversation_id)
        row = connection.execute(
            update(Message)
            .where(
                Message.conversation_id == conversation_id,
                Message.position == position,
                Message.status == "streaming",
            )
            .values(stop_at=TO_THE_END if seen is None else min(max(seen, 0), TO_THE_END))
            .returning(Message.id, Message.stop_at)
        ).first()
        connection.commit()
    return row


def orphans(process_id: UUID) -> Sequence[AnyRow]:
    """Streaming answers of processes that have gone quiet, and those said to be this one's: rows of
    id, process_id, and whether that process has signed off."""
    with reading() as connection:
        return connection.execute(ORPHANS, {"process_id": process_id}).all()


def interrupt(orphans: Mapping[int, UUID]) -> int:
    """End answers that nobody writes any more, with the text that was kept: ids, each with the
    process it is taken from, unless another one has been quicker.

    :returns: how many it ended
    """
    with writing() as connection:
        # Held before they are read: a piece that comes at this moment must not get lost.
        held = pieces.held(connection, orphans)
        for row in held:
            text = pieces.text(connection, row.id)
            details = {**row.details, "reason": CUT}
            _end(connection, row.process_id, Ending(row.id, "interrupted", text, details))
        ended = [row.id for row in held]
        pieces.forget(connection, ended)
        changes.note_ends(connection, ended)
        connection.commit()
    return len(ended)


def unseen(answer_ids: Sequence[int]) -> None:
    """Note that answers have ended while nobody looked."""
    with writing() as connection:
        connection.execute(UNSEEN, {"answer_ids": answer_ids})
        connection.commit()


def retire(process_id: UUID) -> None:
    """Sign off for this process, and forget processes that are over and have no answers left.

    Whoever looks sees at once that an answer this one leaves behind has nobody any more.
    """
    has_answers = select(Message.id).where(Message.process_id == Process.id).exists()
    with writing() as connection:
        connection.execute(
            update(Process).where(Process.id == process_id).values(heartbeat=SIGNED_OFF)
        )
        connection.execute(
            delete(Process).where(
                or_(Process.id == process_id, Process.heartbeat < now_seconds() - 100 * QUIET),
                ~has_answers,
            )
        )
        connection.commit()


def followed(offsets: Mapping[int, int]) -> Sequence[AnyRow]:
    """What answers that live elsewhere gained: rows of id, status, final content, offset, text.

    ``offsets`` gives for each answer the number of characters known.
    """
    known = (
        values(column("id", BigId), column("at", Message.position.type), name="known")
        .data(list(offsets.items()))
        .cte()
    )
    final = case((Message.status != "streaming", Message.content))
    statement = (
        select(
            Message.id, Message.status, final.label("content"), ReplyPiece.offset, ReplyPiece.text
        )
        .join(known, known.c.id == Message.id)
        .outerjoin(
            ReplyPiece,
            (ReplyPiece.message_id == Message.id) & (ReplyPiece.offset >= known.c.at),
        )
        .order_by(Message.id, ReplyPiece.offset)
    )
    with reading() as connection:
        return connection.execute(statement).all()


def written_by(process_id: UUID, answer_ids: Sequence[int]) -> Set[int]:
    """Those of ``answer_ids`` that are there and being written by a process."""
    with reading() as connection:
        return pieces.written_by(connection, process_id, answer_ids)


def ended_text(answer_id: int) -> str | None:
    """The text an answer ended with; empty when its row is gone, None while it is being written."""
    with reading() as connection:
        row = connection.execute(CONTENT, {"answer_id": answer_id}).first()
    if row is None:
        return ""
    return None if row.status == "streaming" else row.content


def text_so_far(answer_id: int) -> str:
    """The pieces kept of an answer in progress."""
    with reading() as connection:
        return pieces.text(connection, answer_id)
