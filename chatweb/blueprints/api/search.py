"""``/api/v1/search``: messages by their words."""

from __future__ import annotations

from flask import Blueprint

from chatweb.blueprints.access import PROGRAMS, open_to, owner
from chatweb.blueprints.api.described import described
from chatweb.blueprints.api.shapes import Finds, Found, Search
from chatweb.services import search

blueprint = Blueprint("api_search", __name__, url_prefix="/api/v1/search")


@blueprint.get("")
@open_to(PROGRAMS)
@described("Find messages by their words, newest first", query=Search, gives={200: Finds})
def messages(query: Search) -> Finds:
    finds, more = search.messages(owner(), query.q, number(query.before), query.limit)
    items = [
        Found(
            find.row.conversation_id, find.row.title, find.row.position, find.row.role,
            find.row.created_at, find.snippet,
        )
        for find in finds
    ]  # fmt: skip
    return Finds(items, None if more is None else str(more))


def number(cursor: str | None) -> int | None:
    """A cursor made by hand is the first page."""
    text = cursor or ""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else None
