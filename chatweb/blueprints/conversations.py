"""Conversations as wholes: the side list, renaming, deleting, bringing back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatweb import replies
from chatweb.blueprints import forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.side import side
from chatweb.services import conversations as service
from chatweb.services import titles

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
    service.change(owner(), conversation_id, title=forms.text("title"))
    return named(conversation_id, "conversations/_renamed.html")


@conversations.post("/<uuid:conversation_id>/suggest-title")
@open_to(OWNERS)
def suggest_title(conversation_id: UUID) -> Response | str:
    replies.check_gives_titles()
    gist = titles.gist(owner(), conversation_id, allowance())
    title = replies.suggested_title(gist.said)
    titles.suggest(owner(), conversation_id, title, instead_of=gist.title)
    return named(conversation_id, "conversations/_suggested.html")


def named(conversation_id: UUID, fragment: str) -> Response | str:
    """The page with a new title, or what changes on it."""
    if not htmx.wants_fragment():
        return redirect(url_for("chat.page", conversation_id=conversation_id), 303)
    row = service.find(owner(), conversation_id)
    return render_template(fragment, conversation=row, row=row)


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
