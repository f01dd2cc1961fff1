"""``/v1/chat/completions`` and ``/v1/models``, for those who hold a token."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from flask import Blueprint, Response, after_this_request, current_app, request

from chatweb import replies
from chatweb.blueprints import following, waiting
from chatweb.blueprints.access import HOLDERS, open_to, owner
from chatweb.blueprints.api.described import EVENTS, described, request_id
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.openai.answers import NO_ANSWER, Telling, completion, model_name
from chatweb.blueprints.openai.shapes import Complete, Completion, Model, Models, StreamOptions
from chatweb.blueprints.programs import AGAIN, CONVERSATION
from chatweb.services import messages, questions, transcripts
from chatweb.services.asking import Asked
from chatweb.services.errors import Invalid, ModelFailed, NotFound

blueprint = Blueprint("openai", __name__, url_prefix="/v1")


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
    headers={CONVERSATION: "The conversation that the question belongs to."},
)  # fmt: skip
def complete(body: Complete) -> Any:
    if body.model != model_name():
        raise Invalid("There is no such model here: see /v1/models.", {"model": "no such model"})
    question = sent(body)
    asked = questions.known(
        owner(), question.conversation_id, question.said.question, question.request_id,
        question.said.earlier,
    )  # fmt: skip
    if body.stream:
        return stream(begun(asked or ask(question)), body.stream_options or StreamOptions())
    if asked and not asked.streaming:
        return completion(ended(begun(asked)))
    # Before anything is kept: who is refused has asked nothing.
    with replies.place_to_wait(owner()):
        return completion(ended(begun(asked or ask(question))))


def stream(row: Any, options: StreamOptions) -> Response:
    telling = Telling(owner(), row, with_usage=options.include_usage)
    response = following.stream(telling, row, None)
    response.response = telling.whole(response.response)  # type: ignore[arg-type]
    return response


def begun(asked: Asked) -> Any:
    """The answer, which is being written; what answers the request says where it is kept."""
    after_this_request(partial(tell_where, asked))
    replies.start(asked)
    return messages.find(owner(), asked.conversation_id, asked.answer)


def tell_where(asked: Asked, response: Response) -> Response:
    """Name the conversation. The question is kept whatever the answer says: without this, OpenAI's
    own clients ask it again by themselves, twice, where they are told of an error."""
    response.headers[CONVERSATION] = str(asked.conversation_id)
    if response.status_code >= 400:
        response.headers[AGAIN] = "false"
    return response


class Sent(NamedTuple):
    """A question with what was said before, its request, and the conversation that is named."""

    said: transcripts.Transcript
    request_id: UUID
    conversation_id: UUID | None


def sent(body: Complete) -> Sent:
    said = transcripts.read(
        [(each.speaker, each.text) for each in body.messages], longest(),
        current_app.extensions["settings"].max_answer_chars,
    )  # fmt: skip
    return Sent(said, request_id(None), named(body))


def ask(question: Sent) -> Asked:
    said, id, conversation_id = question
    here, may = replies.awake(), allowance()
    if conversation_id is None:
        return questions.begin(owner(), said.question, longest(), id, here, may, said.earlier)
    return questions.ask(
        owner(), conversation_id, said.question, longest(), id, here, may,
        parent=transcripts.place(owner(), conversation_id, said.before), earlier=said.earlier,
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
