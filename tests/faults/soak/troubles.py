"""The troubles of a soak: each returns when nothing more is going to be done about it.

It gives the moment (``time.monotonic``) from which people's patience counts: its beginning, or,
if it lasts for some time by itself, its end. Who hurts the database says so by the place's ``sky``:
only what is certain is "away".
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from random import Random

from tests.faults.places import DATABASE, Place
from tests.locks import held
from tests.servers import wait_until

Trouble = Callable[[Place, Random], float]


def a_worker_is_killed(place: Place, random: Random) -> float:
    victim = random.choice(place.workers())
    began = place.kill(victim)
    wait_until(lambda: victim.pid not in place.server.worker_pids(), seconds=10)
    wait_until(place.all_workers, seconds=10)
    return began


def all_workers_are_killed(place: Place, random: Random) -> float:
    victims = place.workers()
    began = place.kill(*victims)
    gone = {victim.pid for victim in victims}
    wait_until(lambda: not gone & set(place.server.worker_pids()), seconds=10)
    wait_until(place.all_workers, seconds=10)
    return began


def the_master_is_killed(place: Place, random: Random) -> float:
    return place.kill_master()


def everything_is_killed(place: Place, random: Random) -> float:
    return place.kill_all()


def a_worker_stands_still(place: Place, random: Random) -> float:
    """For longer, at times, than others wait until they take it for dead."""
    worker = random.choice(place.workers())
    worker.suspend()
    try:
        time.sleep(random.uniform(0.5, 9))
    finally:
        worker.resume()
    return time.monotonic()


def a_reload(place: Place, random: Random) -> float:
    workers, began = set(place.server.worker_pids()), time.monotonic()
    place.server.master.send_signal(signal.SIGHUP)
    wait_until(lambda: not workers & set(place.server.worker_pids()), seconds=30)
    wait_until(place.all_workers, seconds=10)
    return began


def a_deploy(place: Place, random: Random) -> float:
    began = time.monotonic()
    assert place.server.terminate(grace=20), "TERM was not obeyed in time"
    place.server.start()
    return began


def the_model_refuses(place: Place, random: Random) -> float:
    with place.model.refusing():
        time.sleep(random.uniform(0.5, 4))
    return time.monotonic()


def the_database_is_restarted(place: Place, random: Random) -> float:
    assert place.cluster
    began = time.monotonic()
    place.cluster.restart("fast")
    return began


def the_database_crashes(place: Place, random: Random) -> float:
    assert place.cluster
    began = time.monotonic()
    place.cluster.restart("immediate")
    return began


def the_database_is_stopped(place: Place, random: Random) -> float:
    assert place.cluster
    place.cluster.stop("fast")
    place.turns("away")
    time.sleep(random.uniform(1, 8))
    place.turns("unsure")
    place.cluster.start()
    return time.monotonic()


def the_database_hangs(place: Place, random: Random) -> float:
    assert place.cluster
    place.cluster.suspend()
    place.turns("away")
    time.sleep(random.uniform(0.5, 9))
    place.turns("unsure")
    place.cluster.resume()
    return time.monotonic()


def a_backend_is_killed(place: Place, random: Random) -> float:
    assert place.cluster
    began = time.monotonic()
    if place.cluster.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s", DATABASE):
        place.cluster.kill_backend(DATABASE)
    wait_until(place.cluster._answers, seconds=60)
    return began


def all_connections_are_cut(place: Place, random: Random) -> float:
    assert place.cluster
    place.cluster.terminate_backends(DATABASE)
    return time.monotonic()


def the_file_is_locked(place: Place, random: Random) -> float:
    """By a process of somebody else, for longer, at times, than a send waits."""
    with held(place.file, "BEGIN IMMEDIATE"):
        time.sleep(random.uniform(0.5, 8))
    return time.monotonic()


OF_PROCESSES: list[Trouble] = [
    a_worker_is_killed, all_workers_are_killed, the_master_is_killed, everything_is_killed,
    a_worker_stands_still, a_reload, a_deploy, the_model_refuses,
]  # fmt: skip
OF_POSTGRESQL: list[Trouble] = [
    the_database_is_restarted, the_database_crashes, the_database_is_stopped, the_database_hangs,
    a_backend_is_killed, all_connections_are_cut,
]  # fmt: skip
OF_SQLITE: list[Trouble] = [the_file_is_locked]


def of(place: Place) -> list[Trouble]:
    """All that can happen there."""
    return OF_PROCESSES + (OF_POSTGRESQL if place.cluster else OF_SQLITE)


def name(trouble: Trouble) -> str:
    return trouble.__name__.replace("_", " ")
