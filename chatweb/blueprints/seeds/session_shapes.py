"""The shapes of the chat bot's front end."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import Meta, Struct

from chatweb.blueprints.api import shapes
from chatweb.blueprints.api.shapes import Limit, Text, Time, Title

FARTHEST = 100_000

Offset = Annotated[
    int, Meta(ge=0, le=FARTHEST, description="How many to pass over before the first one.")
]
Sender = Literal["user", "bot", "system"]
SENDERS: dict[str, Sender] = {"user": "user", "assistant": "bot", "system": "system"}


class SessionId(Struct):
    session_id: UUID


class Session(Struct):
    """A conversation, in the words of the chat bot."""

    id: UUID
    title: str
    metadata: dict[str, Any]
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(row.id, row.title, {}, row.created_at, row.last_message_at)


class Sessions(Struct):
    """A page of a list, those with the newest messages first; `total` counts all of them."""

    sessions: list[Session]
    total: int
    limit: int
    offset: int


class MakeSession(Struct):
    title: Title | None = None


class RenameSession(Struct):
    title: Title


class PassOver(Struct):
    limit: Limit = 50
    offset: Offset = 0


class SessionMessage(Struct):
    """One utterance. `id` is the conversation and the position in it. `metadata` has the `status`,
    and of an answer what is known of it: model, tokens, times, citations, why it failed."""

    id: str
    session_id: UUID
    sender: Sender
    content: str
    metadata: dict[str, Any]
    created_at: Time

    @classmethod
    def of(cls, session_id: UUID, message: shapes.Message) -> Self:
        known = message.metadata | {"status": message.status}
        if message.citations:
            known["citations"] = message.citations
        return cls(
            f"{session_id}/{message.position}", session_id, SENDERS[message.role], message.text,
            known, message.created_at,
        )  # fmt: skip


class SessionMessages(Struct):
    """A page of all messages, other tries too, oldest first."""

    session_id: UUID
    messages: list[SessionMessage]
    total: int
    limit: int
    offset: int


class HistoryLimit(Struct):
    limit: Limit = 50


class Said(Struct):
    type: Literal["message"]
    sender: Sender
    content: str

    @classmethod
    def of(cls, message: shapes.Message) -> Self:
        return cls("message", SENDERS[message.role], message.text)


class SessionHistory(Struct):
    """The newest messages of what the page shows, oldest first."""

    session_id: UUID
    messages: list[Said]
    count: int


class Send(Struct):
    """A message of the person. `Idempotency-Key` makes it safe to send again."""

    content: Text


class Sent(Struct):
    """The message, kept, and the answer, which is being written: `GET` of the address `stream`
    follows it, as events of `{offset, text}`."""

    message: SessionMessage
    answer: SessionMessage
    position: int
    stream: str
