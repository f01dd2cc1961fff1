"""What a long run says: its progress, what it counted, for ``docs/`` too, and what was wrong."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from tests.faults.histories import History, Send, Stored
from tests.faults.invariants import never_asked
from tests.faults.places import Place

MOST_SAID = 40
"""Things that do not hold, of which each is said in full."""


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 this is the output


def tell(figures: Mapping[str, object]) -> None:
    say("")
    for name, figure in figures.items():
        say(f"{name:38} {figure}")


def finish(wrong: list[str], place: Place) -> NoReturn:
    """Say what does not hold, and end; what the server wrote is kept where something does not."""
    say(f"\n{len(wrong)} things do not hold:" if wrong else "\nEverything holds.")
    for each in wrong[:MOST_SAID]:
        say(f"- {each}")
    if wrong:
        log = Path(tempfile.mkstemp(prefix="chatweb-soak-", suffix=".log")[1])
        log.write_text(place.server.log())
        say(f"What the server wrote: {log}")
    sys.exit(bool(wrong))


def counted(history: History, stored: Stored) -> dict[str, object]:
    """What became of what people sent; see ``tests.faults.invariants`` for what is wrong."""
    questions = [send for send in history.sends if send.text]
    rows = Counter(each.request_id for each in stored.messages if each.request_id)
    acknowledged = {send.request_id for send in history.sends if send.acknowledged}
    asked = {send.request_id for send in questions if send.acknowledged}
    ends = Counter(each.status for each in stored.messages if each.role == "assistant")
    return {
        "forms sent": len(history.sends),
        "questions acknowledged": len(asked),
        "other answers acknowledged": len(acknowledged - asked),
        "acknowledged and kept": sum(rows[each] > 0 for each in acknowledged),
        "acknowledged and lost": sum(rows[each] == 0 for each in acknowledged),
        "doubled or never asked": len(never_asked(history, stored)),
        "sent again, and the same": again(history.sends),
        "not acknowledged": shown(Counter(told(send) for send in refused(history.sends))),
        "conversations": len(stored.conversations),
        "answers by their end": shown(ends),
        "answers read to the end": len(history.told),
        "deaths that a reader saw": len(history.kept),
        "looks at /health": shown(Counter(str(each.status) for each in history.reports)),
    }


def again(sends: list[Send]) -> int:
    """How many forms were acknowledged more than once."""
    times = Counter(send.request_id for send in sends if send.acknowledged)
    return sum(count > 1 for count in times.values())


def refused(sends: list[Send]) -> list[Send]:
    return [send for send in sends if not send.acknowledged]


def told(send: Send) -> str:
    return "no answer" if send.status is None else str(send.status)


def shown(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "0"
