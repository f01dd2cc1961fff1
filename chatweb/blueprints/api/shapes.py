"""The shapes of what programs send and get: what is checked, described and answered alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from chatweb import replies
from chatweb.services import messages

Title = Annotated[str, Meta(description="One line, cut at 120 characters.", examples=["The sky"])]
Status = Literal["active", "archived", "closed"]
Limit = Annotated[int, Meta(ge=1, le=100, description="Most items in the answer.")]
Position = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Time = Annotated[datetime, Meta(tz=True)]
Text = Annotated[
    str,
    Meta(
        description="The question: at least one visible character, at most MAX_MESSAGE_CHARS.",
        examples=["Why is the sky blue?"],
    ),
]
RequestId = Annotated[
    UUID,
    Meta(
        description="Made by the program for this request: sent again, it changes nothing and gives"
        " the same. `Idempotency-Key` may be used instead."
    ),
]


class Conversation(Struct):
    """A thread of messages. `head`: position of the newest message of the branch that is shown."""

    id: UUID
    title: str
    status: Status
    pinned: bool
    message_count: int
    head: int
    created_at: Time
    last_message_at: Time

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(
            row.id, row.title, row.status, row.pinned, row.message_count, row.head, row.created_at,
            row.last_message_at,
        )  # fmt: skip


class Conversations(Struct):
    """A page of a list; `next` is what to send as `before` for the page after it."""

    items: list[Conversation]
    next: str | None


class MakeConversation(Struct):
    """A new conversation, which may have a title from the beginning."""

    title: Title | None = None
    request_id: RequestId | None = None


class ChangeConversation(Struct):
    """What is to be changed; what is left out stays."""

    title: Title | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET


class ListConversations(Struct):
    limit: Limit = 50
    before: Annotated[str, Meta(description="`next` of the page before.")] | None = None
    status: Status | None = None


class Message(Struct):
    """One utterance. Its address is its position; `parent` is the position it follows, so messages
    of one parent are siblings: other tries. `text` of a `streaming` answer is what there is yet."""

    position: int
    parent: int | None
    role: Literal["system", "user", "assistant"]
    text: str
    status: Literal["complete", "streaming", "stopped", "interrupted", "failed"]
    created_at: Time
    request_id: UUID | None
    metadata: dict[str, Any]
    citations: list[dict[str, Any]]

    @classmethod
    def of(cls, row: Any) -> Self:
        text = row.content
        if row.status == "streaming" and not (text := replies.text_so_far(row.id)):
            # It may have ended since the row was read.
            row = next(iter(messages.read(row.conversation_id, [row.position])), row)
            text = row.content
        known = dict(row.details)
        citations = known.pop("citations", [])
        return cls(
            row.position, row.parent, row.role, text, row.status, row.created_at, row.request_id,
            known, citations,
        )  # fmt: skip

    @classmethod
    def all_of(cls, rows: Iterable[Any]) -> list[Self]:
        return [cls.of(row) for row in rows]


class Messages(Struct):
    """A page of a list; `next` is where the page after it begins: to be sent as `before`, or as
    `after` where the oldest come first."""

    items: list[Message]
    next: str | None


class ListMessages(Struct):
    limit: Limit = 50
    before: Annotated[Position, Meta(description="Only messages before this position.")] | None = (
        None
    )
    after: Annotated[Position, Meta(description="Only messages after this position.")] | None = None
    order: Literal["newest", "oldest"] = "newest"
    branch: (
        Annotated[
            Position,
            Meta(
                description="Only messages that lead to this one, newest first; a conversation's"
                " `head` gives what its page shows."
            ),
        ]
        | None
    ) = None


class Ask(Struct):
    """A question. It follows the newest message of the branch that is shown, or `parent`: an
    answer, or 0 for a first question."""

    text: Text
    request_id: RequestId | None = None
    parent: Position | None = None


class Exchange(Struct):
    """A question and its answer, both kept; the answer is being written, unless it has ended."""

    question: Message
    answer: Message


class AskAgain(Struct):
    request_id: RequestId | None = None


class Stop(Struct):
    seen: Annotated[Position, Meta(description="Keep only so many characters.")] | None = None


class ReadMessage(Struct):
    wait: Annotated[
        float,
        Meta(
            ge=0, le=60,
            description="Seconds to wait for the end of the answer. Sooner, where many wait.",
        ),
    ] = 0  # fmt: skip


class Follow(Struct):
    after: Annotated[
        Position,
        Meta(description="Characters that are known already. `Last-Event-ID` says the same."),
    ] = 0


class Piece(Struct):
    """What is new of an answer's text, and how many characters come before it."""

    offset: int
    text: str


class Search(Struct):
    q: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            description="Words, all of which are in a message; the last may be a beginning.",
        ),
    ]
    limit: Limit = 50
    before: Annotated[str, Meta(description="`next` of the page before.")] | None = None


class Found(Struct):
    """A message with the words that were looked for, and the part of its text where they are."""

    conversation_id: UUID
    title: str
    position: int
    role: Literal["user", "assistant"]
    created_at: Time
    snippet: str


class Finds(Struct):
    items: list[Found]
    next: str | None


class Error(Struct):
    """What is wrong: a word for programs, a sentence for people, the number in the server's log,
    and what is wrong with which field."""

    code: str
    message: str
    request_id: str
    fields: dict[str, str] | UnsetType = UNSET


class Refusal(Struct):
    error: Error
