"""Who waits longest is served first."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest
from sqlalchemy.exc import TimeoutError as PoolExhausted

from chatweb.database.turns import Turns
from tests.servers import wait_until


def test_so_many_at_once_and_no_more() -> None:
    turns = Turns(2, 0.01)
    with ExitStack() as stack:
        stack.enter_context(turns.turn())
        stack.enter_context(turns.turn())
        with pytest.raises(PoolExhausted), turns.turn():
            pass

    with turns.turn(), turns.turn():
        pass


def test_those_who_wait_are_served_in_their_order_and_nobody_passes_them() -> None:
    turns = Turns(1, 10)
    served: list[int] = []

    def wait(number: int) -> None:
        with turns.turn():
            served.append(number)

    with turns.turn():
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=wait, args=[number]))
            threads[-1].start()
            wait_until(lambda number=number: len(turns._waiting) == number + 1, seconds=5)
    with turns.turn():
        served.append(-1)
    for thread in threads:
        thread.join()

    assert served == [0, 1, 2, 3, 4, -1]


def test_whoever_gave_up_holds_nobody_up() -> None:
    turns = Turns(1, 0.01)
    with turns.turn(), pytest.raises(PoolExhausted), turns.turn():
        pass

    with turns.turn():
        pass
    assert not turns._waiting


def test_no_place_is_lost_where_a_turn_comes_in_the_moment_of_giving_up() -> None:
    turns = Turns(1, 0.002)

    def hurry() -> None:
        for _ in range(50):
            try:
                with turns.turn():
                    time.sleep(0.001)
            except PoolExhausted:
                pass

    threads = [threading.Thread(target=hurry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert turns._free == 1
