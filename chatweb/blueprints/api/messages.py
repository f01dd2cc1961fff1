"""``/api/v1/conversations/<id>/messages``: asking, reading, waiting, following, stopping."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from chatweb import replies
from chatweb.blueprints import following, htmx
from chatweb.blueprints.access import PROGRAMS, open_to, owner
from chatweb.blueprints.api.described import Events, described, request_id
from chatweb.blueprints.api.shapes import (
    Ask,
    AskAgain,
    Exchange,
    Follow,
    ListMessages,
    Message,
    Messages,
    Piece,
    ReadMessage,
    Stop,
)
from chatweb.blueprints.api.streams import Telling
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.services import answers, conversations, questions
from chatweb.services import messages as service
from chatweb.services.asking import Asked
from chatweb.services.conversations import TO_THE_END
from chatweb.services.errors import Invalid, TooMany

blueprint = Blueprint(
    "api_messages", __name__, url_prefix="/api/v1/conversations/<uuid:conversation_id>/messages"
)

ASKED = {201: Exchange, 200: Exchange}


@blueprint.get("")
@open_to(PROGRAMS)
@described(
    "List messages of all branches, or of one, newest first",
    query=ListMessages, gives={200: Messages},
)  # fmt: skip
def listed(conversation_id: UUID, query: ListMessages) -> Messages:
    conversations.find(owner(), conversation_id)
    if query.branch is not None:
        return on_branch(conversation_id, query)
    rows, more = service.between(
        conversation_id, query.after or 0,
        TO_THE_END if query.before is None else query.before, query.limit,
        oldest_first=query.order == "oldest",
    )  # fmt: skip
    return Messages(Message.all_of(rows), None if more is None else str(more))


def on_branch(conversation_id: UUID, query: ListMessages) -> Messages:
    """What leads to a message.

    :raises Invalid: asked for in another way than from the newest backwards
    """
    if query.after is not None or query.order != "newest":
        raise Invalid("A branch is read from its newest message on: use `before` only.")
    end = query.branch
    if end:
        service.find(owner(), conversation_id, end)
    if query.before is not None:
        end = service.find(owner(), conversation_id, query.before).parent
    page = service.shown(conversation_id, end or 0, query.limit)
    items = Message.all_of(reversed(page.messages))
    return Messages(items, None if page.older is None else str(page.older))


@blueprint.post("")
@open_to(PROGRAMS)
@described(
    "Ask a question; answered as soon as it is kept, while the answer is being written",
    takes=Ask, gives=ASKED, refuses=(409, 429),
)  # fmt: skip
def ask(conversation_id: UUID, body: Ask) -> Any:
    asked = questions.ask(
        owner(), conversation_id, body.text, longest(), request_id(body.request_id),
        replies.awake(), allowance(), parent=body.parent,
    )  # fmt: skip
    return begun(asked)


@blueprint.post("/<int:position>/retry")
@open_to(PROGRAMS)
@described(
    "Ask for another answer to the same question, a sibling of this one",
    takes=AskAgain, gives=ASKED, refuses=(409, 429),
)  # fmt: skip
def retry(conversation_id: UUID, position: int, body: AskAgain) -> Any:
    return begun(again(conversation_id, position, body))


@blueprint.post("/<int:position>/continue")
@open_to(PROGRAMS)
@described(
    "Let an answer that was cut short go on, in a sibling that begins with its text",
    takes=AskAgain, gives=ASKED, refuses=(409, 429),
)  # fmt: skip
def go_on(conversation_id: UUID, position: int, body: AskAgain) -> Any:
    return begun(again(conversation_id, position, body, goes_on=True))


def again(conversation_id: UUID, position: int, body: AskAgain, goes_on: bool = False) -> Asked:
    return questions.retry(
        owner(), conversation_id, position, request_id(body.request_id), replies.awake(),
        allowance(), goes_on=goes_on,
    )  # fmt: skip


def begun(asked: Asked) -> tuple[Exchange, int]:
    replies.start(asked)
    rows = service.read(asked.conversation_id, [asked.question, asked.answer])
    question, answer = Message.all_of(sorted(rows, key=lambda row: row.position))
    return Exchange(question, answer), 201 if asked.is_new else 200


@blueprint.get("/<int:position>")
@open_to(PROGRAMS)
@described(
    "Read a message, or wait for the end of an answer",
    query=ReadMessage, gives={200: Message, 304: None}, may_be_known=True,
)  # fmt: skip
def read(conversation_id: UUID, position: int, query: ReadMessage) -> Message:
    row = service.find(owner(), conversation_id, position)
    if query.wait and row.status == "streaming":
        # Where there is no place to wait, what there is yet is told at once.
        with suppress(TooMany), replies.place_to_wait(owner()):
            replies.wait(row.id, query.wait)
        row = service.find(owner(), conversation_id, position)
    return Message.of(row)


@blueprint.get("/<int:position>/stream")
@open_to(PROGRAMS)
@described(
    "Follow an answer: events of `{offset, text}`, at last the event `done` with the message",
    query=Follow, gives={200: Events({"message": Piece, "done": Message | None})},
)  # fmt: skip
def stream(conversation_id: UUID, position: int, query: Follow) -> Response:
    row = service.find(owner(), conversation_id, position)
    after = htmx.last_event_id()  # of the header, or `after`
    return following.stream(Telling(owner(), row), row, after)


@blueprint.post("/<int:position>/stop")
@open_to(PROGRAMS)
@described(
    "Stop an answer; what there is of it is kept", takes=Stop, gives={200: Message}, once=False
)
def stop(conversation_id: UUID, position: int, body: Stop) -> Message:
    service.find(owner(), conversation_id, position)
    request = answers.request_stop(owner(), conversation_id, position, body.seen)
    if request:
        replies.stop(request.id, request.stop_at)
    return Message.of(service.find(owner(), conversation_id, position))
