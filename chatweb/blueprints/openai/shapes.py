"""The shapes of OpenAI's chat completions, as far as they mean something here.

What clients send besides (temperature and the like) is not looked at: how the model is asked is the
site's matter. What would make an answer another thing than a text is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MOST_MESSAGES = 1000


class TextPart(Struct):
    type: Literal["text"]
    text: str


class CompletionMessage(Struct):
    """One message of a conversation so far."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    @property
    def speaker(self) -> str:
        """As our roles; the developer is the system of newer models."""
        return "system" if self.role == "developer" else self.role

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(Struct):
    include_usage: bool = False


class ResponseFormat(Struct):
    type: Literal["text"] = "text"


class Complete(Struct):
    """A question with what was said before. `metadata.conversation_id` (or the header
    `X-Conversation-ID`) names the conversation it belongs to; without it a new one is made."""

    model: Annotated[str, Meta(description="As `GET /v1/models` names it.")]
    messages: Annotated[list[CompletionMessage], Meta(min_length=1, max_length=MOST_MESSAGES)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    metadata: dict[str, str] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = 1
    tools: Annotated[list[Any], Meta(max_length=0)] | None = None
    functions: Annotated[list[Any], Meta(max_length=0)] | None = None
    response_format: ResponseFormat | None = None
    modalities: list[Literal["text"]] | None = None


class Answered(Struct):
    role: Literal["assistant"]
    content: str
    refusal: None = None


class Choice(Struct):
    index: int
    message: Answered
    finish_reason: str
    logprobs: None = None


class Usage(Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(Struct):
    """An answer. `metadata` names the conversation and the position where it is kept."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None
    metadata: dict[str, str]


class Model(Struct):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "chatweb"


class Models(Struct):
    data: list[Model]
    object: Literal["list"] = "list"
