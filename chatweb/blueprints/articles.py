"""Messages as the pages show them: one article each, the same in a page and in an update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from flask import render_template
from markupsafe import Markup

from chatweb import replies
from chatweb.rendering import blocks, growing
from chatweb.rendering.kept import Kept
from chatweb.services import messages
from chatweb.services.questions import Asked

KEPT_BYTES = 16 * 1024 * 1024
"""Memory for articles of messages that have ended, per process."""

_kept: Kept[tuple[int, int, datetime]] = Kept(KEPT_BYTES)
"""By conversation, position and time: after a restore or a failover that lost something, a position
may be given again."""


class Foot(NamedTuple):
    """What stands below a message; ``request_id`` is that of another try, if one is offered."""

    conversation_id: UUID
    position: int
    role: str
    status: str
    created_at: datetime
    model: str | None = None
    reason: str | None = None
    request_id: UUID | None = None


class Shown(NamedTuple):
    """The articles of a page, and the position of that among them that is being written."""

    articles: Markup
    streaming: int | None


def shown(conversation_id: UUID, outline: Sequence[Any]) -> Shown:
    """The articles of a part of a branch; what was shown lately is neither read nor rendered."""
    # As a number: a UUID is hashed in Python, and this is done for each message of each page.
    keys = [(conversation_id.int, each.position, each.created_at) for each in outline]
    found = _kept.among(keys)
    missing = [key[1] for key in keys if key not in found]
    streaming = None
    for row in messages.read(conversation_id, missing) if missing else ():
        found[conversation_id.int, row.position, row.created_at] = article(row)
        if row.status == "streaming":
            streaming = row.position
    return Shown(joined(found[key] for key in keys), streaming)


def article(row: Any) -> Markup:
    """The article of a message."""
    if row.status == "streaming":
        text = replies.text_so_far(row.id)
        body, after = growing.snapshot(row.position, text) if text else (Markup(), None)
        return _render(foot(row), body, after)
    made = _render(foot(row), blocks.body(row.position, row.content))
    _kept.keep((row.conversation_id.int, row.position, row.created_at), made)
    return made


def foot(row: Any) -> Foot:
    ended_early = row.status in {"failed", "interrupted", "stopped"}
    return Foot(
        row.conversation_id, row.position, row.role, row.status, row.created_at,
        row.details.get("model"), row.details.get("reason"),
        # The same in every tab, so that two clicks are one try.
        uuid5(row.conversation_id, f"retry {row.position}") if ended_early else None,
    )  # fmt: skip


def exchange(asked: Asked) -> Markup:
    """A question that was just kept, and the answer that begins; nothing is read."""
    question = Foot(asked.conversation_id, asked.question, "user", "complete", asked.at)
    return joined([_render(question, blocks.body(asked.question, asked.text)), begun(asked)])


def begun(asked: Asked) -> Markup:
    """An answer without a word yet: its stream brings all of it."""
    return _render(Foot(asked.conversation_id, asked.answer, "assistant", "streaming", asked.at))


def _render(foot: Foot, body: Markup = Markup(), after: int | None = None) -> Markup:  # noqa: B008
    html = render_template("chat/_message.html", message=foot, body=body, after=after)
    # Made by the template, which escapes: marked, so that nobody escapes it again.
    return Markup(html)  # noqa: S704


def joined(articles: Iterable[Markup | str]) -> Markup:
    # Markup.join would escape each of them once more.
    return Markup("".join(articles))  # noqa: S704
