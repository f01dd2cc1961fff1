"""The list of conversations at the side of every page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from flask import render_template
from markupsafe import Markup

from chatweb.services import lists
from chatweb.services.owners import Owner

KEPT = 5_000
"""Rows remembered, of some 500 bytes each: most pages show the same ones again."""


class Side(NamedTuple):
    """Rows, and the cursor of those that follow."""

    rows: Markup
    more: str | None


def side(owner: Owner, before: str | None = None, current: UUID | None = None) -> Side:
    """The newest conversations of an owner; ``current`` is the one on the page."""
    found, more = lists.recent(owner, before)
    return Side(rows(found, current), more)


def rows(found: Iterable[Any], current: UUID | None = None) -> Markup:
    # As a number: a UUID is compared in Python, and this is done for each row of each page.
    current_id = current.int if current else None
    html = [
        row(number := each.id.int, each.title, each.running, each.unseen, number == current_id)
        for each in found
    ]
    # Markup.join would escape each of them once more.
    return Markup("".join(html))  # noqa: S704


def current_row(conversation: Any) -> Markup:
    """The row of the conversation on the page."""
    return rows([conversation], conversation.id)


@lru_cache(KEPT)
def row(id: int, title: str, running: bool, unseen: bool, current: bool) -> Markup:
    """One row; made by the template, which escapes."""
    listed = {"id": UUID(int=id), "title": title, "running": running}
    listed["unseen"] = unseen and not current
    return Markup(render_template("conversations/_row.html", row=listed, current=current))  # noqa: S704
