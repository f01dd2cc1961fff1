"""Places to wait: each takes a thread, and a process has only so many."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from chatweb.services.errors import TooMany

CROWDED = 2
"""Seconds after which somebody may have gone who waits for an answer."""


class WaitingRoom:
    """Room to wait for answers: ``most`` in all, and ``share`` of them for one owner."""

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self._taken: Counter[UUID] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, owner_id: UUID) -> Iterator[None]:
        """
        :raises TooMany: all of them are taken, or the owner's share
        """
        self._take(owner_id)
        try:
            yield
        finally:
            self._give_back(owner_id)

    def _take(self, owner_id: UUID) -> None:
        with self._lock:
            if self._taken.total() >= self._most:
                raise TooMany("Too many programs wait for answers here at this moment.", CROWDED)
            if self._taken[owner_id] >= self._share:
                raise TooMany(f"You wait for {self._share} answers here already.", CROWDED)
            self._taken[owner_id] += 1

    def _give_back(self, owner_id: UUID) -> None:
        with self._lock:
            self._taken[owner_id] -= 1
            self._taken += Counter()  # forgets who has none
