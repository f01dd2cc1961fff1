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

from sqlalchemy import Integer, bindparam, func, select

from chatweb.database import reading
from chatweb.database.types import AnyRow
from chatweb.models import Message
from chatweb.services import asking, conversations, messages, texts
from chatweb.services.errors import Conflict, Invalid
from chatweb.services.owners import Owner

Said = Sequence[tuple[str, str]]
"""Role and text, oldest first."""

MOST_ALIKE = 20
"""So many answers of the same text are looked at: which of them was the last one said?"""

SPACE = "".join(letter for letter in map(chr, range(0x3001)) if letter.isspace())
"""What programs take away around an answer: as :meth:`str.strip` does."""

CONTENT = func.ltrim(Message.content, SPACE)
ALIKE = (
    select(Message.position)
    .where(
        Message.conversation_id == bindparam("conversation_id"),
        Message.role == "assistant",
        func.substr(CONTENT, 1, bindparam("length", type_=Integer)) == bindparam("text"),
    )
    .order_by((func.rtrim(CONTENT, SPACE) == bindparam("text")).desc(), Message.position.desc())
    .limit(MOST_ALIKE)
)
"""Answers that are the text or begin with it, the former first, newest first."""


class Transcript(NamedTuple):
    """What was said before, and the question; neighbours of one role are one message."""

    system: str
    before: list[tuple[str, str]]
    question: str

    @property
    def earlier(self) -> list[tuple[str, str]]:
        """All that comes before the question in a conversation of its own."""
        return [("system", self.system), *self.before] if self.system else self.before


def read(said: Said, longest: int, longest_answer: int) -> Transcript:
    """What was sent as it would be kept. What people said has ``longest`` characters at the most,
    all else ``longest_answer``.

    :raises Invalid: it does not end with a question, or something before it is longer
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
    system = texts.storable(system)
    for role, text in [("system", system), *talk[:-1]]:
        check_length(role, text, longest if role == "user" else longest_answer)
    return Transcript(system, talk[:-1], talk[-1][1])


def check_length(role: str, text: str, longest: int) -> None:
    """
    :raises Invalid: it has more characters than are kept of its role
    """
    if len(text) > longest:
        raise Invalid(
            f"A message of the role `{role}` has {len(text):,} characters; it may have at most "
            f"{longest:,}. Neighbours of one role count as one.",
            {"messages": "too long"},
        )


def place(owner: Owner, conversation_id: UUID, before: Said) -> int | None:
    """The position of the answer that what was said ``before`` leads to; None: nothing was said,
    here or there, and the question belongs to the end of the branch that is shown.

    An answer may be known to its program by its beginning only, if its reader left, and without the
    space around it. Where several ways fit it is the one that fits best, of those the newest.

    :raises NotFound: no such conversation of this owner
    :raises Invalid: nothing in the conversation is what was said
    :raises Conflict: it may be what is being written
    """
    conversation = conversations.find(owner, conversation_id)
    if not before or not conversation.message_count:
        return None
    alike = [
        (
            likeness(messages.shown(conversation_id, position, len(before)).messages, before),
            position,
        )
        for position in _ends(conversation_id, before[-1][1].strip())
    ]
    best, position = max(alike, default=(0, 0))
    if best:
        return position
    if conversation.running:
        raise Conflict(asking.BUSY)
    raise Invalid(
        "What was said before is not in this conversation. Send it without the conversation's id "
        "to begin a new one, or only the new question to go on where it ends."
    )


def _ends(conversation_id: UUID, text: str) -> list[int]:
    with reading() as connection:
        found = connection.execute(
            ALIKE, {"conversation_id": conversation_id, "text": text, "length": len(text)}
        ).scalars()
        return list(found)


def likeness(branch: Sequence[AnyRow], said: Said) -> int:
    """0 where a branch is not what was said; else the more, the more of its messages are said to
    their end."""
    if len(branch) != len(said):
        return 0
    whole = 1
    for row, (role, text) in zip(branch, said, strict=True):
        kept, told = row.content.strip(), text.strip()
        is_cut = role == "assistant" and kept.startswith(told)
        if row.role != role or not (kept == told or is_cut):
            return 0
        whole += kept == told
    return whole
