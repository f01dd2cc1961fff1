"""What must hold after every fault (I1 to I8), checked from what people were told and what is kept.

:func:`violations` compares a :class:`History`, written down outside the product while it was
being hurt, with the :class:`Stored` rows read by plain drivers afterwards.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import psycopg2

ACKNOWLEDGED = {200, 303}


@dataclass(frozen=True)
class Send:
    """A question that somebody sent, and what they were told; ``status`` None: nothing at all."""

    owner: str
    request_id: UUID
    text: str
    status: int | None
    conversation: UUID | None = None
    position: int | None = None
    box: str = ""

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

    def one(self, conversation: UUID, position: int) -> Message:
        return next(each for each in self.of(conversation) if each.position == position)


@dataclass
class History:
    """What was seen from outside. ``shown`` are the words that pages showed at last, by address;
    ``kept`` the words that readers had seen long enough before a death to be safe."""

    sends: list[Send] = field(default_factory=list)
    shown: dict[tuple[UUID, int], str] = field(default_factory=dict)
    kept: dict[tuple[UUID, int], str] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    bystanders: Stored | None = None
    log: str = ""
    secrets: list[str] = field(default_factory=list)


def violations(history: History, stored: Stored) -> list[str]:
    """Every invariant that is broken, by name."""
    return [
        *_acknowledged_once(history, stored),
        *_ordered(history, stored),
        *_ended(stored),
        *_shown_is_stored(history, stored),
        *_others_untouched(history, stored),
        *_health_was_true(history),
        *_nothing_secret(history),
        *_still_in_the_box(history),
    ]


def _acknowledged_once(history: History, stored: Stored) -> Iterator[str]:
    rows: dict[UUID | None, list[Message]] = {}
    for message in stored.messages:
        rows.setdefault(message.request_id, []).append(message)
    for send in history.sends:
        found = rows.get(send.request_id, [])
        if len(found) > 1 or (send.acknowledged and not found):
            yield f"I1: {send.text!r} is there {len(found)} times"
        for row in found:
            if row.content != send.text:
                yield f"I1: {send.text!r} became {row.content!r}"
            address = (row.conversation, row.position)
            if send.acknowledged and address != (send.conversation, send.position):
                yield f"I1: {send.text!r} is not where it was said to be"
            if not any(
                each.conversation == row.conversation and each.parent == row.position
                for each in stored.messages
            ):
                yield f"I1: {send.text!r} has no answer, not even a failed one"


def _ordered(history: History, stored: Stored) -> Iterator[str]:
    known = {conversation.id for conversation in stored.conversations}
    if any(message.conversation not in known for message in stored.messages):
        yield "I2: a message belongs to no conversation"
    for conversation in stored.conversations:
        positions = [message.position for message in stored.of(conversation.id)]
        if positions != list(range(1, conversation.message_count + 1)):
            yield f"I2: positions {positions}, but a count of {conversation.message_count}"
        if conversation.head not in [0, *positions]:
            yield f"I2: the head {conversation.head} is no message"
    told: dict[UUID, int] = {}
    done: set[UUID] = set()
    for send in history.sends:
        if send.request_id in done or send.conversation is None or send.position is None:
            continue
        done.add(send.request_id)
        if send.position <= told.get(send.conversation, 0):
            yield f"I2: {send.text!r} is not behind what was sent before it"
        told[send.conversation] = send.position


def _ended(stored: Stored) -> Iterator[str]:
    for message in stored.messages:
        if message.status == "streaming":
            yield f"I3: an answer is still streaming: {message.content[:40]!r}"
    if stored.pieces:
        yield f"I3: {stored.pieces} pieces of ended answers are left"


def _shown_is_stored(history: History, stored: Stored) -> Iterator[str]:
    texts = {(each.conversation, each.position): each.content for each in stored.messages}
    for address, words in history.shown.items():
        if words.split() != texts.get(address, "").split():
            yield f"I4: shown {words[-40:]!r}, stored {texts.get(address, '')[-40:]!r}"
    for address, words in history.kept.items():
        if not texts.get(address, "").startswith(words):
            yield f"I4: {words[-40:]!r} had been seen and is gone"


def _others_untouched(history: History, stored: Stored) -> Iterator[str]:
    before = history.bystanders
    if before and not (
        set(before.conversations) <= set(stored.conversations)
        and set(before.messages) <= set(stored.messages)
    ):
        yield "I5: rows of somebody else have changed"


def _health_was_true(history: History) -> Iterator[str]:
    for report in history.reports:
        if (report.status == 200) != report.well:
            yield f"I6: /health said {report.status} of a database that was well: {report.well}"
        if report.seconds > 2.5:
            yield f"I6: /health took {report.seconds:.1f} s"


def _nothing_secret(history: History) -> Iterator[str]:
    for secret in history.secrets:
        if secret in history.log:
            yield f"I7: the log holds {secret!r}"


def _still_in_the_box(history: History) -> Iterator[str]:
    acknowledged = Counter(send.request_id for send in history.sends if send.acknowledged)
    for send in history.sends:
        # Where the connection broke off the page stays as it is, with what was typed.
        refused = send.status is not None and not send.acknowledged
        if refused and not acknowledged[send.request_id] and send.box != send.text:
            yield f"I8: {send.text!r} was refused ({send.status}) and is not in the box"


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
