"""An answer in progress: following it, stopping it, asking for another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from chatweb import replies
from chatweb.blueprints import articles, forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.chat import composer
from chatweb.blueprints.side import current_row
from chatweb.rendering.growing import Growing
from chatweb.services import answers as answers_service
from chatweb.services import conversations, messages, questions
from chatweb.services.owners import Owner

answers = Blueprint("answers", __name__, url_prefix="/c/<uuid:conversation_id>/messages")


@answers.get("/<int:position>/stream")
@open_to(OWNERS)
def stream(conversation_id: UUID, position: int) -> Response:
    message = messages.find(owner(), conversation_id, position)
    return htmx.event_stream(events(owner(), message, htmx.last_event_id()))


def events(owner: Owner, message: Any, after: int | None) -> Iterator[str]:
    """What brings a page from the block at ``after`` to the end of an answer."""
    state = Growing(message.position, after)
    for glimpse in glimpses(message):
        if glimpse.text is None:
            yield htmx.SIGN_OF_LIFE
        elif not glimpse.ended:
            if change := state.update(glimpse.text):
                yield htmx.event(change, id=state.offset)
        else:
            change = state.finish(glimpse.text) or ""
            yield htmx.event(change + render_ended(owner, message))
            yield htmx.event("", name="done")


def glimpses(message: Any) -> Iterator[replies.Glimpse]:
    if message.status != "streaming":
        yield replies.Glimpse(message.content, True)
        return
    with replies.watching(message.id) as live:
        yield from live.follow()


def render_ended(owner: Owner, message: Any) -> str:
    """What else changes on the page when an answer has ended."""
    conversation = conversations.find(owner, message.conversation_id)
    ended = messages.find(owner, message.conversation_id, message.position)
    return render_template(
        "chat/_ended.html", conversation=conversation, message=articles.foot(ended),
        row=current_row(conversation), composer=composer(conversation.id),
    )  # fmt: skip


@answers.post("/<int:position>/stop")
@open_to(OWNERS)
def stop(conversation_id: UUID, position: int) -> AnyResponse | str:
    message = messages.find(owner(), conversation_id, position)
    request = answers_service.request_stop(
        owner(), conversation_id, position, forms.whole_number("seen")
    )
    if request:
        replies.stop(request.id, request.stop_at)
    if not htmx.wants_fragment():
        return back_to(conversation_id, position)
    message = messages.find(owner(), conversation_id, position)
    # One that has not ended yet, because the database is slow, tells its end by its stream.
    return Response(status=204) if message.status == "streaming" else render_ended(owner(), message)


@answers.post("/<int:position>/retry")
@open_to(OWNERS)
def retry(conversation_id: UUID, position: int) -> AnyResponse | str:
    asked = questions.retry(owner(), conversation_id, position, forms.request_id(), replies.awake())
    replies.start(asked)
    if not htmx.wants_fragment():
        return back_to(conversation_id, asked.answer)
    return render_template(
        "chat/_retried.html", conversation=asked.conversation, message=articles.begun(asked),
        row=current_row(asked.conversation), composer=composer(conversation_id, asked.answer),
    )  # fmt: skip


def back_to(conversation_id: UUID, position: int) -> AnyResponse:
    address = url_for("chat.page", conversation_id=conversation_id)
    return redirect(f"{address}#message-{position}", 303)
