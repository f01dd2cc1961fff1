"""``/v1/chat/completions`` and ``/v1/models``, for those who hold a token."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, after_this_request, request

from chatweb import replies
from chatweb.blueprints import following, waiting
from chatweb.blueprints.access import HOLDERS, open_to, owner
from chatweb.blueprints.api.described import EVENTS, described, request_id
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.openai.answers import NO_ANSWER, Telling, completion, model_name
from chatweb.blueprints.openai.shapes import Complete, Completion, Model, Models
from chatweb.services import messages, questions, transcripts
from chatweb.services.asking import Asked
from chatweb.services.errors import Invalid, ModelFailed, NotFound

blueprint = Blueprint("openai", __name__, url_prefix="/v1")

CONVERSATION = "X-Conversation-ID"


@blueprint.get("/models")
@open_to(HOLDERS)
@described("List the models: this site has one", gives={200: Models})
def models() -> Models:
    return Models([Model(model_name())])


@blueprint.get("/models/<path:name>")
@open_to(HOLDERS)
@described("Read a model", gives={200: Model})
def model(name: str) -> Model:
    if name != model_name():
        raise NotFound
    return Model(name)


@blueprint.post("/chat/completions")
@open_to(HOLDERS)
@described(
    "Ask, as programs of OpenAI's protocol do; the conversation is kept",
    takes=Complete, gives={200: (Completion, EVENTS)}, refuses=(404, 409, 429, 502),
)  # fmt: skip
def complete(body: Complete) -> Any:
    if body.model != model_name():
        raise Invalid("There is no such model here: see /v1/models.", {"model": "no such model"})
    if body.stream:
        row = begun(body)
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        return following.stream(Telling(owner(), row, with_usage=with_usage), row, None)
    # Before anything is kept: who is refused has asked nothing.
    with replies.place_to_wait(owner()):
        return completion(ended(begun(body)))


def begun(body: Complete) -> Any:
    """The answer, which is being written; what answers the request says where it is kept."""
    asked = ask(body)
    replies.start(asked)

    @after_this_request
    def tell(response: Response) -> Response:
        response.headers[CONVERSATION] = str(asked.conversation_id)
        return response

    return messages.find(owner(), asked.conversation_id, asked.answer)


def ask(body: Complete) -> Asked:
    transcript = transcripts.read([(each.speaker, each.text) for each in body.messages])
    id, here, may = request_id(None), replies.awake(), allowance()
    conversation_id = named(body)
    if conversation_id is None:
        return questions.begin(
            owner(), transcript.question, longest(), id, here, may, transcript.earlier
        )
    return questions.ask(
        owner(), conversation_id, transcript.question, longest(), id, here, may,
        parent=transcripts.place(owner(), conversation_id, transcript.before),
    )  # fmt: skip


def named(body: Complete) -> UUID | None:
    """The conversation that a question belongs to.

    :raises NotFound: what names it cannot be one
    """
    name = request.headers.get(CONVERSATION) or (body.metadata or {}).get("conversation_id")
    try:
        return UUID(name) if name else None
    except ValueError:
        raise NotFound from None


def ended(row: Any) -> Any:
    """An answer at its end.

    :raises ModelFailed: it has none
    """
    row = waiting.to_the_end(row)
    if row.status in {"streaming", "failed", "interrupted"}:
        raise ModelFailed(row.details.get("reason") or NO_ANSWER)
    return row
