"""Reading messages: the branch shown, from its head towards the root, by pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, literal_column, or_, select

from chatweb.database import reading
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Message
from chatweb.services.conversations import RUNNING, TO_THE_END, check_position
from chatweb.services.errors import NotFound
from chatweb.services.owners import Owner

PAGE = 50
"""Messages on a page."""

COLUMNS = (
    Message.id,
    Message.conversation_id,
    Message.position,
    Message.parent,
    Message.role,
    Message.status,
    Message.content,
    Message.created_at,
    Message.request_id,
    Message.details.label("details"),
)


def _branch() -> Any:
    """The branch that ends at ``start``, newest first, ``depth`` messages long at most.

    Parents come before their children, so no sorting is needed and the cost is that of the page,
    however long the conversation is.
    """
    newest: Any = select(
        Message.position, Message.parent, Message.created_at, literal_column("1").label("depth")
    ).where(
        Message.conversation_id == bindparam("conversation_id"),
        Message.position == bindparam("start"),
    )
    branch = newest.cte("branch", recursive=True)
    return branch.union_all(
        select(Message.position, Message.parent, Message.created_at, branch.c.depth + 1).where(
            Message.conversation_id == bindparam("conversation_id"),
            Message.position == branch.c.parent,
            branch.c.depth < bindparam("depth"),
        )
    )


BRANCH = _branch()
OUTLINE = select(BRANCH.c.position, BRANCH.c.parent, BRANCH.c.created_at).order_by(
    BRANCH.c.position.desc()
)
SHOWN = (
    select(*COLUMNS)
    .join(BRANCH, Message.position == BRANCH.c.position)
    .where(Message.conversation_id == bindparam("conversation_id"))
    .order_by(Message.position.desc())
)
LEADING = (
    select(Message.role, Message.content)
    .where(
        Message.conversation_id == bindparam("conversation_id"),
        or_(
            Message.position.in_(select(BRANCH.c.position)),
            (Message.position == 1) & (Message.role == "system"),
        ),
    )
    .order_by(Message.position)
)
READ = select(*COLUMNS).where(
    Message.conversation_id == bindparam("conversation_id"),
    Message.position.in_(bindparam("positions", expanding=True)),
)
ALL = (
    select(*COLUMNS)
    .where(
        Message.conversation_id == bindparam("conversation_id"),
        Message.position > bindparam("after"),
        Message.position < bindparam("before"),
    )
    .limit(bindparam("limit"))
)
NEWEST_FIRST = ALL.order_by(Message.position.desc())
OLDEST_FIRST = ALL.order_by(Message.position)
ONE = (
    select(
        *COLUMNS,
        Conversation.title,
        Conversation.last_message_at,
        Conversation.message_count,
        Conversation.unseen,
        RUNNING.label("running"),
    )
    .join(Conversation, Conversation.id == Message.conversation_id)
    .where(
        Message.conversation_id == bindparam("conversation_id"),
        Message.position == bindparam("position"),
        Message.owner_id == bindparam("owner_id"),
        Conversation.status != "deleted",
    )
)


class Page(NamedTuple):
    """Messages, oldest first, and the position before which there are more."""

    messages: Sequence[AnyRow]
    older: int | None


def outline(conversation_id: UUID, head: int, limit: int = PAGE) -> Page:
    """Positions, parents and times of the newest messages of the branch that ends at ``head``; the
    caller has checked whose."""
    return _newest(OUTLINE, conversation_id, head, limit)


def older(owner: Owner, conversation_id: UUID, before: int, limit: int = PAGE) -> Page:
    """The outline of what leads to the message at ``before``.

    :raises NotFound: no such message of this owner
    """
    parent = find(owner, conversation_id, before).parent
    return outline(conversation_id, parent, limit) if parent else Page([], None)


def shown(conversation_id: UUID, head: int, limit: int = PAGE) -> Page:
    """As :func:`outline`, with all there is to know of each message."""
    return _newest(SHOWN, conversation_id, head, limit)


def _newest(statement: Any, conversation_id: UUID, head: int, limit: int) -> Page:
    with reading() as connection:
        rows = connection.execute(
            statement, {"conversation_id": conversation_id, "start": head, "depth": limit + 1}
        ).all()
    oldest_first = rows[:limit][::-1]
    return Page(oldest_first, oldest_first[0].position if len(rows) > limit else None)


def between(
    conversation_id: UUID, after: int = 0, before: int = TO_THE_END, limit: int = PAGE, *,
    oldest_first: bool = False,
) -> tuple[Sequence[AnyRow], int | None]:  # fmt: skip
    """Messages on all branches between two positions, and the position after which, in this order,
    there are more; the caller has checked whose."""
    with reading() as connection:
        rows = connection.execute(
            OLDEST_FIRST if oldest_first else NEWEST_FIRST,
            {"conversation_id": conversation_id, "after": min(after, TO_THE_END),
             "before": min(before, TO_THE_END), "limit": limit + 1},
        ).all()  # fmt: skip
    return rows[:limit], rows[limit - 1].position if len(rows) > limit else None


def read(conversation_id: UUID, positions: Sequence[int]) -> Sequence[AnyRow]:
    """Messages of a conversation, in any order; the caller has checked whose."""
    with reading() as connection:
        return connection.execute(
            READ, {"conversation_id": conversation_id, "positions": positions}
        ).all()


def find(owner: Owner, conversation_id: UUID, position: int) -> AnyRow:
    """One message, with what a list shows of its conversation.

    :raises NotFound: no such message of this owner
    """
    check_position(position)
    with reading() as connection:
        row = connection.execute(
            ONE,
            {"conversation_id": conversation_id, "position": position, "owner_id": owner.id},
        ).first()
    if row is None:
        raise NotFound
    return row


def leading_to(conversation_id: UUID, position: int | None, limit: int) -> list[tuple[str, str]]:
    """Role and text of the last ``limit`` messages up to ``position``, oldest first, and before
    them what the conversation was begun with by a program as its instructions; of none before a
    first question."""
    if position is None:
        return []
    with reading() as connection:
        rows = connection.execute(
            LEADING, {"conversation_id": conversation_id, "start": position, "depth": limit}
        ).all()
    return [(row.role, row.content) for row in rows]
