"""The list of conversations at the side of every page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from flask import render_template
from markupsafe import Markup

from chatweb.blueprints.access import owner
from chatweb.services import conversations

KEPT = 5_000
"""Rows remembered, of some 500 bytes each: most pages show the same ones again."""


class Side(NamedTuple):
    """Rows, and the cursor of those that follow."""

    rows: Markup
    more: str | None


def side(before: str | None = None, current: UUID | None = None) -> Side:
    """The newest conversations of whoever asks; ``current`` is the one on the page."""
    found, more = conversations.recent(owner(), before)
    return Side(rows(found, current), more)


def rows(found: Iterable[Any], current: UUID | None = None) -> Markup:
    html = (
        row(each.id, each.title, each.last_message_at, each.running, each.id == current)
        for each in found
    )
    # Markup.join would escape each of them once more.
    return Markup("".join(html))  # noqa: S704


def current_row(conversation: Any) -> Markup:
    """The row of the conversation on the page."""
    return rows([conversation], conversation.id)


@lru_cache(KEPT)
def row(id: UUID, title: str, last_message_at: datetime, running: bool, current: bool) -> Markup:
    """One row; made by the template, which escapes."""
    listed = conversations.Listed(id, title, last_message_at, running)
    return Markup(render_template("conversations/_row.html", row=listed, current=current))  # noqa: S704
