"""Titles that a model gave: they may replace first words, and whatever a person asks them to."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from chatweb.database import reading, retried, writing
from chatweb.database.types import AnyRow
from chatweb.models import Conversation
from chatweb.services import changes, conversations, limits, messages, texts
from chatweb.services.conversations import locked
from chatweb.services.limits import Allowance
from chatweb.services.owners import Owner

LATEST = 6
"""Messages at the end of the branch shown that a suggestion is made from."""

FIRST_WORDS = (
    (Conversation.id == bindparam("conversation_id"))
    & (Conversation.title_source == "first_words")
    & (Conversation.status != "deleted")
)
HAS_FIRST_WORDS = select(Conversation.id).where(FIRST_WORDS)
IMPROVE = (
    update(Conversation)
    .where(FIRST_WORDS)
    .values(title=bindparam("better"), title_source="model")
    .returning(Conversation.owner_id)
)


class Gist(NamedTuple):
    """What a title is made from, and the title there is."""

    title: str
    said: list[tuple[str, str]]


def with_question(connection: Connection, conversation: AnyRow, text: str) -> str:
    """The title of a conversation that gets a question; the first one gives it its words."""
    if conversation.message_count or conversation.title_source != "first_words":
        return str(conversation.title)
    title = texts.first_words(text)
    connection.execute(
        update(Conversation).where(Conversation.id == conversation.id).values(title=title)
    )
    return title


def has_first_words(conversation_id: UUID) -> bool:
    """Whether a conversation still has the title it began with."""
    with reading() as connection:
        found = connection.execute(HAS_FIRST_WORDS, {"conversation_id": conversation_id})
        return found.first() is not None


@retried
def improve(conversation_id: UUID, title: str) -> bool:
    """Put a model's title in the place of the first words, never of any other title.

    :returns: whether it was done
    """
    with writing() as connection:
        owner_id = connection.execute(
            IMPROVE, {"conversation_id": conversation_id, "better": title}
        ).scalar()
        if owner_id is not None:
            changes.note(connection, owner_id, conversation_id)
        connection.commit()
    return owner_id is not None


def gist(owner: Owner, conversation_id: UUID, allowance: Allowance) -> Gist:
    """What a conversation has come to, for a new title; asking for it counts as a question.

    :raises NotFound: no such conversation of this owner
    :raises TooMany: they have asked too much
    """
    found = conversations.find(owner, conversation_id)
    said = messages.leading_to(found.id, found.head, LATEST)
    with writing() as connection:
        limits.count(connection, owner, replace(allowance, answers_at_once=0))
        connection.commit()
    return Gist(found.title, said)


def suggest(owner: Owner, conversation_id: UUID, title: str, *, instead_of: str) -> None:
    """Give a conversation the title that a person asked the model for.

    One that it got meanwhile, ``instead_of`` no longer being its title, stays.

    :raises NotFound: no such conversation of this owner
    """
    with writing() as connection:
        if locked(connection, owner, conversation_id).title == instead_of:
            connection.execute(
                update(Conversation)
                .where(Conversation.id == conversation_id)
                .values(title=title, title_source="model")
            )
            changes.note(connection, owner.id, conversation_id)
        connection.commit()
