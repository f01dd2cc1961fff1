"""A conversation as a page shows it: whole, or the part of it that the way shown fills."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import redirect, render_template, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from chatweb.blueprints import articles
from chatweb.blueprints.access import owner
from chatweb.blueprints.composer import composer
from chatweb.blueprints.side import current_row, side
from chatweb.services import conversations, messages
from chatweb.services.messages import Page


def render_page(conversation: Any, outline: Page, below: Markup = Markup()) -> str:  # noqa: B008
    """The whole page, with a part of a branch and what is ``below`` it."""
    return render_template(
        "chat/page.html", conversations=side(current=conversation.id),
        **_shown(conversation, outline, below),
    )  # fmt: skip


def render_branch(conversation_id: UUID) -> str:
    """What changes on a page when another branch is shown."""
    conversation = conversations.find(owner(), conversation_id)
    outline = messages.outline(conversation_id, conversation.head)
    return render_template(
        "chat/_branch.html", row=current_row(conversation), **_shown(conversation, outline)
    )


def _shown(conversation: Any, outline: Page, below: Markup = Markup()) -> dict[str, Any]:  # noqa: B008
    shown = articles.shown(conversation.id, outline.messages, conversation.message_count)
    streaming = shown.streaming
    if all(each.position != conversation.streaming for each in outline.messages):
        # On another branch: it can be stopped from here too.
        streaming = conversation.streaming
    return {
        "conversation": conversation, "older": outline.older, "messages": shown.articles + below,
        "composer": composer(conversation.id, streaming, conversation.head),
    }  # fmt: skip


def back_to(conversation_id: UUID, position: int) -> Response:
    """The page at a message, for those without scripts."""
    address = url_for("chat.page", conversation_id=conversation_id)
    return redirect(f"{address}#message-{position}", 303)
