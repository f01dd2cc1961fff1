"""The schedule of a soak: trouble by chance, the same for the same seed, and how long each cost."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from tests.faults.histories import Report
from tests.faults.people import Person
from tests.faults.places import Place
from tests.faults.soak import troubles
from tests.faults.soak.telling import shown
from tests.faults.witness import Witness
from tests.servers import wait_until

STEADY = 1.5
"""Seconds a sky must have lasted before /health has to know: it may tell what it found a second
ago."""

PATIENCE = 60.0
"""Seconds without any acknowledgement after which a soak is given up."""


@dataclass
class Weather:
    """One trouble after the other; the next one only after somebody has been acknowledged again.

    ``recoveries``: for each, the seconds from its moment (see ``troubles``) to the acknowledgement
    of a form that was sent after it. ``silences``: the longest time, from its beginning until all
    was well again, in which nobody was acknowledged.
    """

    place: Place
    witness: Witness
    random: Random
    say: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)
    recoveries: list[tuple[float, str]] = field(default_factory=list)
    silences: list[tuple[float, str]] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Trouble for so long."""
        began = time.monotonic()
        kinds = troubles.of(self.place)
        coming: list[troubles.Trouble] = []
        while time.monotonic() < began + seconds:
            time.sleep(self.random.uniform(1, 6))
            # Each once before any comes again, so that a short soak has seen them all.
            coming = coming or self.random.sample(kinds, len(kinds))
            self._progress(began, troubles.name(coming[-1]))
            self._happens(coming.pop())
        self._progress(began, "the last trouble is over")

    def told(self) -> dict[str, object]:
        return {
            "troubles": f"{self.counts.total()}: {shown(self.counts)}",
            "longest recoveries": longest(self.recoveries),
            "longest silences": longest(self.silences),
        }

    def _progress(self, began: float, what: str) -> None:
        sends = list(self.witness.history.sends)
        done = sum(send.acknowledged for send in sends)
        minute, second = divmod(int(time.monotonic() - began), 60)
        self.say(f"{minute:3}:{second:02}  {done:6} of {len(sends)} forms acknowledged; {what}")

    def _happens(self, trouble: troubles.Trouble) -> None:
        name = troubles.name(trouble)
        self.counts[name] += 1
        self.place.turns("unsure")
        began = time.monotonic()
        moment = trouble(self.place, Random(self.random.random()))
        over = time.monotonic()
        wait_until(lambda: self._acknowledged(over), seconds=PATIENCE, every=0.05)
        well = self._acknowledged(over)[0]
        self.recoveries.append((self._acknowledged(moment)[0] - moment, name))
        times = [began, *(told for told in self._acknowledged(began) if told < well), well]
        silence = max(later - earlier for earlier, later in pairwise(times))
        self.silences.append((silence, name))
        self.place.turns("clear")

    def _acknowledged(self, moment: float) -> list[float]:
        """When forms that were sent after a moment were acknowledged, the first one first."""
        sends = self.witness.history.sends[-5000:]
        return sorted(send.told for send in sends if send.acknowledged and send.began > moment)


def longest(times: list[tuple[float, str]]) -> str:
    return ", ".join(f"{took:.1f} s ({name})" for took, name in sorted(times, reverse=True)[:3])


def watch_health(place: Place, witness: Witness, leaving: threading.Event) -> None:
    """Ask /health all the time, and note what it said where the truth was known."""
    person = Person(place.server.port)
    while not leaving.wait(0.5):
        sky = place.sky
        if sky.name == "unsure" or not sky.lasts(STEADY):
            continue
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = person.get("/health")
            if place.sky is sky:
                report = Report(sky.name == "clear", answer.status, answer.seconds)
                witness.history.reports.append(report)
