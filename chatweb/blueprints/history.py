"""The history: every conversation, grouped by date, page by page."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from itertools import groupby
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Blueprint, render_template, request

from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.pages import feed_of
from chatweb.blueprints.side import side
from chatweb.services import lists

history = Blueprint("history", __name__)


@history.get("/history")
@open_to(OWNERS)
def page() -> str:
    rows, more = lists.recent(owner(), request.args.get("before"))
    return render_template(
        "history/page.html", groups=by_date(rows, zone(), datetime.now(UTC)), more=more,
        conversations=side(owner()), under=request.args.get("under"), feed=feed_of(),
    )  # fmt: skip


def zone() -> tzinfo:
    """The reader's time zone, as the page noted it in a cookie; UTC until then."""
    try:
        return ZoneInfo(unquote(request.cookies.get("timezone", "UTC")))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return UTC


def by_date(rows: Any, zone: tzinfo, now: datetime) -> list[tuple[str, list[Any]]]:
    """Rows under headings like "Today"; they come newest first and stay so."""
    today = now.astimezone(zone).date()
    named = groupby(
        rows, key=lambda row: heading(row.last_message_at.astimezone(zone).date(), today)
    )
    return [(name, list(group)) for name, group in named]


def heading(day: date, today: date) -> str:
    days = (today - day).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    if days < 7:
        return "The last seven days"
    return f"{day:%B}" if day.year == today.year else f"{day:%B %Y}"
