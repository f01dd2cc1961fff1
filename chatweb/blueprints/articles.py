"""Messages as the pages show them: one article each, the same in a page and in an update."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from flask import render_template
from markupsafe import Markup

from chatweb import replies
from chatweb.rendering import blocks, growing

KEPT = 2000
LARGEST_KEPT = 8_000
"""Finished articles remembered, each of at most so many characters: the same page again costs
neither rendering nor escaping."""


class Article(NamedTuple):
    """One message, ready for its template."""

    conversation_id: UUID
    position: int
    role: str
    status: str
    body: Markup
    after: int | None
    created_at: datetime
    model: str | None
    reason: str | None
    request_id: UUID | None


def article(row: Any) -> Markup:
    """The article of a message."""
    if row.status == "complete" and len(row.content) <= LARGEST_KEPT:
        return _finished(
            row.conversation_id, row.position, row.role, row.content, row.created_at,
            row.details.get("model"),
        )  # fmt: skip
    return _render(of(row))


@lru_cache(KEPT)
def _finished(
    conversation_id: UUID, position: int, role: str, content: str, created_at: datetime,
    model: str | None,
) -> Markup:  # fmt: skip
    body = blocks.body(position, content)
    return _render(
        Article(
            conversation_id, position, role, "complete", body, None, created_at, model, None, None
        )
    )


def of(row: Any) -> Article:
    """What the template of a message needs."""
    body, after = _shown(row)
    ended_early = row.status in {"failed", "interrupted", "stopped"}
    return Article(
        row.conversation_id, row.position, row.role, row.status, body, after, row.created_at,
        row.details.get("model"), row.details.get("reason"), uuid4() if ended_early else None,
    )  # fmt: skip


def _shown(row: Any) -> tuple[Markup, int | None]:
    if row.status != "streaming":
        return blocks.body(row.position, row.content), None
    text = replies.text_so_far(row.id)
    return growing.snapshot(row.position, text) if text else (Markup(), None)


def _render(article: Article) -> Markup:
    # Made by the template, which escapes: marked, so that nobody escapes it again.
    return Markup(render_template("chat/_message.html", message=article))  # noqa: S704
