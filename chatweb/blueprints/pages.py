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
from chatweb.blueprints.places import Place, place_of
from chatweb.blueprints.side import current_row, side
from chatweb.services import conversations, messages
from chatweb.services.drafts import Typed
from chatweb.services.messages import Page


def render_page(conversation: Any, outline: Page, below: Markup = Markup()) -> str:  # noqa: B008
    """The whole page, with a part of a branch and what is ``below`` it."""
    return render_template(
        "chat/page.html", conversations=side(owner(), current=conversation.id),
        **_shown(conversation, outline, below),
    )  # fmt: skip


def render_branch(conversation_id: UUID, template: str = "chat/_branch.html", **more: Any) -> str:
    """What changes on a page when its branch is shown anew."""
    conversation = conversations.find(owner(), conversation_id)
    outline = messages.outline(conversation_id, conversation.head)
    return render_template(
        template, row=current_row(conversation), **_shown(conversation, outline), **more
    )


def _shown(conversation: Any, outline: Page, below: Markup = Markup()) -> dict[str, Any]:  # noqa: B008
    shown = articles.shown(conversation.id, outline.messages, conversation.message_count)
    place = place_of(conversation, outline.messages, shown.streaming)
    return {
        "feed": None if shown.streaming else feed_of(conversation.id, place),
        "conversation": conversation, "older": outline.older, "messages": shown.articles + below,
        "composer": composer(
            conversation.id, place, Typed(conversation.draft or "", conversation.draft_id)
        ),
    }  # fmt: skip


def feed_of(conversation_id: UUID | None = None, place: Place | None = None) -> str:
    """Where a page hears of what changes."""
    return url_for("feed.follow", conversation=conversation_id, place=place and str(place))


def back_to(conversation_id: UUID, position: int) -> Response:
    """The page at a message, for those without scripts."""
    address = url_for("chat.page", conversation_id=conversation_id)
    return redirect(f"{address}#message-{position}", 303)
