"""What every way of asking has in common: a request is known again, an answer is begun.

Every way carries a ``request_id``: the same one again changes nothing, for ever, and gives what it
gave the first time. It must then ask for the same thing: the same first question, the same question
in the same conversation, another answer to the same question. Else it is refused, or its sender
would be told that something was done that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, insert, select, update

from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Message
from chatweb.services import changes, pieces, titles
from chatweb.services.conversations import Listed, check_position
from chatweb.services.errors import Conflict, Invalid, NotFound, StaleForm
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece

REQUESTED = (
    select(
        Message.conversation_id, Message.position, Message.parent, Message.role, Message.content,
        Conversation.title, Conversation.chapter,
    )
    .join(Conversation, Conversation.id == Message.conversation_id)
    .where(Message.owner_id == bindparam("owner_id"), Message.request_id == bindparam("request_id"))
)  # fmt: skip
ONE = select(
    Message.id, Message.position, Message.parent, Message.role, Message.status, Message.content,
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

BUSY = "An answer is still being written here. Wait for its end or stop it, then send again."


@dataclass(frozen=True)
class Asked:
    """A question that is kept, and the answer to it that was begun.

    ``parent`` is the position the question follows, None for a first one; ``at``: when the answer
    was begun; ``begins_with``: text it has already, because it goes on where another was cut;
    ``request_id``: what it was asked by; ``is_new``: for the first time.
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
    begins_with: str = ""
    request_id: UUID | None = None
    is_new: bool = field(default=True, compare=False)

    @property
    def conversation_id(self) -> UUID:
        return self.conversation.id


def find(connection: Connection, conversation_id: UUID, position: int, role: str) -> AnyRow:
    """One message; the caller has checked whose conversation it is.

    :raises NotFound: there is none of this role
    """
    check_position(position)
    row = connection.execute(ONE, {"id": conversation_id, "position": position}).first()
    if row is None or row.role != role:
        raise NotFound
    return row


def followed(connection: Connection, conversation_id: UUID, parent: int) -> int | None:
    """What a question follows that shall follow ``parent``: 0 stands for nothing, it is a first
    one.

    :raises Invalid: there is no such message, or it is a question itself
    """
    if parent == 0:
        return None
    with suppress(NotFound):
        check_position(parent)
        row = connection.execute(ONE, {"id": conversation_id, "position": parent}).first()
        if row is not None and row.role != "user":
            return parent
    raise Invalid("A question follows an answer: `parent` is not the position of one here.")


def check_free(connection: Connection, conversation: AnyRow) -> None:
    """
    :raises Conflict: an answer is being written, or the conversation is closed
    """
    if conversation.status == "closed":
        raise Conflict("This conversation is closed. Begin a new one to go on.")
    if connection.execute(STREAMING, {"id": conversation.id}).first():
        raise Conflict(BUSY)


def before(
    connection: Connection, owner: Owner, request_id: UUID, same: dict[str, Any], after: int = 0
) -> Asked | None:
    """What this request gave the first time.

    :raises StaleForm: it made a message that is not the ``same``, or not one behind ``after``
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
        begun.created_at, pieces.text(connection, begun.id) if running else "", request_id,
        is_new=False,
    )  # fmt: skip


def add_first(
    connection: Connection, owner: Owner, title: str, text: str, request_id: UUID,
    process_id: UUID, earlier: Sequence[tuple[str, str]] = (), **more: Any,
) -> Asked:  # fmt: skip
    """Make a conversation of what was said ``earlier``, elsewhere, a question and its empty answer;
    ``more``: further values of its row. The caller holds its owner."""
    now, question = datetime.now(UTC), len(earlier) + 1
    listed = Listed(uuid4(), title, now, True)
    values = {
        "id": listed.id, "owner_id": owner.id, "title": title, "created_at": now,
        "last_message_at": now, "message_count": question + 1, "head": question + 1,
    }  # fmt: skip
    connection.execute(BEGIN, values | more)
    if earlier:
        add_earlier(connection, owner, listed.id, earlier, now)
    asked = add_exchange(
        connection, owner, listed, len(earlier) or None, question, text, request_id, process_id,
        now,
    )  # fmt: skip
    changes.note(connection, owner.id, listed.id)
    return asked


def add_next(
    connection: Connection, owner: Owner, conversation: AnyRow, follows: int | None, text: str,
    request_id: UUID, process_id: UUID, earlier: Sequence[tuple[str, str]] = (),
) -> Asked:  # fmt: skip
    """Add a question behind ``follows`` to a conversation that the caller holds, and its empty
    answer, and show them; before them what was said ``earlier``, elsewhere, where it is empty."""
    now = datetime.now(UTC)
    title = titles.with_question(connection, conversation, first_said(earlier, text))
    if earlier:
        add_earlier(connection, owner, conversation.id, earlier, now)
    asked = add_exchange(
        connection, owner, Listed(conversation.id, title, now, True), len(earlier) or follows,
        conversation.message_count + len(earlier) + 1, text, request_id, process_id, now,
    )  # fmt: skip
    grow(connection, owner, conversation.id, asked.answer, now)
    return asked


def first_said(earlier: Sequence[tuple[str, str]], text: str) -> str:
    """The first question, whose words are a conversation's first title."""
    return next((said for role, said in earlier if role == "user"), text)


def add_exchange(
    connection: Connection, owner: Owner, conversation: AnyRow | Listed, parent: int | None,
    question: int, text: str, request_id: UUID, process_id: UUID, now: datetime,
) -> Asked:  # fmt: skip
    """Add a question at the position ``question`` behind ``parent``, and its empty answer."""
    answer_id = _add(
        connection, owner, conversation.id, now,
        _question(question, parent, text, request_id), _answer(question + 1, question, process_id),
    )  # fmt: skip
    listed = Listed(conversation.id, conversation.title, now, True)
    return Asked(
        listed, parent, question, text, question + 1, answer_id, True, process_id, now,
        request_id=request_id,
    )  # fmt: skip


def add_earlier(
    connection: Connection, owner: Owner, conversation_id: UUID,
    earlier: Sequence[tuple[str, str]], now: datetime,
) -> None:  # fmt: skip
    """Add what was said elsewhere before a new conversation: role and text, oldest first."""
    rows = [
        {"position": position, "parent": position - 1 or None, "role": role, "status": "complete",
         "content": text, "request_id": None, "process_id": None}
        for position, (role, text) in enumerate(earlier, 1)
    ]  # fmt: skip
    _add(connection, owner, conversation_id, now, *rows)


def add_answer(
    connection: Connection, owner: Owner, conversation: AnyRow, question: AnyRow,
    request_id: UUID, process_id: UUID, now: datetime, begins_with: str = "",
) -> Asked:  # fmt: skip
    """Add another answer to a question, and show it."""
    answer = conversation.message_count + 1
    answer_id = _add(
        connection, owner, conversation.id, now,
        _answer(answer, question.position, process_id) | {"request_id": request_id},
    )  # fmt: skip
    if begins_with:
        pieces.add(connection, process_id, [Piece(answer_id, 0, begins_with)])
    grow(connection, owner, conversation.id, answer, now)
    return Asked(
        Listed(conversation.id, conversation.title, now, True), question.parent, question.position,
        question.content, answer, answer_id, True, process_id, now, begins_with,
        request_id,
    )  # fmt: skip


def grow(
    connection: Connection, owner: Owner, conversation_id: UUID, head: int, now: datetime
) -> None:
    """Count the messages that were added up to ``head``, and show their branch."""
    connection.execute(
        GROWN,
        {"conversation": conversation_id, "message_count": head, "head": head,
         "last_message_at": now},
    )  # fmt: skip
    changes.note(connection, owner.id, conversation_id)


def _question(position: int, parent: int | None, text: str, request_id: UUID) -> dict[str, Any]:
    return {"position": position, "parent": parent, "role": "user", "status": "complete",
            "content": text, "request_id": request_id, "process_id": None}  # fmt: skip


def _answer(position: int, parent: int, process_id: UUID) -> dict[str, Any]:
    return {"position": position, "parent": parent, "role": "assistant", "status": "streaming",
            "content": "", "request_id": None, "process_id": process_id}  # fmt: skip


def _add(
    connection: Connection, owner: Owner, conversation_id: UUID, now: datetime,
    *messages: dict[str, Any],
) -> int:  # fmt: skip
    """:returns: the id of the last message, which is the answer"""
    common = {"owner_id": owner.id, "conversation_id": conversation_id, "created_at": now,
              "details": {}}  # fmt: skip
    rows = [message | common for message in messages]
    return connection.execute(ADD, rows).scalars().all()[-1]
