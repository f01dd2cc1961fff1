"""Where a page is: what it shows of its conversation, and what it has heard of it.

By this a page is brought to what there is now: what only follows what it shows is added, and after
anything else the branch is shown anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from chatweb.blueprints import forms

WRITTEN = re.compile(r"([0-9]{1,9})-([0-9]{1,9})-([0-9]{1,9})")


class Place(NamedTuple):
    """``shown``: the last message on the page; ``known``: how many there were, on all branches,
    when it was told last; ``streaming``: the answer being written, on whichever branch."""

    shown: int = 0
    known: int = 0
    streaming: int | None = None

    def __str__(self) -> str:
        return f"{self.shown}-{self.known}-{self.streaming or 0}"

    def growth(self, outline: Sequence[Any], message_count: int) -> Sequence[Any] | None:
        """What of a branch, up to its head, is to be added to the page; None where more happened
        than that something was said behind what is shown."""
        later = [each for each in outline if each.position > self.known]
        if len(later) != message_count - self.known or not self.shown:
            return None
        follows = later[0].parent if later else outline[-1].position
        return later if follows == self.shown else None


NOWHERE = Place()


def place_of(conversation: Any, outline: Sequence[Any], streaming: int | None) -> Place:
    """Where a page is that shows a conversation's branch; ``streaming``: which message of that it
    has as being written."""
    if all(each.position != conversation.streaming for each in outline):
        # On another branch: it can be stopped from here too.
        streaming = conversation.streaming
    return Place(conversation.head, conversation.message_count, streaming)


def after(answer: int, streaming: int | None = None) -> Place:
    """Where a page is that has followed an answer: nothing else is said while one is written."""
    return Place(answer, answer, streaming)


def written(text: str) -> Place | None:
    """The place that ``str`` wrote; None if it is none."""
    found = WRITTEN.fullmatch(text)
    if found is None:
        return None
    shown, known, streaming = map(int, found.groups())
    return Place(shown, known, streaming or None)


def of_form() -> Place | None:
    """Where the page is whose box was sent, nothing being written any more; None: nobody said."""
    shown, known = forms.whole_number("shown"), forms.whole_number("known")
    return None if shown is None else Place(shown, shown if known is None else known)
