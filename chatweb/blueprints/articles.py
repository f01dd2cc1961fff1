"""Messages as the pages show them: one article each, the same in a page and in an update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from flask import current_app, render_template
from markupsafe import Markup

from chatweb import replies
from chatweb.rendering import blocks, growing
from chatweb.rendering.citations import Source, sources
from chatweb.rendering.kept import Kept
from chatweb.services import branches, messages
from chatweb.services.asking import Asked
from chatweb.services.branches import Siblings

KEPT_BYTES = 16 * 1024 * 1024
"""Memory for articles of messages that have ended, per process."""

_kept: Kept[tuple[int, int, datetime, Siblings | None]] = Kept(KEPT_BYTES)
"""By conversation, position, time and siblings: after a restore or a failover that lost something,
a position may be given again."""


class Foot(NamedTuple):
    """What stands below a message: what is known of it, and the ways of asking again."""

    conversation_id: UUID
    position: int
    role: str
    status: str
    created_at: datetime
    siblings: Siblings | None = None
    model: str | None = None
    reason: str | None = None
    can_go_on: bool = False
    citations: tuple[Source, ...] = ()
    sent_as: UUID | None = None
    """Of a question: the id of the form that it was sent with."""

    def request_id(self, way: str) -> UUID:
        """The same in every tab, so that two clicks are one try; another one after that try."""
        newest = self.siblings.newest if self.siblings else self.position
        return uuid5(self.conversation_id, f"{way} {self.position} {newest}")


class Shown(NamedTuple):
    """The articles of a page, and the position of that among them that is being written."""

    articles: Markup
    streaming: int | None


def shown(conversation_id: UUID, outline: Sequence[Any], message_count: int | None = None) -> Shown:
    """The articles of a part of a branch; what was shown lately is neither read nor rendered."""
    siblings = branches.siblings(conversation_id, outline, message_count)
    # As a number: a UUID is hashed in Python, and this is done for each message of each page.
    keys = [
        (conversation_id.int, each.position, each.created_at, siblings.get(each.position))
        for each in outline
    ]
    found = _kept.among(keys)
    missing = [key[1] for key in keys if key not in found]
    streaming = None
    for row in messages.read(conversation_id, missing) if missing else ():
        mine = siblings.get(row.position)
        found[conversation_id.int, row.position, row.created_at, mine] = article(row, mine)
        if row.status == "streaming":
            streaming = row.position
    return Shown(joined(found[key] for key in keys), streaming)


def article(row: Any, siblings: Siblings | None = None) -> Markup:
    """The article of a message."""
    if row.status == "streaming":
        text = replies.text_so_far(row.id)
        body, after = growing.snapshot(row.position, text) if text else (Markup(), None)
        return _render(foot(row, siblings), body, after)
    made = _render(foot(row, siblings), blocks.body(row.position, row.content))
    _kept.keep((row.conversation_id.int, row.position, row.created_at, siblings), made)
    return made


def foot(row: Any, siblings: Siblings | None = None) -> Foot:
    was_cut = row.status in {"interrupted", "stopped"}
    return Foot(
        row.conversation_id, row.position, row.role, row.status, row.created_at, siblings,
        row.details.get("model"), row.details.get("reason"),
        was_cut and 0 < len(row.content) < current_app.extensions["settings"].max_answer_chars,
        sources(row.details.get("citations", ())),
        row.request_id if row.role == "user" else None,
    )  # fmt: skip


def exchange(asked: Asked) -> Markup:
    """A question that was just kept, and the answer that begins; nothing is read."""
    question = Foot(
        asked.conversation_id, asked.question, "user", "complete", asked.at,
        sent_as=asked.request_id,
    )  # fmt: skip
    answer = Foot(asked.conversation_id, asked.answer, "assistant", "streaming", asked.at)
    return joined([_render(question, blocks.body(asked.question, asked.text)), _render(answer)])


def _render(foot: Foot, body: Markup = Markup(), after: int | None = None) -> Markup:  # noqa: B008
    html = render_template("chat/_message.html", message=foot, body=body, after=after)
    # Made by the template, which escapes: marked, so that nobody escapes it again.
    return Markup(html)  # noqa: S704


def joined(articles: Iterable[Markup | str]) -> Markup:
    # Markup.join would escape each of them once more.
    return Markup("".join(articles))  # noqa: S704
