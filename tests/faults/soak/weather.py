"""The schedule of a soak: trouble by chance, the same for the same seed, and how long each cost."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.faults.histories import Report
from tests.faults.people import Person
from tests.faults.places import Place
from tests.faults.soak import troubles
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
    of a form that was sent after it.
    """

    place: Place
    witness: Witness
    random: Random
    say: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)
    recoveries: list[tuple[float, str]] = field(default_factory=list)

    def run(self, until: float) -> None:
        """Trouble until a moment of ``time.monotonic``."""
        kinds = troubles.of(self.place)
        coming: list[troubles.Trouble] = []
        while time.monotonic() < until:
            time.sleep(self.random.uniform(1, 6))
            # Each once before any comes again, so that a short soak has seen them all.
            coming = coming or self.random.sample(kinds, len(kinds))
            self._happens(coming.pop())

    def _happens(self, trouble: troubles.Trouble) -> None:
        name = troubles.name(trouble)
        self.say(name)
        self.counts[name] += 1
        self.place.turns("unsure")
        moment = trouble(self.place, Random(self.random.random()))
        over = time.monotonic()
        wait_until(lambda: self._acknowledged_after(over), seconds=PATIENCE, every=0.05)
        self.recoveries.append((self._acknowledged_after(moment) - moment, name))
        self.place.turns("clear")

    def _acknowledged_after(self, moment: float) -> float:
        """When the first form that was sent after it was acknowledged; 0: none yet."""
        told = [
            send.told
            for send in self.witness.history.sends[-5000:]
            if send.acknowledged and send.began > moment
        ]
        return min(told, default=0.0)


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
