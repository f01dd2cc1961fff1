"""What is typed and not sent, saved while it is typed."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from chatweb.blueprints import forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.services import drafts as service

drafts = Blueprint("drafts", __name__)


@drafts.post("/draft")
@open_to(OWNERS)
def of_new_chat() -> AnyResponse:
    return save(None, url_for("chat.new"))


@drafts.post("/c/<uuid:conversation_id>/draft")
@open_to(OWNERS)
def of_conversation(conversation_id: UUID) -> AnyResponse:
    return save(conversation_id, url_for("chat.page", conversation_id=conversation_id))


def save(conversation_id: UUID | None, page: str) -> AnyResponse:
    request_id = forms.request_id()
    kept_as = service.save(
        owner(), conversation_id, forms.text("text"), request_id, longest(), allowance()
    )
    if not htmx.wants_fragment():
        return redirect(page, 303)
    if kept_as == request_id:
        return Response(status=204)
    return Response(render_template("chat/_renewed.html", request_id=kept_as))
