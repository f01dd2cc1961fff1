"""Conversations as wholes: the side list, renaming, deleting, bringing back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatweb.blueprints import forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.side import side
from chatweb.services import conversations as service

conversations = Blueprint("conversations", __name__, url_prefix="/c")


@conversations.get("")
@open_to(OWNERS)
def recent() -> Any:
    if not htmx.wants_fragment():
        return redirect(url_for("history.page"), 303)
    rows = side(owner(), request.args.get("before"))
    return render_template("conversations/_rows.html", conversations=rows)


@conversations.post("/<uuid:conversation_id>/rename")
@open_to(OWNERS)
def rename(conversation_id: UUID) -> Response | str:
    service.rename(owner(), conversation_id, forms.text("title"))
    if not htmx.wants_fragment():
        return redirect(url_for("chat.page", conversation_id=conversation_id), 303)
    row = service.find(owner(), conversation_id)
    return render_template("conversations/_renamed.html", conversation=row, row=row)


@conversations.post("/<uuid:conversation_id>/delete")
@open_to(OWNERS)
def delete(conversation_id: UUID) -> Response | str:
    service.delete(owner(), conversation_id)
    if not htmx.wants_fragment():
        return redirect(url_for("chat.new", deleted=conversation_id), 303)
    row = service.deleted(owner(), conversation_id)
    return render_template("history/_deleted.html", row=row)


@conversations.post("/<uuid:conversation_id>/restore")
@open_to(OWNERS)
def restore(conversation_id: UUID) -> Response | str:
    service.restore(owner(), conversation_id)
    if not htmx.wants_fragment():
        return redirect(url_for("chat.page", conversation_id=conversation_id), 303)
    row = service.find(owner(), conversation_id)
    return render_template("history/_restored.html", row=row, conversations=side(owner()))
