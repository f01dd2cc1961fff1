"""Finding messages by their words, in the database's own index, among one owner's only.

Whatever is typed is text: it is taken apart into words, each of which must be there, the last one
as a beginning. Chinese and Japanese, which the index does not take apart, are looked for in the
owner's texts themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, column, func, literal_column, select, table, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from chatweb.database import reading
from chatweb.database.types import AnyRow
from chatweb.models import Conversation, Message
from chatweb.services import texts
from chatweb.services.owners import Owner

LONGEST = 1000
"""Characters of what is looked for; what comes after is not looked at."""
MOST_WORDS = 20
AROUND = 80
"""Characters shown before and after the first word that is found."""

WORD = re.compile(r"[^\W_]+")
UNDIVIDED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Letters of scripts without spaces between words."""

FOUND = (
    select(
        Message.id, Message.conversation_id, Message.position, Message.role, Message.content,
        Message.created_at, Conversation.title,
    )
    .join(Conversation, Conversation.id == Message.conversation_id)
    .where(
        Message.owner_id == bindparam("owner_id"),
        Message.id < bindparam("before"),
        Message.status != "streaming",
        Message.role != "system",
        Conversation.status != "deleted",
    )
    .order_by(Message.id.desc())
    .limit(bindparam("limit"))
)  # fmt: skip
INDEX = table("message_search", column("rowid"))
SQLITE = FOUND.where(
    Message.id.in_(
        select(INDEX.c.rowid).where(text("message_search MATCH :match")).select_from(INDEX)
    )
)
POSTGRESQL = FOUND.where(
    literal_column("message.message_search", TSVECTOR).op("@@")(
        func.to_tsquery("simple", bindparam("match"))
    )
)
NEWEST = 2**62
"""As the number before which messages are looked for: all of them."""


class Find(NamedTuple):
    """A message that was found: the row, and the part of its text where the words are."""

    row: AnyRow
    snippet: str


def messages(
    owner: Owner, sought: str, before: int | None = None, limit: int = 50
) -> tuple[list[Find], int | None]:
    """Ended messages with every word of ``sought``, newest first, and the number before which there
    are more; none where there is no word in it."""
    words = WORD.findall(texts.storable(sought[:LONGEST]).lower())[:MOST_WORDS]
    if not words:
        return [], None
    values = {"owner_id": owner.id, "before": before or NEWEST, "limit": limit + 1}
    with reading() as connection:
        rows = _rows(connection, owner, words, values)
    finds = [Find(row, snippet(row.content, words)) for row in rows[:limit]]
    return finds, rows[limit - 1].id if len(rows) > limit else None


def _rows(
    connection: Connection, owner: Owner, words: list[str], values: dict[str, Any]
) -> Sequence[AnyRow]:
    if any(UNDIVIDED.search(word) for word in words):
        statement = FOUND.where(
            *(Message.content.icontains(word, autoescape=True) for word in words)
        )
        return connection.execute(statement, values).all()
    if connection.dialect.name == "sqlite":
        quoted = " AND ".join(f'"{word}"' for word in words)
        values["match"] = f'{{content}}:({quoted}*) AND {{owner}}:"u{owner.id.hex}"'
        return connection.execute(SQLITE, values).all()
    values["match"] = " & ".join(f"'{word}'" for word in words) + ":*"
    return connection.execute(POSTGRESQL, values).all()


def snippet(content: str, words: Sequence[str]) -> str:
    """The surroundings of the first word that is found, as one line; marked where it was cut."""
    known = content.lower()
    at = min((place for word in words if (place := known.find(word)) >= 0), default=0)
    start, end = max(0, at - AROUND), at + AROUND
    line = " ".join(content[start:end].split())
    return f"{'… ' if start else ''}{line}{' …' if end < len(content) else ''}"
