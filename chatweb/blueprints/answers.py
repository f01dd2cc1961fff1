"""An answer in progress: following it, stopping it."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from chatweb import replies
from chatweb.blueprints import following, forms, htmx, places
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.composer import longest
from chatweb.blueprints.feed import PageNews
from chatweb.blueprints.pages import back_to
from chatweb.services import answers as answers_service
from chatweb.services import drafts, messages

answers = Blueprint("answers", __name__, url_prefix="/c/<uuid:conversation_id>/messages")


@answers.get("/<int:position>/stream")
@open_to(OWNERS)
def stream(conversation_id: UUID, position: int) -> Response:
    message = messages.find(owner(), conversation_id, position)
    # Pages have one connection: it brings them what changes elsewhere too.
    news = PageNews(follows=conversation_id) if "news" in request.args else None
    telling = following.Telling(owner(), message)
    return following.stream(telling, message, htmx.last_event_id(), news)


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
        # Without scripts the box comes along, and nothing else has saved it.
        drafts.save(owner(), conversation_id, forms.text("text"), forms.request_id(), longest())
        return back_to(conversation_id, position)
    message = messages.find(owner(), conversation_id, position)
    # One that has not ended yet, because the database is slow, tells its end by its stream.
    return (
        Response(status=204)
        if message.status == "streaming"
        else following.render_ended(owner(), message, places.of_form())
    )
