"""Rows to test with: plain functions with defaults, through the services where that is possible.

All of them need an app context.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from chatweb.database import reading, writing
from chatweb.database.types import now_seconds
from chatweb.models import Conversation, Login, Message, Process, Token
from chatweb.services import answers, owners, questions
from chatweb.services.answers import Ending
from chatweb.services.asking import Asked
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner

LONGEST = 32_000
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def guest() -> Owner:
    """Somebody who has rows already, but no conversation."""
    owner = owners.guest(owners.new_token())
    with writing() as connection:
        owners.ensure(connection, owner)
        connection.commit()
    return owner


def owner_of(client: FlaskClient) -> Owner:
    """Whoever a browser that has opened a page is. Needs no app context."""
    cookie = client.get_cookie("chatweb")
    assert cookie, "this browser has not opened a page yet"
    return owners.guest(cookie.value)


def process() -> UUID:
    """A server process that is alive."""
    process_id = uuid4()
    answers.beat(process_id)
    return process_id


def silence(process_id: UUID, seconds: float = 1000) -> None:
    """Let a process have been quiet for so long."""
    with writing() as connection:
        connection.execute(
            update(Process)
            .where(Process.id == process_id)
            .values(heartbeat=now_seconds() - seconds)
        )
        connection.commit()


def begun(
    owner: Owner,
    text: str = "Why is the sky blue?",
    *,
    request_id: UUID | None = None,
    process_id: UUID | None = None,
    allowance: Allowance = UNLIMITED,
) -> Asked:
    """A new conversation whose first answer is being written, by nobody."""
    return questions.begin(
        owner, text, LONGEST, request_id or uuid4(), process_id or process(), allowance
    )


def asked(
    owner: Owner,
    conversation_id: UUID,
    text: str = "And why is it red in the evening?",
    *,
    request_id: UUID | None = None,
    process_id: UUID | None = None,
    allowance: Allowance = UNLIMITED,
) -> Asked:
    """One more question whose answer is being written, by nobody."""
    return questions.ask(
        owner, conversation_id, text, LONGEST, request_id or uuid4(), process_id or process(),
        allowance,
    )  # fmt: skip


def ended(
    exchange: Asked,
    text: str = "Because of *scattering*.",
    status: str = "complete",
    **details: Any,
) -> Asked:
    """End the answer of ``exchange``, which must be running."""
    ending = Ending(exchange.answer_id, status, text, details)
    assert exchange.process_id, "this answer has ended already"
    kept = answers.keep(exchange.process_id, [], [ending], heartbeat=False)
    assert kept.ended == {exchange.answer_id}, "this answer had ended already"
    return exchange


def left(*exchanges: Asked) -> dict[int, UUID]:
    """Answers being written, each with its process: what is to be done when that is dead."""
    return {each.answer_id: each.process_id for each in exchanges if each.process_id}


def answered(
    owner: Owner, text: str = "Why is the sky blue?", answer: str = "Scattering."
) -> Asked:
    """A new conversation of one question and its ended answer."""
    return ended(begun(owner, text), answer)


def conversation(owner: Owner, messages: int = 2, *, title: str = "A long talk") -> UUID:
    """A conversation of so many ended messages, question and answer by turns, as plain rows."""
    return conversations(owner, 1, messages=messages, title=title)[0]


def conversations(
    owner: Owner, count: int, *, messages: int = 0, title: str = "Talk"
) -> list[UUID]:
    """Many conversations as plain rows, oldest first, a minute apart; several are numbered."""
    ids = [uuid4() for _ in range(count)]
    spoken = [
        message(owner, id, position, said(position), at=LONG_AGO + timedelta(minutes=number))
        for number, id in enumerate(ids)
        for position in range(1, messages + 1)
    ]
    with writing() as connection:
        owners.ensure(connection, owner)
        connection.execute(
            insert(Conversation),
            [
                {
                    "id": id, "owner_id": owner.id,
                    "title": title if count == 1 else f"{title} {number}",
                    "message_count": messages, "head": messages, "created_at": LONG_AGO,
                    "last_message_at": LONG_AGO + timedelta(minutes=number),
                }
                for number, id in enumerate(ids)
            ],
        )  # fmt: skip
        if spoken:
            connection.execute(insert(Message), spoken)
        connection.commit()
    return ids


def said(position: int) -> str:
    """What :func:`conversations` has at a position."""
    return f"question {position}" if position % 2 else f"answer {position}"


def message(
    owner: Owner,
    conversation_id: UUID,
    position: int,
    content: str,
    *,
    parent: int | None = None,
    role: str | None = None,
    at: datetime = LONG_AGO,
) -> dict[str, Any]:
    """The values of an ended message's row; behind the one before unless ``parent`` says else."""
    return {
        "owner_id": owner.id, "conversation_id": conversation_id, "position": position,
        "parent": parent or position - 1 or None,
        "role": role or ("user" if position % 2 else "assistant"),
        "status": "complete", "content": content, "created_at": at, "ended_at": at, "details": {},
    }  # fmt: skip


def tree(owner: Owner, parents: list[int]) -> UUID:
    """A conversation of plain rows: the message at position n+1 follows the one at parents[n],
    0 for none. Its head is the last one."""
    conversation_id = conversation(owner, 0)
    rows = [
        message(owner, conversation_id, position, f"message {position}")
        | {"parent": parent or None}
        for position, parent in enumerate(parents, start=1)
    ]
    with writing() as connection:
        connection.execute(insert(Message), rows)
        connection.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id)
            .values(message_count=len(rows), head=len(rows))
        )
        connection.commit()
    return conversation_id


def rows(table: type[Any]) -> list[Any]:
    """Everything in a table, oldest first where it has an ``id`` that grows."""
    statement = select(table.__table__)
    if table is Message:
        statement = statement.order_by(Message.conversation_id, Message.position)
    with reading() as connection:
        return list(connection.execute(statement).all())


def set_all(**values: Any) -> None:
    """Give every conversation these values."""
    with writing() as connection:
        connection.execute(update(Conversation).values(**values))
        connection.commit()


def set_token(name: str, **values: Any) -> None:
    """Give every token of this name these values."""
    with writing() as connection:
        connection.execute(update(Token).where(Token.name == name).values(**values))
        connection.commit()


def end_logins() -> None:
    """Revoke every login."""
    with writing() as connection:
        connection.execute(update(Login).values(revoked_at=LONG_AGO))
        connection.commit()
