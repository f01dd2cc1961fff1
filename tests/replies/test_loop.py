"""The loop takes work from any thread, and ends."""

from __future__ import annotations

import asyncio
import threading

from chatweb.replies.loop import Loop


def test_it_works_in_a_thread_of_its_own() -> None:
    loop, found = Loop(), []

    async def work() -> None:
        found.append(threading.current_thread().name)

    loop.run(work(), 5)
    loop.close()
    assert found == ["loop"]


def test_work_that_takes_too_long_is_left() -> None:
    loop = Loop()

    loop.run(asyncio.sleep(60), 0.01)

    loop.close()


def test_its_thread_ends_with_it() -> None:
    loop = Loop()

    loop.close()

    assert "loop" not in {each.name for each in threading.enumerate()}


def test_what_is_left_when_it_ends_is_told_so() -> None:
    loop = Loop()
    begun, told = threading.Event(), threading.Event()
    tasks = []

    async def wait_for_ever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.set()
            raise

    loop.call(lambda: tasks.append(asyncio.ensure_future(wait_for_ever())))
    assert begun.wait(5)
    loop.close()

    assert told.is_set()
