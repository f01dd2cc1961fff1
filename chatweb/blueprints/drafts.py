"""What is typed and not sent, saved while it is typed."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from chatweb.blueprints import forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.services import drafts as service

drafts = Blueprint("drafts", __name__)


@drafts.post("/draft")
@open_to(OWNERS)
def of_new_chat() -> Response:
    return save(None, url_for("chat.new"))


@drafts.post("/c/<uuid:conversation_id>/draft")
@open_to(OWNERS)
def of_conversation(conversation_id: UUID) -> Response:
    return save(conversation_id, url_for("chat.page", conversation_id=conversation_id))


def save(conversation_id: UUID | None, page: str) -> Response:
    service.save(
        owner(), conversation_id, forms.text("text"), forms.request_id(), longest(), allowance()
    )
    return Response(status=204) if htmx.wants_fragment() else redirect(page, 303)
