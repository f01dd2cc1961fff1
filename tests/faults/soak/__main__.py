"""``python -m tests.faults.soak --minutes 10 --database postgresql --seed 7``."""

from __future__ import annotations

import argparse
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from random import Random

from tests.faults.invariants import violations
from tests.faults.places import KINDS, Place, place
from tests.faults.soak.askers import MARK, Asker
from tests.faults.soak.telling import counted, finish, say, shown, tell
from tests.faults.soak.weather import Weather, watch_health
from tests.faults.witness import Witness

ENDED_WITHIN = 30
"""Seconds after the last trouble until no answer may be said to be coming any more."""

LOOKED_AT = 300
"""Conversations of which every page and branch is compared with what is stored."""


def soak(place: Place, minutes: float, people: int, seed: int) -> list[str]:
    """People and trouble for some minutes; prints what was counted, returns what was wrong."""
    witness = Witness(place.url)
    witness.bystander(place.server)
    witness.history.secrets.append(MARK)
    leaving = threading.Event()
    askers = [Asker(place, witness, f"{seed}-{each}", leaving) for each in range(people)]
    before = place.megabytes()
    began = time.monotonic()

    def progress(trouble: str) -> None:
        sends = list(witness.history.sends)
        done = sum(send.acknowledged for send in sends)
        minute, second = divmod(int(time.monotonic() - began), 60)
        say(f"{minute:3}:{second:02}  {done:6} of {len(sends)} forms acknowledged; {trouble}")

    weather = Weather(place, witness, Random(seed), progress)
    with ThreadPoolExecutor(people + 1) as pool:
        lives = [pool.submit(asker.live) for asker in askers]
        lives.append(pool.submit(watch_health, place, witness, leaving))
        wrong = weathered(weather, began + 60 * minutes, leaving, lives)
        progress("the last trouble is over")
    return wrong + judged(place, witness, weather, before, Random(seed))


def weathered(
    weather: Weather, until: float, leaving: threading.Event, lives: list[Future[None]]
) -> list[str]:
    """Until the end of the trouble; afterwards everybody leaves, whatever happened."""
    wrong = []
    try:
        weather.run(until)
    except (TimeoutError, AssertionError, RuntimeError) as error:
        wrong.append(f"the server did not come back: {error}")
        if weather.place.cluster:
            weather.place.cluster.resume()
    finally:
        leaving.set()
    for life in lives:
        if error := life.exception(60):
            wrong.append(f"somebody's life broke off: {error!r}")
    return wrong


def judged(
    place: Place, witness: Witness, weather: Weather, before: float, random: Random
) -> list[str]:
    ended = time.monotonic()
    with suppress(TimeoutError):
        witness.until_ended(ENDED_WITHIN)
    waited = time.monotonic() - ended
    found = witness.stored()
    conversations = sorted({each.id for each in found.conversations})
    some = random.sample(conversations, min(LOOKED_AT, len(conversations)))
    witness.look(found, set(some))
    wrong = witness.findings(place.server, found)
    order = sum(each.startswith("I2") for each in violations(witness.history, found))
    figures = counted(witness.history, found) | {
        "order errors": order,
        f"still streaming {ENDED_WITHIN} s after": witness.streaming(),
        "the last answer ended after": f"{waited:.1f} s",
        "conversations looked at, every branch": len(some),
        "troubles": f"{weather.counts.total()}: {shown(weather.counts)}",
        "longest recoveries": ", ".join(
            f"{seconds:.1f} s ({name})" for seconds, name in sorted(weather.recoveries)[-3:][::-1]
        ),
        "memory of the server": f"{before:.0f} MB, at last {place.megabytes():.0f} MB",
    }
    tell(figures)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people", type=int, default=8)
    given = parser.parse_args()
    say(
        f"{given.people} people and trouble for {given.minutes:g} minutes on {given.database}, "
        f"seed {given.seed}"
    )
    with place(given.database) as there:
        wrong = soak(there, given.minutes, given.people, given.seed)
        finish(wrong, there)


if __name__ == "__main__":
    main()
