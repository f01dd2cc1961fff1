"""What people were told while the product was being hurt, and what its database holds.

Written down outside the product and read by plain drivers; ``tests.faults.invariants`` judges them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import psycopg2

ACKNOWLEDGED = {200, 201, 303}


@dataclass(frozen=True)
class Send:
    """Something that somebody sent, and what they were told; ``status`` None: nothing at all.

    A question, if it has a ``text``: then ``position`` is the question's, and if it asks one in
    other words, ``sibling_of`` is that one's. Without a text it asks for another answer, a sibling
    of the one at ``sibling_of``, which ``goes_on`` where that was cut. Times are
    ``time.monotonic``'s.
    """

    owner: str
    request_id: UUID
    text: str
    status: int | None
    conversation: UUID | None = None
    position: int | None = None
    box: str = ""
    sibling_of: int | None = None
    goes_on: bool = False
    began: float = 0.0
    told: float = 0.0

    @property
    def acknowledged(self) -> bool:
        return self.status in ACKNOWLEDGED


class Report(NamedTuple):
    """What /health said, after how many seconds, and whether the database was well."""

    well: bool
    status: int
    seconds: float


class Message(NamedTuple):
    """A row of ``message``."""

    id: int
    conversation: UUID
    position: int
    parent: int | None
    role: str
    status: str
    content: str
    request_id: UUID | None


class Conversation(NamedTuple):
    """A row of ``conversation``."""

    id: UUID
    owner: UUID
    title: str
    status: str
    message_count: int
    head: int


@dataclass
class Stored:
    """What the database holds."""

    conversations: list[Conversation]
    messages: list[Message]
    pieces: int = 0

    def of(self, conversation: UUID) -> list[Message]:
        """The messages of one conversation, in order."""
        return sorted(
            (each for each in self.messages if each.conversation == conversation),
            key=lambda each: each.position,
        )

    def by_conversation(self) -> dict[UUID, list[Message]]:
        """All of them, in order."""
        found: dict[UUID, list[Message]] = {}
        for message in sorted(self.messages, key=lambda each: each.position):
            found.setdefault(message.conversation, []).append(message)
        return found

    def one(self, conversation: UUID, position: int) -> Message:
        return next(each for each in self.of(conversation) if each.position == position)


@dataclass
class History:
    """What was seen from outside. ``shown`` are the words that pages showed at last, by address;
    ``told`` those that readers had when they were told the end of an answer;
    ``kept`` the words that readers had seen long enough before a death to be safe; ``ways`` the
    positions that pages showed of a branch, by its end; ``whole`` the whole answers to questions,
    by their texts."""

    sends: list[Send] = field(default_factory=list)
    shown: dict[tuple[UUID, int], str] = field(default_factory=dict)
    told: list[tuple[tuple[UUID, int], str]] = field(default_factory=list)
    kept: dict[tuple[UUID, int], str] = field(default_factory=dict)
    ways: dict[tuple[UUID, int], list[int]] = field(default_factory=dict)
    whole: dict[str, str] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    bystanders: Stored | None = None
    log: str = ""
    secrets: list[str] = field(default_factory=list)


def stored(database_url: str) -> Stored:
    """All rows that matter, by a connection of our own."""
    with contextlib.closing(_connected(database_url)) as connection:

        def rows(statement: str) -> list[tuple[Any, ...]]:
            cursor = connection.cursor()
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

        conversations = [
            Conversation(_uuid(id), _uuid(owner), *rest)
            for id, owner, *rest in rows(
                "SELECT id, owner_id, title, status, message_count, head FROM conversation"
            )
        ]
        messages = [
            Message(id, _uuid(conversation), *rest, request_id and _uuid(request_id))
            for id, conversation, *rest, request_id in rows(
                "SELECT id, conversation_id, position, parent, role, status, content, request_id"
                " FROM message ORDER BY id"
            )
        ]
        ((pieces,),) = rows(
            "SELECT count(*) FROM reply_piece JOIN message ON message.id = message_id"
            " WHERE status <> 'streaming'"
        )
    return Stored(conversations, messages, pieces)


def _connected(database_url: str) -> Any:
    if database_url.startswith("sqlite:///"):
        path = database_url.removeprefix("sqlite:///")
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    return psycopg2.connect(database_url, connect_timeout=10)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
