"""Branches of a conversation: where its messages have siblings, and which way is shown.

A conversation is a tree: a message's ``parent`` is what it follows, and siblings follow the same.
What is shown is the way from the root to ``head``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, or_, select, update

from chatweb.database import reading, writing
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Message
from chatweb.services import changes
from chatweb.services.conversations import check_position, locked
from chatweb.services.errors import NotFound
from chatweb.services.owners import Owner

HERE = Message.conversation_id == bindparam("conversation_id")

SIBLINGS = (
    select(Message.parent, Message.position)
    .where(HERE)
    .where(
        or_(
            Message.parent.in_(bindparam("parents", expanding=True)),
            Message.parent.is_(None) & bindparam("with_first", type_=Conversation.pinned.type),
        )
    )
    .order_by(Message.parent, Message.position)
)


def _tip() -> Any:
    """The newest message behind ``start``, then the newest behind that, and so on."""
    way = select(Message.position).where(HERE, Message.position == bindparam("start"))
    way_down = way.cte("way", recursive=True)
    newest = (
        select(func.max(Message.position))
        .where(HERE, Message.parent == way_down.c.position)
        .scalar_subquery()
    )
    way_down = way_down.union_all(select(newest).where(way_down.c.position.is_not(None)))
    return select(func.max(way_down.c.position))


def _way() -> Any:
    """Whether ``shown`` lies on the way from ``head`` to the root, and whether it is an answer."""
    head = select(Message.position, Message.parent).where(
        HERE, Message.position == bindparam("head")
    )
    way = head.cte("way", recursive=True)
    way = way.union_all(
        select(Message.position, Message.parent).where(
            HERE, Message.position == way.c.parent, Message.position >= bindparam("shown")
        )
    )
    on_the_way = select(way.c.position).where(way.c.position == bindparam("shown")).exists()
    return select(on_the_way.label("is_on_the_way"), Message.role).where(
        HERE, Message.position == bindparam("shown")
    )


TIP = _tip()
WAY = _way()


@dataclass(frozen=True)
class Siblings:
    """A message among its siblings: the how-manieth of how many, and their positions."""

    first: int
    number: int
    count: int
    previous: int | None
    next: int | None
    newest: int


def siblings(
    conversation_id: UUID, messages: Sequence[AnyRow], message_count: int | None = None
) -> dict[int, Siblings]:
    """Of ``messages``, neighbours on a branch, those that have siblings, by position.

    ``message_count``, where it is known, saves the question in a conversation without branches: a
    sibling comes after the parent, and here all that came after the first one's are on the branch.
    """
    positions = [each.position for each in messages]
    if not positions:
        return {}
    all_later = range((messages[0].parent or 0) + 1, (message_count or 0) + 1)
    if positions == list(all_later):
        return {}
    parents = [each.parent for each in messages]
    values = {
        "conversation_id": conversation_id,
        "parents": [each for each in parents if each is not None],
        "with_first": None in parents,
    }
    with reading() as connection:
        rows = connection.execute(SIBLINGS, values).all()
    families = [
        [each.position for each in group] for _, group in groupby(rows, attrgetter("parent"))
    ]
    found = {
        position: _among(family, index)
        for family in families
        for index, position in enumerate(family)
        if len(family) > 1
    }
    return {position: found[position] for position in positions if position in found}


def _among(family: list[int], index: int) -> Siblings:
    return Siblings(
        family[0], index + 1, len(family), family[index - 1] if index else None,
        family[index + 1] if index + 1 < len(family) else None, family[-1],
    )  # fmt: skip


def show(owner: Owner, conversation_id: UUID, position: int) -> int:
    """Show the branch through a message, down to the newest message behind it.

    :returns: that one's position
    :raises NotFound: no such message of this owner
    """
    check_position(position)
    with writing() as connection:
        conversation = locked(connection, owner, conversation_id)
        tip = connection.execute(
            TIP, {"conversation_id": conversation_id, "start": position}
        ).scalar()
        if tip is None:
            raise NotFound
        if tip != conversation.head:
            connection.execute(
                update(Conversation).where(Conversation.id == conversation_id).values(head=tip)
            )
            changes.note(connection, owner.id, conversation_id)
        connection.commit()
    return int(tip)


def end(connection: Connection, conversation: AnyRow, shown: int | None) -> int | None:
    """What a new question follows: the end of the branch shown, or ``shown`` where that is an
    answer on another branch; None in an empty conversation."""
    head: int | None = conversation.head or None
    if (
        shown is None
        or head is None
        or shown == head
        or not 0 < shown <= conversation.message_count
    ):
        return head
    found = connection.execute(
        WAY, {"conversation_id": conversation.id, "head": head, "shown": shown}
    ).one()
    return head if found.is_on_the_way or found.role != "assistant" else shown
