"""``python -m tests.faults.soak --minutes 10 --database postgresql --seed 7``."""

from __future__ import annotations

import argparse
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from random import Random

from tests.faults.invariants import violations
from tests.faults.places import KINDS, Place, place
from tests.faults.soak.askers import MARK, Asker
from tests.faults.soak.telling import counted, finish, say, tell
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
    weather = Weather(place, witness, Random(seed), say)
    before = place.megabytes()
    with ThreadPoolExecutor(2 * people + 1) as pool:
        lives = [pool.submit(life) for asker in askers for life in asker.lives()]
        lives.append(pool.submit(watch_health, place, witness, leaving))
        wrong = weathered(weather, 60 * minutes, leaving) + broken_off(lives)
    ended = waited_for_the_end(witness)
    wrong += looked_at(place, witness, Random(seed))
    found = witness.stored()
    order = [each for each in violations(witness.history, found) if each.startswith("I2")]
    tell(
        counted(witness.history, found)
        | {
            "news that other tabs heard": sum(asker.news for asker in askers),
            "order errors": len(order),
            f"still streaming {ENDED_WITHIN} s after": witness.streaming(),
            "the last answer ended after": f"{ended:.1f} s",
            "memory of the server": f"{before:.0f} MB, at last {place.megabytes():.0f} MB",
        }
        | weather.told()
    )
    return wrong


def weathered(weather: Weather, seconds: float, leaving: threading.Event) -> list[str]:
    """Until the end of the trouble; afterwards everybody leaves, whatever happened."""
    try:
        weather.run(seconds)
    except (AssertionError, OSError, RuntimeError) as error:
        # Put right by hand, so that it can be said what was lost.
        if weather.place.cluster:
            weather.place.cluster.restart()
        weather.place.server.restart()
        return [f"it did not come back: {error!r}"]
    finally:
        leaving.set()
    return []


def broken_off(lives: list[Future[None]]) -> list[str]:
    errors = [life.exception() for life in as_completed(lives)]
    return [f"somebody's life broke off: {error!r}" for error in errors if error]


def waited_for_the_end(witness: Witness) -> float:
    """Wait for the last answer, and say for how many seconds."""
    began = time.monotonic()
    with suppress(TimeoutError):
        witness.until_ended(ENDED_WITHIN)
    return time.monotonic() - began


def looked_at(place: Place, witness: Witness, random: Random) -> list[str]:
    """Compare what pages show, of many conversations, with what is stored; all that is wrong."""
    found = witness.stored()
    conversations = sorted(each.id for each in found.conversations)
    witness.look(found, set(random.sample(conversations, min(LOOKED_AT, len(conversations)))))
    return witness.findings(place.server, found)


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
