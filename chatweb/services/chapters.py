"""Talks about a book or course: one conversation for each owner and chapter.

It is the newest active one; where there is none (or it was archived, closed or deleted), the next
question makes one. The empty chapter stands for talks that come from a book and are about none of
its chapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, literal_column, select

from chatweb.database import reading, retried, writing
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Message
from chatweb.services import asking, conversations, limits, owners, texts
from chatweb.services.asking import Asked
from chatweb.services.conversations import ROW
from chatweb.services.errors import Invalid
from chatweb.services.limits import Allowance
from chatweb.services.messages import COLUMNS
from chatweb.services.owners import Owner

LONGEST_NAME = 200

ACTIVE = (Conversation.owner_id == bindparam("owner_id")) & (Conversation.status == "active")
OF_ALL = ACTIVE & Conversation.chapter.is_not(None)
OF_ONE = ACTIVE & (Conversation.chapter == bindparam("chapter"))
NEWEST = (
    select(*ROW, Conversation.title_source)
    .where(OF_ONE)
    .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
    .limit(1)
    .with_for_update()
)


def _said(where: Any) -> Any:
    """The newest messages of the branches shown, newest first; a parent is older than its child,
    so no branch is followed further than ``limit`` messages."""
    branch: Any = (
        select(
            Message.conversation_id, Message.position, Message.parent, Conversation.chapter,
            literal_column("1").label("depth"),
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(where, Message.position == Conversation.head)
        .cte("branch", recursive=True)
    )  # fmt: skip
    branch = branch.union_all(
        select(
            Message.conversation_id, Message.position, Message.parent, branch.c.chapter,
            branch.c.depth + 1,
        ).where(
            Message.conversation_id == branch.c.conversation_id,
            Message.position == branch.c.parent,
            branch.c.depth < bindparam("limit"),
        )
    )  # fmt: skip
    here = (Message.conversation_id == branch.c.conversation_id) & (
        Message.position == branch.c.position
    )
    return (
        select(*COLUMNS, branch.c.chapter)
        .join(branch, here)
        .order_by(Message.id.desc())
        .limit(bindparam("limit"))
    )


def _held(where: Any) -> Any:
    columns = select(Conversation.id, Conversation.message_count)
    return columns.where(where).order_by(Conversation.id).with_for_update()


SAID = {True: _said(OF_ALL), False: _said(OF_ONE)}
HELD = {True: _held(OF_ALL), False: _held(OF_ONE)}


def named(chapter: str) -> str:
    """A chapter's name as it is stored, without spaces around it.

    :raises Invalid: it has more than 200 characters
    """
    name = texts.storable(chapter).strip()
    if len(name) > LONGEST_NAME:
        wrong = f"at most {LONGEST_NAME} characters"
        raise Invalid(f"A chapter's name has {wrong}.", {"chapter": wrong})
    return name


@retried
def ask(
    owner: Owner, chapter: str, text: str, longest: int, request_id: UUID, process_id: UUID,
    allowance: Allowance,
) -> Asked:  # fmt: skip
    """Add a question and its empty answer to the talk about a chapter, which is made where there is
    none.

    :raises Invalid: the text is empty or over ``longest`` characters, or the name is too long
    :raises StaleForm: the request id was used for something else
    :raises Conflict: an answer is being written there
    :raises TooMany: ``allowance`` is used up
    """
    text, chapter = texts.question(text, longest), named(chapter)
    with writing() as connection:
        # Held until the commit: of two first questions at once the second finds the first's talk.
        is_new = owners.ensure(connection, owner)
        same = {"role": "user", "chapter": chapter, "content": text}
        if not is_new and (asked := asking.before(connection, owner, request_id, same)):
            return asked
        talk = None if is_new else _newest(connection, owner, chapter)
        if talk:
            asking.check_free(connection, talk)
            limits.count(connection, owner, allowance)
            follows = talk.head or None
            asked = asking.add_next(
                connection, owner, talk, follows, text, request_id, process_id
            )  # fmt: skip
        else:
            limits.count(connection, owner, allowance, begins=True)
            asked = asking.add_first(
                connection, owner, texts.title(chapter or texts.first_words(text)), text,
                request_id, process_id, chapter=chapter,
                title_source="person" if chapter else "first_words",
            )  # fmt: skip
        connection.commit()
    return asked


def _newest(connection: Connection, owner: Owner, chapter: str) -> AnyRow | None:
    return connection.execute(NEWEST, {"owner_id": owner.id, "chapter": chapter}).first()


def history(owner: Owner, chapter: str | None, limit: int) -> Sequence[AnyRow]:
    """The newest ``limit`` messages about a chapter, or (None) about all, oldest first, each with
    its ``chapter``; those on the branches that are shown.

    :raises Invalid: no chapter can have this name
    """
    values = _values(owner, chapter) | {"limit": limit}
    with reading() as connection:
        rows = connection.execute(SAID[chapter is None], values).all()
    return rows[::-1]


def clear(owner: Owner, chapter: str | None) -> int:
    """Delete the talks about a chapter, or (None) about all; each can be brought back on its page.

    :returns: how many messages they had
    :raises Invalid: no chapter can have this name
    """
    values = _values(owner, chapter)
    with writing() as connection:
        rows = connection.execute(HELD[chapter is None], values).all()
        if rows:
            conversations.take_out(connection, owner, [row.id for row in rows])
        connection.commit()
    return sum(row.message_count for row in rows)


def _values(owner: Owner, chapter: str | None) -> dict[str, Any]:
    return {"owner_id": owner.id} | ({} if chapter is None else {"chapter": named(chapter)})
