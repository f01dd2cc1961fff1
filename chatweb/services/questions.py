"""Asking: a question and its empty answer are committed together.

Only after that commit is anything shown or any model called; from then on the server owns both.
Every way of asking carries a ``request_id``: the same one again changes nothing, for ever, and
gives what it gave the first time. It must then ask for the same thing: the same first question, the
same question in the same conversation, another answer to the same question. Else it is refused, or
its sender would be told that something was done that was not.
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
from chatweb.services.conversations import Listed, check_position, locked
from chatweb.services.errors import Conflict, NotFound, StaleForm
from chatweb.services.owners import Owner

REQUESTED = (
    select(
        Message.conversation_id, Message.position, Message.parent, Message.role, Message.content,
        Conversation.title,
    )
    .join(Conversation, Conversation.id == Message.conversation_id)
    .where(Message.owner_id == bindparam("owner_id"), Message.request_id == bindparam("request_id"))
)  # fmt: skip
ONE = select(
    Message.id, Message.parent, Message.role, Message.status, Message.content,
    Message.process_id, Message.created_at,
).where(
    Message.conversation_id == bindparam("id"), Message.position == bindparam("position")
)  # fmt: skip
STREAMING = select(Message.position).where(
    Message.conversation_id == bindparam("id"), Message.status == "streaming"
)
BEGIN = insert(Conversation)
ADD = insert(Message).returning(Message.id, sort_by_parameter_order=True)
GROWN = update(Conversation).where(Conversation.id == bindparam("conversation"))


@dataclass(frozen=True)
class Asked:
    """A question that is kept, and the answer to it that was begun.

    ``parent`` is the position the question follows, None for a first one; ``at``: when the answer
    was begun.
    """

    conversation: Listed
    parent: int | None
    question: int
    text: str
    answer: int
    answer_id: int
    streaming: bool
    process_id: UUID | None
    at: datetime

    @property
    def conversation_id(self) -> UUID:
        return self.conversation.id


@retried
def begin(owner: Owner, text: str, longest: int, request_id: UUID, process_id: UUID) -> Asked:
    """Make a conversation with its first question and the empty answer.

    :raises Invalid: the text is empty or over ``longest`` characters
    :raises StaleForm: the request id was used for something else
    """
    text = texts.question(text, longest)
    with writing() as connection:
        is_new = owners.ensure(connection, owner)
        first = {"role": "user", "parent": None, "content": text}
        if not is_new and (asked := _asked_before(connection, owner, request_id, first)):
            return asked
        now = datetime.now(UTC)
        listed = Listed(uuid4(), texts.first_words(text), now, True)
        connection.execute(
            BEGIN,
            {
                "id": listed.id, "owner_id": owner.id, "title": listed.title, "created_at": now,
                "last_message_at": now, "message_count": 2, "head": 2,
            },
        )  # fmt: skip
        answer_id = _add(
            connection, owner, listed, None,
            {1: _question(text, request_id), 2: _answer(process_id)},
        )  # fmt: skip
        connection.commit()
    return Asked(listed, None, 1, text, 2, answer_id, True, process_id, now)


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
        same = {"role": "user", "conversation_id": conversation_id, "content": text}
        if asked := _asked_before(connection, owner, request_id, same):
            return asked
        _check_free(connection, conversation)
        now = datetime.now(UTC)
        listed = Listed(conversation_id, conversation.title, now, True)
        parent, question = conversation.head or None, conversation.message_count + 1
        answer_id = _add(
            connection, owner, listed, parent,
            {question: _question(text, request_id), question + 1: _answer(process_id)},
        )  # fmt: skip
        _grow(connection, listed, question + 1)
        connection.commit()
    return Asked(
        listed, parent, question, text, question + 1, answer_id, True, process_id, now
    )  # fmt: skip


@retried
def retry(
    owner: Owner, conversation_id: UUID, position: int, request_id: UUID, process_id: UUID
) -> Asked:
    """Begin another answer, a sibling of the one at ``position``, and show its branch.

    :raises Invalid: the request id was used for something else
    :raises Conflict: an answer is being written, or the conversation is closed
    :raises NotFound: no such answer of this owner
    """
    check_position(position)
    with writing() as connection:
        conversation = locked(connection, owner, conversation_id)
        first = connection.execute(ONE, {"id": conversation_id, "position": position}).first()
        if first is None or first.role != "assistant":
            raise NotFound
        sibling = {
            "role": "assistant", "conversation_id": conversation_id, "parent": first.parent,
        }  # fmt: skip
        if asked := _asked_before(connection, owner, request_id, sibling, after=position):
            return asked
        _check_free(connection, conversation)
        question = connection.execute(ONE, {"id": conversation_id, "position": first.parent}).one()
        now = datetime.now(UTC)
        listed = Listed(conversation_id, conversation.title, now, True)
        answer = conversation.message_count + 1
        answer_id = _add(
            connection, owner, listed, first.parent,
            {answer: _answer(process_id) | {"request_id": request_id}},
        )  # fmt: skip
        _grow(connection, listed, answer)
        connection.commit()
    return Asked(
        listed, question.parent, first.parent, question.content, answer, answer_id, True,
        process_id, now,
    )  # fmt: skip


def _check_free(connection: Connection, conversation: AnyRow) -> None:
    if conversation.status == "closed":
        raise Conflict("This conversation is closed. Begin a new one to go on.")
    if connection.execute(STREAMING, {"id": conversation.id}).first():
        raise Conflict(
            "An answer is still being written here. Wait for its end or stop it, then send again."
        )


def _asked_before(
    connection: Connection, owner: Owner, request_id: UUID, same: dict[str, Any], after: int = 0
) -> Asked | None:
    """What this request gave the first time.

    :raises Invalid: it made a message that is not the ``same``, or not one behind ``after``
    """
    first = connection.execute(
        REQUESTED, {"owner_id": owner.id, "request_id": request_id}
    ).first()  # fmt: skip
    if first is None:
        return None
    if first.position <= after or any(first._mapping[name] != same[name] for name in same):
        raise StaleForm(
            "This form was already used for another message, which is saved. "
            "Send again to send this one too."
        )
    # A question and its first answer are always made together, in this order.
    question, answer = (
        (first.position, first.position + 1)
        if first.role == "user"
        else (first.parent, first.position)
    )
    asked, begun = (
        connection.execute(ONE, {"id": first.conversation_id, "position": position}).one()
        for position in (question, answer)
    )
    running = begun.status == "streaming"
    return Asked(
        Listed(first.conversation_id, first.title, begun.created_at, running),
        asked.parent, question, asked.content, answer, begun.id, running, begun.process_id,
        begun.created_at,
    )  # fmt: skip


def _question(text: str, request_id: UUID) -> dict[str, Any]:
    return {"role": "user", "status": "complete", "content": text, "request_id": request_id,
            "process_id": None}  # fmt: skip


def _answer(process_id: UUID) -> dict[str, Any]:
    return {"role": "assistant", "status": "streaming", "content": "", "request_id": None,
            "process_id": process_id}  # fmt: skip


def _add(
    connection: Connection, owner: Owner, conversation: Listed, parent: int | None,
    messages: dict[int, dict[str, Any]],
) -> int:  # fmt: skip
    """Put ``messages``, by position and each the next one's parent, behind ``parent``.

    :returns: the id of the last one, which is the answer
    """
    rows = []
    for position, message in messages.items():
        rows.append(
            message | {"owner_id": owner.id, "conversation_id": conversation.id, "parent": parent,
                       "position": position, "created_at": conversation.last_message_at,
                       "details": {}}
        )  # fmt: skip
        parent = position
    return connection.execute(ADD, rows).scalars().all()[-1]


def _grow(connection: Connection, conversation: Listed, head: int) -> None:
    connection.execute(
        GROWN,
        {"conversation": conversation.id, "message_count": head, "head": head,
         "last_message_at": conversation.last_message_at},
    )  # fmt: skip
