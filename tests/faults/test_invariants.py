"""The checker sees what it is there to see: each history here was broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from uuid import UUID

import pytest

from tests.faults.invariants import (
    Conversation,
    History,
    Message,
    Report,
    Send,
    Stored,
    violations,
)

CHAT, OTHER, OWNER = UUID(int=1), UUID(int=2), UUID(int=3)
FIRST, SECOND, REFUSED, LOST = UUID(int=11), UUID(int=12), UUID(int=13), UUID(int=14)

Break = Callable[[History, Stored], None]


def healthy() -> tuple[History, Stored]:
    """Two questions answered, one refused, one of which nothing was heard; a bystander."""
    theirs = Stored(
        [Conversation(OTHER, OWNER, "theirs", "active", 1, 1)],
        [Message(9, OTHER, 1, None, "user", "complete", "theirs", None)],
    )
    stored = Stored(
        [Conversation(CHAT, OWNER, "mine", "active", 4, 4), *theirs.conversations],
        [
            Message(1, CHAT, 1, None, "user", "complete", "one?", FIRST),
            Message(2, CHAT, 2, 1, "assistant", "complete", "yes, one", None),
            Message(3, CHAT, 3, 2, "user", "complete", "two?", SECOND),
            Message(4, CHAT, 4, 3, "assistant", "interrupted", "yes, t", None),
            *theirs.messages,
        ],
    )
    history = History(
        sends=[
            Send("me", FIRST, "one?", 303, CHAT, 1),
            Send("me", FIRST, "one?", 303, CHAT, 1),
            Send("me", SECOND, "two?", 303, CHAT, 3),
            Send("me", REFUSED, "three?", 503, box="three?"),
            Send("me", LOST, "four?", None),
        ],
        shown={(CHAT, 2): "yes, one", (CHAT, 4): "yes, t"},
        kept={(CHAT, 4): "yes,"},
        reports=[Report(True, 200, 0.1), Report(False, 503, 2.4)],
        bystanders=deepcopy(theirs),
        log="nothing to see",
        secrets=["hunter2"],
    )
    return history, stored


def test_a_good_history_breaks_nothing() -> None:
    assert violations(*healthy()) == []


def message(stored: Stored, number: int, **changes: object) -> None:
    place = next(place for place, each in enumerate(stored.messages) if each.id == number)
    stored.messages[place] = stored.messages[place]._replace(**changes)


def drop(stored: Stored, number: int) -> None:
    stored.messages = [each for each in stored.messages if each.id != number]


def double(stored: Stored, number: int) -> None:
    row = next(each for each in stored.messages if each.id == number)
    stored.messages.append(row._replace(id=100, position=5))


def send(history: History, number: int, **changes: object) -> None:
    history.sends[number] = replace(history.sends[number], **changes)  # type: ignore[arg-type]


BROKEN: list[tuple[str, Break]] = [
    ("I1", lambda _, stored: drop(stored, 3)),
    ("I1", lambda _, stored: double(stored, 1)),
    ("I1", lambda _, stored: message(stored, 1, content="one")),
    ("I1", lambda _, stored: message(stored, 3, position=7)),
    ("I1", lambda _, stored: drop(stored, 4)),
    ("I2", lambda _, stored: message(stored, 4, position=5)),
    ("I2", lambda _, stored: message(stored, 9, conversation=UUID(int=99))),
    ("I2", lambda history, _: history.sends.reverse()),
    (
        "I2",
        lambda _, stored: stored.conversations.__setitem__(
            0, stored.conversations[0]._replace(head=9)
        ),
    ),
    ("I3", lambda _, stored: message(stored, 4, status="streaming")),
    ("I3", lambda _, stored: setattr(stored, "pieces", 2)),
    ("I4", lambda history, _: history.shown.update({(CHAT, 2): "yes, on"})),
    ("I4", lambda _, stored: message(stored, 4, content="yes")),
    ("I5", lambda _, stored: message(stored, 9, content="theirs, changed")),
    ("I5", lambda _, stored: drop(stored, 9)),
    ("I6", lambda history, _: history.reports.append(Report(False, 200, 0.1))),
    ("I6", lambda history, _: history.reports.append(Report(True, 503, 0.1))),
    ("I6", lambda history, _: history.reports.append(Report(False, 503, 2.6))),
    ("I7", lambda history, _: setattr(history, "log", "postgresql://me:hunter2@there/chat")),
    ("I8", lambda history, _: send(history, 3, box="")),
]


@pytest.mark.parametrize(("invariant", "spoil"), BROKEN)
def test_what_is_broken_is_seen(invariant: str, spoil: Break) -> None:
    history, stored = healthy()
    spoil(history, stored)
    found = violations(history, stored)
    assert any(each.startswith(invariant) for each in found), found
