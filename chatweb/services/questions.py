"""Asking: a question and its empty answer are committed together.

Only after that commit is anything shown or any model called; from then on the server owns both.
Every way of asking carries a ``request_id``: the same one again changes nothing, for ever, and
gives what it gave the first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, insert, select, update

from chatweb.database import retried, writing
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Message
from chatweb.services import owners, texts
from chatweb.services.conversations import check_position, locked
from chatweb.services.errors import Conflict, NotFound, StaleForm
from chatweb.services.owners import Owner

REQUESTED = select(
    Message.conversation_id, Message.position, Message.parent, Message.role, Message.content
).where(Message.owner_id == bindparam("owner_id"), Message.request_id == bindparam("request_id"))
ANSWER = select(Message.id, Message.status, Message.process_id).where(
    Message.conversation_id == bindparam("id"), Message.position == bindparam("position")
)
STREAMING = select(Message.position).where(
    Message.conversation_id == bindparam("id"), Message.status == "streaming"
)
ADD = insert(Message).returning(Message.id, sort_by_parameter_order=True)
GROWN = update(Conversation).where(Conversation.id == bindparam("conversation"))


@dataclass(frozen=True)
class Asked:
    """A question that is kept, and the answer to it that was begun."""

    conversation_id: UUID
    question: int
    answer: int
    answer_id: int
    streaming: bool
    process_id: UUID | None


@retried
def begin(owner: Owner, text: str, longest: int, request_id: UUID, process_id: UUID) -> Asked:
    """Make a conversation with its first question and the empty answer.

    :raises Invalid: the text is empty or over ``longest`` characters
    :raises StaleForm: the request id was used for something else
    """
    text = texts.question(text, longest)
    with writing() as connection:
        owners.ensure(connection, owner)
        if asked := _asked_before(connection, owner, request_id, text):
            return asked
        now = datetime.now(UTC)
        conversation: dict[str, Any] = {
            "id": uuid4(), "owner_id": owner.id, "title": texts.first_words(text),
            "created_at": now, "last_message_at": now,
        }  # fmt: skip
        connection.execute(insert(Conversation), conversation)
        asked = _add(
            connection, owner, conversation["id"], 0, None,
            [_question(text, request_id), _answer(process_id)], now,
        )  # fmt: skip
        connection.commit()
    return asked


@retried
def ask(
    owner: Owner, conversation_id: UUID, text: str, longest: int, request_id: UUID, process_id: UUID
) -> Asked:
    """Add a question and its empty answer to the branch shown.

    :raises Invalid, StaleForm: as for :func:`begin`
    :raises Conflict: an answer is being written, or the conversation is closed
    :raises NotFound: no such conversation of this owner
    """
    text = texts.question(text, longest)
    with writing() as connection:
        conversation = locked(connection, owner, conversation_id)
        # Only now, with the conversation held: earlier, one of many equal sends slips through.
        if asked := _asked_before(connection, owner, request_id, text):
            return asked
        _check_free(connection, conversation)
        now = datetime.now(UTC)
        asked = _add(
            connection, owner, conversation_id, conversation.message_count,
            conversation.head or None,
            [_question(text, request_id), _answer(process_id)], now,
        )  # fmt: skip
        connection.commit()
    return asked


@retried
def retry(
    owner: Owner, conversation_id: UUID, position: int, request_id: UUID, process_id: UUID
) -> Asked:
    """Begin another answer, a sibling of the one at ``position``, and show its branch.

    :raises Conflict: an answer is being written, or the conversation is closed
    :raises NotFound: no such answer of this owner
    """
    check_position(position)
    with writing() as connection:
        conversation = locked(connection, owner, conversation_id)
        if asked := _asked_before(connection, owner, request_id, None):
            return asked
        answer = connection.execute(
            select(Message.parent, Message.role).where(
                Message.conversation_id == conversation_id, Message.position == position
            )
        ).first()
        if answer is None or answer.role != "assistant":
            raise NotFound
        _check_free(connection, conversation)
        asked = _add(
            connection, owner, conversation_id, conversation.message_count, answer.parent,
            [_answer(process_id) | {"request_id": request_id}], datetime.now(UTC),
        )  # fmt: skip
        connection.commit()
    return asked


def _check_free(connection: Connection, conversation: AnyRow) -> None:
    if conversation.status == "closed":
        raise Conflict("This conversation is closed. Begin a new one to go on.")
    if connection.execute(STREAMING, {"id": conversation.id}).first():
        raise Conflict(
            "An answer is still being written here. Wait for its end or stop it, then send again."
        )


def _asked_before(
    connection: Connection, owner: Owner, request_id: UUID, text: str | None
) -> Asked | None:
    """What this request gave the first time; ``text`` is None for another try at an answer."""
    first = connection.execute(
        REQUESTED, {"owner_id": owner.id, "request_id": request_id}
    ).first()  # fmt: skip
    if first is None:
        return None
    is_question = first.role == "user"
    if is_question != (text is not None) or (is_question and first.content != text):
        raise StaleForm(
            "This form was already used for another message, which is saved. "
            "Send again to send this one too."
        )
    # A question and its first answer are always made together, in this order.
    question, answer = (
        (first.position, first.position + 1) if is_question else (first.parent, first.position)
    )
    row = connection.execute(ANSWER, {"id": first.conversation_id, "position": answer}).one()
    return Asked(
        first.conversation_id, question, answer, row.id, row.status == "streaming", row.process_id
    )


def _question(text: str, request_id: UUID) -> dict[str, Any]:
    return {"role": "user", "status": "complete", "content": text, "request_id": request_id,
            "process_id": None}  # fmt: skip


def _answer(process_id: UUID) -> dict[str, Any]:
    return {"role": "assistant", "status": "streaming", "content": "", "request_id": None,
            "process_id": process_id}  # fmt: skip


def _add(
    connection: Connection, owner: Owner, conversation_id: UUID, count: int, parent: int | None,
    messages: list[dict[str, Any]], now: datetime,
) -> Asked:  # fmt: skip
    """Put ``messages``, each the next one's parent, behind ``parent``; the last is the answer."""
    rows = []
    for position, message in enumerate(messages, start=count + 1):
        rows.append(
            message | {"owner_id": owner.id, "conversation_id": conversation_id, "parent": parent,
                       "position": position, "created_at": now, "details": {}}
        )  # fmt: skip
        parent = position
    ids = connection.execute(ADD, rows).scalars().all()
    head = count + len(messages)
    connection.execute(
        GROWN,
        {"conversation": conversation_id, "message_count": head, "head": head,
         "last_message_at": now},
    )  # fmt: skip
    answer = rows[-1]
    return Asked(
        conversation_id, answer["parent"], head, ids[-1], True, answer["process_id"]
    )  # fmt: skip
