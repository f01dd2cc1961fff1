"""The shapes of the book assistant's front end."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import Meta, Struct

from chatweb.blueprints.api import shapes
from chatweb.blueprints.api.shapes import Limit, Text, Time
from chatweb.services.chapters import LONGEST_NAME

Chapter = Annotated[
    str,
    Meta(
        description=f"A chapter's name, at most {LONGEST_NAME} characters.",
        examples=["3. Sensors"],
    ),
]
Session = Annotated[
    str, Meta(description="The secret UUID that the browser made: as `X-Session-ID`.")
]


class AskAgent(Struct):
    """A question about a chapter, or about none. `Idempotency-Key` makes it safe to send again."""

    message: Text | None = None
    question: Annotated[str, Meta(description="As `message`.")] | None = None
    query: Annotated[str, Meta(description="As `message`.")] | None = None
    chapter: Chapter | None = None

    @property
    def text(self) -> str:
        return self.message or self.question or self.query or ""


class AgentMessage(Struct):
    """One utterance. `id` is the conversation and the position in it."""

    id: str
    role: Literal["system", "user", "assistant"]
    content: str
    chapter: str | None
    citations: list[dict[str, Any]]
    created_at: Time
    status: Literal["complete", "streaming", "stopped", "interrupted", "failed"]

    @classmethod
    def of(cls, row: Any, chapter: str | None) -> Self:
        message = shapes.Message.of(row)
        return cls(
            f"{row.conversation_id}/{message.position}", message.role, message.text,
            chapter or None, message.citations, message.created_at, message.status,
        )  # fmt: skip


class AgentAnswer(Struct):
    """An answer that has ended, whole. `answer` and `citations` are those of `message`."""

    session_id: UUID | None
    chapter: str | None
    message: AgentMessage
    answer: str
    citations: list[dict[str, Any]]


class ReadHistory(Struct):
    session_id: Session | None = None
    chapter: Annotated[Chapter, Meta(description="All chapters, where none is named.")] | None = (
        None
    )
    limit: Limit = 100


class ClearHistory(Struct):
    session_id: Session | None = None
    chapter: Annotated[Chapter, Meta(description="All chapters, where none is named.")] | None = (
        None
    )


class BookHistory(Struct):
    """The newest messages of a chapter or of all, oldest first."""

    session_id: UUID | None
    chapter: str | None
    messages: list[AgentMessage]


class Cleared(Struct):
    """How many messages were deleted."""

    deleted: int


class Persistence(Struct):
    """Whether what is said can be kept, and why not."""

    available: bool
    database: str
    reason: str | None
