"""The checker sees what it is there to see: each history here was broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from uuid import UUID

import pytest

from tests.faults.histories import Conversation, History, Message, Report, Send, Stored
from tests.faults.invariants import violations
from tests.faults.soak.telling import counted

CHAT, OTHER, OWNER = UUID(int=1), UUID(int=2), UUID(int=3)
FIRST, SECOND, REFUSED, LOST = UUID(int=11), UUID(int=12), UUID(int=13), UUID(int=14)
EDITED, TRIED, REST = UUID(int=15), UUID(int=16), UUID(int=17)

Break = Callable[[History, Stored], None]


def healthy() -> tuple[History, Stored]:
    """Two questions answered, one refused, one of which nothing was heard; a bystander.

    The second one was also asked in other words, answered once more, and that answer, which was
    cut, went on.
    """
    theirs = Stored(
        [Conversation(OTHER, OWNER, "theirs", "active", 1, 1)],
        [Message(9, OTHER, 1, None, "user", "complete", "theirs", None)],
    )
    stored = Stored(
        [Conversation(CHAT, OWNER, "mine", "active", 8, 8), *theirs.conversations],
        [
            Message(1, CHAT, 1, None, "user", "complete", "one?", FIRST),
            Message(2, CHAT, 2, 1, "assistant", "complete", "yes, one", None),
            Message(3, CHAT, 3, 2, "user", "complete", "two?", SECOND),
            Message(4, CHAT, 4, 3, "assistant", "interrupted", "yes, t", None),
            Message(5, CHAT, 5, 2, "user", "complete", "two, then?", EDITED),
            Message(6, CHAT, 6, 5, "assistant", "complete", "yes, two", None),
            Message(7, CHAT, 7, 3, "assistant", "stopped", "yes, tw", TRIED),
            Message(8, CHAT, 8, 3, "assistant", "complete", "yes, two, as I said", REST),
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
            Send("me", EDITED, "two, then?", 303, CHAT, 5, sibling_of=3),
            Send("me", TRIED, "", 303, CHAT, 7, sibling_of=4),
            Send("me", REST, "", 303, CHAT, 8, sibling_of=7, goes_on=True),
        ],
        shown={(CHAT, 2): "yes, one", (CHAT, 4): "yes, t"},
        told=[((CHAT, 4), "yes, t")],
        kept={(CHAT, 4): "yes,"},
        ways={(CHAT, 4): [1, 2, 3, 4], (CHAT, 6): [1, 2, 5, 6], (CHAT, 8): [1, 2, 3, 8]},
        whole={"one?": "yes, one", "two?": "yes, two"},
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
    stored.messages.append(row._replace(id=100, position=9))
    conversation(stored, message_count=9)


def again(stored: Stored, number: int, request_id: UUID | None, **changes: object) -> None:
    """A message is there a second time, at the end of the branch shown; a question is answered."""
    row = next(each for each in stored.messages if each.id == number)
    added = [row._replace(id=100, position=9, request_id=request_id, **changes)]  # type: ignore[arg-type]
    if row.role == "user":
        added[0] = added[0]._replace(parent=8)
        added.append(Message(101, CHAT, 10, 9, "assistant", "complete", "yes", None))
    stored.messages += added
    conversation(stored, message_count=8 + len(added), head=8 + len(added))


def conversation(stored: Stored, **changes: object) -> None:
    stored.conversations[0] = stored.conversations[0]._replace(**changes)


def swap(stored: Stored) -> None:
    """Two messages take each other's places, and nothing else."""
    message(stored, 4, position=8)
    message(stored, 8, position=4)


def send(history: History, number: int, **changes: object) -> None:
    history.sends[number] = replace(history.sends[number], **changes)  # type: ignore[arg-type]


BROKEN: list[tuple[str, Break]] = [
    ("I1", lambda _, stored: drop(stored, 3)),
    ("I1", lambda _, stored: double(stored, 1)),
    ("I1", lambda _, stored: message(stored, 1, content="one")),
    ("I1", lambda _, stored: message(stored, 3, position=7)),
    ("I1", lambda _, stored: drop(stored, 6)),
    ("I1", lambda _, stored: drop(stored, 7)),
    ("I1", lambda _, stored: double(stored, 7)),
    ("I1", lambda _, stored: message(stored, 5, content="two?")),
    ("I1", lambda _, stored: again(stored, 1, UUID(int=99))),
    ("I1", lambda _, stored: again(stored, 1, None)),
    ("I1", lambda _, stored: again(stored, 1, UUID(int=99), content="never asked")),
    ("I1", lambda _, stored: again(stored, 2, None)),
    ("I1", lambda _, stored: again(stored, 7, UUID(int=99))),
    ("I1", lambda _, stored: swap(stored)),
    ("I2", lambda _, stored: message(stored, 4, position=5)),
    ("I2", lambda _, stored: drop(stored, 6)),
    ("I2", lambda _, stored: conversation(stored, message_count=7)),
    ("I2", lambda _, stored: conversation(stored, message_count=9)),
    ("I2", lambda _, stored: message(stored, 5, parent=4)),
    ("I2", lambda _, stored: message(stored, 5, parent=None)),
    ("I2", lambda _, stored: message(stored, 7, parent=1)),
    ("I2", lambda _, stored: message(stored, 7, parent=5)),
    ("I2", lambda _, stored: message(stored, 6, parent=4)),
    ("I2", lambda _, stored: message(stored, 6, parent=99)),
    ("I2", lambda _, stored: message(stored, 3, parent=6)),
    ("I2", lambda _, stored: message(stored, 2, role="user")),
    ("I2", lambda _, stored: conversation(stored, head=3)),
    ("I2", lambda history, _: history.ways.update({(CHAT, 6): [1, 2, 3, 6]})),
    ("I2", lambda history, _: history.ways.update({(CHAT, 6): [1, 2, 6]})),
    ("I2", lambda history, _: history.ways.update({(CHAT, 10): [1, 2, 10]})),
    ("I2", lambda _, stored: message(stored, 9, conversation=UUID(int=99))),
    ("I2", lambda history, _: history.sends.reverse()),
    ("I2", lambda _, stored: conversation(stored, head=9)),
    ("I3", lambda _, stored: message(stored, 4, status="streaming")),
    ("I3", lambda _, stored: setattr(stored, "pieces", 2)),
    ("I4", lambda history, _: history.shown.update({(CHAT, 2): "yes, on"})),
    ("I4", lambda _, stored: message(stored, 4, content="yes")),
    ("I4", lambda history, _: history.told.append(((CHAT, 6), "yes, t"))),
    ("I4", lambda history, _: history.whole.update({"two, then?": "yes, two, then"})),
    ("I4", lambda _, stored: message(stored, 7, status="complete")),
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


@pytest.mark.parametrize("number", [1, 2, 7])
def test_what_is_there_twice_is_counted(number: int) -> None:
    history, stored = healthy()
    assert counted(history, stored)["doubled or never asked"] == 0

    again(stored, number, UUID(int=99) if number != 2 else None)

    assert counted(history, stored)["doubled or never asked"] == 1
