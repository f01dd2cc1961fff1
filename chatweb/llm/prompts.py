"""What a model is shown of a conversation: a short instruction and the newest messages.

Sizes are UTF-8 bytes, not characters: tokenizers work on bytes, so a text never makes more tokens
than it has bytes, while a Chinese character or an emoji can make three.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter

SYSTEM = (
    "You are the assistant of chatweb. Answer in the language of the question, in Markdown. "
    "Be brief and honest: if you do not know, say so."
)
GO_ON = (
    "Your answer was cut off. Go on exactly where it ends, with the very next letters: do not "
    "repeat anything, and do not say that you go on."
)
TITLE = (
    "Give the conversation that follows a title: three to six words in the language of its "
    "questions, plain text on one line. Write the title and nothing else."
)
TITLE_SHARE = 1_500
"""Bytes that a message may take in what a title is made from: its beginning says enough."""
AROUND = 8
"""What the model's own marks round a message cost; they are a few tokens each."""

Message = dict[str, str]


def build(
    conversation: Sequence[tuple[str, str]],
    *,
    messages: int,
    size: int,
    system: str = SYSTEM,
    begun: str = "",
) -> list[Message]:
    """The messages to send for the newest question in ``conversation``.

    ``conversation`` is (role, content), oldest first, with roles ``user`` and ``assistant``. At
    most ``messages`` of it are taken, whole, from the newest backwards, while everything together
    stays within ``size`` bytes. The newest question is always there, even where it alone is too
    large, since a part of a question is another question. What comes after it is left out, and
    so are empty answers, which failed; the questions they belonged to stay, and neighbours of
    one role become one message, because many models insist on taking turns.

    ``begun`` is what there is of the answer, where it goes on: its end is given, of at most half of
    the size, and the model is asked for the rest.

    :raises ValueError: there is no question
    """
    said = [(role, content) for role, content in conversation if content.strip()]
    while said and said[-1][0] != "user":
        said.pop()
    if not said:
        raise ValueError("a prompt needs a question")
    instruction = [("system", system)] if system else []
    rest = [("assistant", the_end(begun, size // 2)), ("user", GO_ON)] if begun else []
    room = size - sum(cost(content) for _, content in instruction + rest)
    return joined([*instruction, *newest(said, messages, room), *rest])


def for_title(said: Sequence[tuple[str, str]]) -> list[Message]:
    """What to send for a title of the messages ``said``: (role, content), oldest first.

    They are shown as one text, or a model would rather answer them.
    """
    names = {"user": "Question", "assistant": "Answer"}
    parts = [
        f"{names[role]}: {the_beginning(content.strip(), TITLE_SHARE)}"
        for role, content in said
        if role in names and content.strip()
    ]
    text = "\n\n".join(["The conversation:", *parts, "The title of this conversation is:"])
    return [{"role": "system", "content": TITLE}, {"role": "user", "content": text}]


def the_beginning(text: str, size: int) -> str:
    """The first ``size`` bytes of ``text``, or a few less; marked where it was cut."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= size else data[:size].decode("utf-8", "ignore") + " …"


def the_end(text: str, size: int) -> str:
    """The last ``size`` bytes of ``text``, or a few less."""
    return text.encode("utf-8", "replace")[-size:].decode("utf-8", "ignore")


def newest(said: Sequence[tuple[str, str]], messages: int, size: int) -> Sequence[tuple[str, str]]:
    """The end of ``said`` that fits; it begins with a question."""
    taken = 1
    size -= cost(said[-1][1])
    for _, content in said[-2::-1]:
        size -= cost(content)
        if size < 0 or taken >= messages:
            break
        taken += 1
    while said[-taken][0] != "user":
        taken -= 1
    return said[-taken:]


def joined(said: Iterable[tuple[str, str]]) -> list[Message]:
    """Neighbours of one role as one message."""
    return [
        {"role": role, "content": "\n\n".join(content for _, content in group)}
        for role, group in groupby(said, key=itemgetter(0))
    ]


def cost(content: str) -> int:
    """What a message takes of the budget."""
    return len(content.encode("utf-8", "replace")) + AROUND
