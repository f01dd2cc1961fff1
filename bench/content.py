"""What is in the databases that are measured: one visitor's conversations among many others'."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Connection,
    Integer,
    String,
    cast,
    column,
    func,
    insert,
    literal,
    null,
    select,
    values,
)

from bench import load
from bench.places import application
from chatweb.database import db
from chatweb.models import Conversation, Message
from chatweb.services import owners
from chatweb.services.owners import Owner

QUESTION = "And how does part {number} of it work, with an example?"
ANSWER = """## Part {number}

A function that **calls itself** needs two things: a *base case* that answers at once, and a step
that brings every other case closer to it. See `factorial` below.

- The base case: `n` is 0, the answer is 1.
- The step: everything else is `n` times the answer for `n - 1`.
- The limit: Python stops at about 1,000 calls.

```python
def factorial(n: int) -> int:
    if n == 0:
        return 1
    return n * factorial(n - 1)
```

| n | calls | answer |
| --- | --- | --- |
| 1 | 2 | 1 |
| 5 | 6 | 120 |

What comes back from the last call is multiplied on the way up, so the first call returns last.
"""
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Visitor:
    """Somebody's cookie, and the addresses of a usual and of a very long conversation."""

    token: str
    usual: str
    long: str


def fill(url: str, *, long: int = 0, others: int = 0) -> Visitor:
    """30 conversations of one visitor, the newest with 50 messages of Markdown, one with
    ``long``; and ``others`` messages of other people."""
    token = load.new_token()
    owner = owners.guest(token)
    # Not through chatweb's own `writing`: filling takes longer than a request may.
    with application(url), db.engine.connect().execution_options(writes=True) as connection:
        add_others(connection, others)
        owners.ensure(connection, owner)
        for number in range(28):
            add(connection, owner, f"An earlier conversation, number {number}", 2, number)
        longest = add(connection, owner, "A very long conversation", long or 2, 28)
        usual = add(connection, owner, "Recursion, explained with examples", 50, 29)
        connection.commit()
    return Visitor(token, f"/c/{usual}", f"/c/{longest}")


def add(connection: Connection, owner: Owner, title: str, count: int, minute: int) -> UUID:
    """A conversation of ``count`` messages, questions and answers in turn."""
    at = LONG_AGO + timedelta(minutes=minute)
    conversation: dict[str, Any] = {
        "id": uuid4(), "owner_id": owner.id, "title": title, "message_count": count, "head": count,
        "created_at": at, "last_message_at": at,
    }  # fmt: skip
    connection.execute(insert(Conversation), conversation)
    connection.execute(
        insert(Message),
        [
            {
                "owner_id": owner.id, "conversation_id": conversation["id"], "position": position,
                "parent": position - 1 or None, "role": "user" if position % 2 else "assistant",
                "status": "complete", "created_at": at, "details": {"model": "test-model"},
                "content": (QUESTION if position % 2 else ANSWER).format(number=position),
            }
            for position in range(1, count + 1)
        ],
    )  # fmt: skip
    return conversation["id"]


def add_others(connection: Connection, messages: int, each: int = 20, people: int = 200) -> None:
    """Short messages of other people, ``each`` to a conversation."""
    if not messages:
        return
    guests = [owners.guest(load.new_token()) for _ in range(people)]
    for guest in guests:
        owners.ensure(connection, guest)
    connection.execute(
        insert(Conversation),
        [
            {"id": uuid4(), "owner_id": guests[number % people].id, "title": f"Number {number}",
             "message_count": each, "head": each, "created_at": LONG_AGO,
             "last_message_at": LONG_AGO + timedelta(seconds=number)}
            for number in range(messages // each)
        ],
    )  # fmt: skip
    numbers = values(column("n", Integer), name="numbers").data([(n + 1,) for n in range(each)])
    n = numbers.cte().c.n
    text = literal("What others say about topic ") + cast(n, String) + literal(" of their own")
    columns = {
        "owner_id": Conversation.owner_id, "conversation_id": Conversation.id, "position": n,
        "parent": func.nullif(n - 1, 0), "role": literal("user"), "status": literal("complete"),
        "content": text, "created_at": Conversation.created_at,
        "metadata": literal({}, Message.details.type),
        "request_id": null(), "ended_at": null(), "process_id": null(), "stop_at": null(),
    }  # fmt: skip
    taken = select(*columns.values()).select_from(Conversation).join(n.table, literal(True))
    connection.execute(insert(Message).from_select([*columns], taken, include_defaults=False))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")
