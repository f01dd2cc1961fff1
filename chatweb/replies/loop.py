"""The event loop of a process, in a thread of its own: network only, never a wait for a disk."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Loop:
    """An asyncio loop that other threads hand work to."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Let the loop call ``function``, from any thread; does not wait for it."""
        # Without the caller's context: what the loop does is nobody's request.
        self._loop.call_soon_threadsafe(function, *args, context=Context())

    def run(self, work: Coroutine[Any, Any, None], timeout: float) -> None:
        """Let the loop do ``work``, and wait for its end from another thread."""
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)
        except TimeoutError:
            logger.error("the loop did not end its work within %s s", timeout)

    def result(self, work: Coroutine[Any, Any, Result], timeout: float) -> Result:
        """What ``work`` returned or raised in the loop; for other threads.

        :raises TimeoutError: not within ``timeout`` seconds; the work is given up
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        finally:
            future.cancel()

    def close(self, timeout: float = 2.0) -> None:
        self.call(self._loop.stop)
        self._thread.join(timeout)
