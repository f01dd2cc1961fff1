"""Conversations as programs of OpenAI's protocol tell them: whole, with each request.

Such a program remembers itself what was said. Where it names none of our conversations, what it
sends becomes a new one. Where it names one, what it says was said before tells to which place on
our tree the new question belongs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select

from chatweb.database import reading
from chatweb.models import Message
from chatweb.services import conversations, messages, texts
from chatweb.services.errors import Invalid
from chatweb.services.owners import Owner

Said = Sequence[tuple[str, str]]
"""Role and text, oldest first."""

MOST_ALIKE = 20
"""So many answers of the same text are looked at: which of them was the last one said?"""

ALIKE = (
    select(Message.position)
    .where(
        Message.conversation_id == bindparam("conversation_id"),
        Message.role == "assistant",
        Message.content == bindparam("text"),
    )
    .order_by(Message.position.desc())
    .limit(MOST_ALIKE)
)


class Transcript(NamedTuple):
    """What was said before, and the question; neighbours of one role are one message."""

    system: str
    before: list[tuple[str, str]]
    question: str

    @property
    def earlier(self) -> list[tuple[str, str]]:
        """All that comes before the question in a conversation of its own."""
        return [("system", self.system), *self.before] if self.system else self.before


def read(said: Said) -> Transcript:
    """
    :raises Invalid: it does not end with a question
    """
    system = "\n\n".join(text for role, text in said if role == "system" and text)
    talk = [
        (role, "\n\n".join(texts.storable(text) for _, text in group))
        for role, group in groupby(
            ((role, text) for role, text in said if role != "system"), key=itemgetter(0)
        )
    ]
    if not talk or talk[-1][0] != "user":
        raise Invalid("The last of `messages` must be a question: one with the role `user`.")
    return Transcript(texts.storable(system), talk[:-1], talk[-1][1])


def place(owner: Owner, conversation_id: UUID, before: Said) -> int | None:
    """The position of the answer that what was said ``before`` leads to; None: nothing was said,
    and the question belongs to the end of the branch that is shown.

    :raises NotFound: no such conversation of this owner
    :raises Invalid: nothing in the conversation is what was said
    """
    conversations.find(owner, conversation_id)
    if not before:
        return None
    with reading() as connection:
        found = connection.execute(
            ALIKE, {"conversation_id": conversation_id, "text": before[-1][1]}
        ).scalars()
        positions = list(found)
    for position in positions:
        branch = messages.shown(conversation_id, position, len(before)).messages
        if [(row.role, row.content) for row in branch] == list(before):
            return position
    raise Invalid(
        "What was said before is not in this conversation. Send it without the conversation's id "
        "to begin a new one, or only the new question to go on where it ends."
    )
