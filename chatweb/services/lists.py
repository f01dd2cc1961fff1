"""Lists of conversations, newest first, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, func, select, tuple_

from chatweb.database import reading
from chatweb.database.types import AnyRow
from chatweb.models import Conversation
from chatweb.services.conversations import ROW, RUNNING
from chatweb.services.cursors import Cursor
from chatweb.services.owners import Owner

PAGE = 50
"""Conversations in a list."""

STATUSES = ("active", "archived", "closed")
"""What a conversation can be that is not deleted."""

MINE = Conversation.owner_id == bindparam("owner_id")
OF_STATUS = Conversation.status.in_(bindparam("statuses", expanding=True))
NEWEST_FIRST = (Conversation.last_message_at.desc(), Conversation.id.desc())
OLDER = tuple_(Conversation.last_message_at, Conversation.id) < tuple_(
    bindparam("at", type_=Conversation.last_message_at.type),
    bindparam("before", type_=Conversation.id.type),
)
RECENT = (
    select(
        Conversation.id,
        Conversation.title,
        Conversation.last_message_at,
        Conversation.message_count,
        Conversation.unseen,
        RUNNING.label("running"),
    )
    .where(MINE, Conversation.status == "active")
    .order_by(*NEWEST_FIRST)
    .limit(bindparam("limit"))
)
CHOSEN = (
    select(*ROW).where(MINE, OF_STATUS).order_by(*NEWEST_FIRST).limit(bindparam("limit"))
)  # fmt: skip
PAGED = (CHOSEN, CHOSEN.where(OLDER))
RECENT_PAGED = (RECENT, RECENT.where(OLDER))
PASSED_OVER = CHOSEN.offset(bindparam("offset"))
COUNT = select(func.count()).select_from(Conversation).where(MINE, OF_STATUS)

Page = tuple[Sequence[AnyRow], str | None]
"""Rows, and the cursor of those that follow."""


def recent(owner: Owner, before: str | None = None, limit: int = PAGE) -> Page:
    """Active conversations, with what the pages show of them."""
    return _page(RECENT_PAGED, before, limit, {"owner_id": owner.id})


def chosen(
    owner: Owner, status: str | None = None, before: str | None = None, limit: int = PAGE
) -> Page:
    """Conversations of a status, or (None) all that are not deleted."""
    return _page(PAGED, before, limit, _values(owner, status))


def passed_over(owner: Owner, limit: int, offset: int) -> tuple[Sequence[AnyRow], int]:
    """Conversations after the newest ``offset`` ones, and how many there are in all.

    For programs that know no cursors: the further, the longer it takes.
    """
    values = _values(owner, None)
    with reading() as connection:
        total = connection.execute(COUNT, values).scalar_one()
        rows = connection.execute(PASSED_OVER, values | {"limit": limit, "offset": offset}).all()
    return rows, total


def _values(owner: Owner, status: str | None) -> dict[str, Any]:
    return {"owner_id": owner.id, "statuses": [status] if status else list(STATUSES)}


def _page(statements: tuple[Any, Any], before: str | None, limit: int, values: Any) -> Page:
    newest, older = statements
    values = values | {"limit": limit + 1}
    cursor = Cursor.read(before)
    with reading() as connection:
        if cursor:
            rows = connection.execute(older, values | {"at": cursor.at, "before": cursor.id}).all()
        else:
            rows = connection.execute(newest, values).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], str(Cursor(last.last_message_at, last.id))
