"""``python -m tests.faults.soak.kills --rounds 1000 --database sqlite``: acknowledge, then kill.

A round: some question is acknowledged, and at a random moment afterwards a worker, at times all of
them or the master too, is killed. What was acknowledged is there afterwards, exactly once.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from random import Random

import psutil

from tests.faults.people import Person
from tests.faults.places import KINDS, Place, place
from tests.faults.programs import Program
from tests.faults.soak.telling import counted, finish, say, shown, tell
from tests.faults.witness import Witness
from tests.scripted_model import Script
from tests.servers import wait_until

PEOPLE = 6
LOOKED_AT = 100
VICTIMS = {"a worker": 90, "all workers": 8, "everything": 2}


def kill_and_ask(place: Place, witness: Witness, rounds: int, random: Random) -> Counter[str]:
    """So many rounds; afterwards whoever heard nothing has sent the same form again.

    :returns: how often what was killed
    """
    place.model.script = Script(tokens=5, interval=0.01)
    victims = random.choices(list(VICTIMS), list(VICTIMS.values()), k=rounds)
    leaving = threading.Event()
    kinds = islice(cycle((Person, Program)), PEOPLE)
    people = [witness.person(place.server, kind) for kind in kinds]
    with ThreadPoolExecutor(len(people)) as pool:
        lives = [pool.submit(keep_asking, person, leaving) for person in people]
        try:
            for number, victim in enumerate(victims, 1):
                one_round(place, witness, random, victim)
                if number % 100 == 0:
                    say(f"{number:6} rounds, {len(witness.history.sends)} sends")
        finally:
            leaving.set()
        for life in lives:
            life.result()
    return Counter(victims)


def one_round(place: Place, witness: Witness, random: Random, victim: str) -> None:
    seen = len(witness.history.sends)
    wait_until(lambda: any(send.acknowledged for send in witness.history.sends[seen:]), seconds=30)
    time.sleep(random.uniform(0, 0.1))
    wait_until(place.workers, seconds=10)
    with contextlib.suppress(psutil.NoSuchProcess):
        match victim:
            case "a worker":
                place.kill(random.choice(place.workers()))
            case "all workers":
                place.kill(*place.workers())
            case "everything":
                place.kill_all()


def keep_asking(person: Person, leaving: threading.Event) -> None:
    """A question after the other, each in a conversation of its own, each until it is known."""
    number = 0
    while not leaving.is_set():
        number += 1
        send = person.begin(f"question {number} of a life among deaths")
        while not send.acknowledged:
            # The last one too is sent again: who leaves has been told about everything.
            time.sleep(0.05)
            send = person.begin(send.text, send.request_id)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak.kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    say(f"{given.rounds} rounds of acknowledge-then-kill on {given.database}, seed {given.seed}")
    began = time.monotonic()
    with place(given.database) as there:
        witness, random = Witness(there.url), Random(given.seed)
        witness.bystander(there.server)
        killed = kill_and_ask(there, witness, given.rounds, random)
        with contextlib.suppress(TimeoutError):
            witness.until_ended()
        found = witness.stored()
        conversations = sorted({each.id for each in found.conversations})
        witness.look(found, set(random.sample(conversations, min(LOOKED_AT, len(conversations)))))
        wrong = witness.findings(there.server, found)
        figures = {"rounds": f"{killed.total()}: {shown(killed)}"}
        tell(
            figures
            | counted(witness.history, found)
            | {"time": f"{time.monotonic() - began:.0f} s"}
        )
        finish(wrong, there)


if __name__ == "__main__":
    main()
