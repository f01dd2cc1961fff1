"""The lookout: what changed in whose conversations, for the open pages of this process.

One query a look, whatever the number of pages; in the tailer's thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from uuid import UUID

from chatweb.database.types import AnyRow
from chatweb.services import changes

PACE = 0.3
"""Seconds between two looks."""

LATE = 10.0
"""Seconds that a change may be noted before it can be seen: no transaction takes longer."""

EARLIER = 1000
"""So many numbers before the newest one may still come when the first page opens."""

Hears = Callable[[set[UUID]], None]
"""Is told the conversations that changed, in the tailer's thread."""


class Lookout:
    """Who is told of which owner's changes."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._hears: dict[UUID, Hears] = {}
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._horizon: deque[tuple[float, int]] = deque()
        self._known: set[int] = set()

    def watch(self, owner_id: UUID, hears: Hears) -> None:
        with self._lock:
            self._hears[owner_id] = hears
        self._wake()

    def leave(self, owner_id: UUID) -> None:
        with self._lock:
            self._hears.pop(owner_id, None)

    @property
    def is_needed(self) -> bool:
        return bool(self._hears)

    def look(self) -> None:
        """Tell what is new, if it is time to look.

        :raises Unavailable: the database is away; the next look finds what this one missed
        """
        now = time.monotonic()
        if not self._hears or now - self._looked < PACE:
            return
        # A look that fails counts: after an outage it goes on from where it was.
        was_away, self._looked = now - self._looked > LATE, now
        if was_away or not self._horizon:
            self._begin(now)
        news: dict[UUID, set[UUID]] = {}
        for row in self._rows(now):
            if row.id > self._horizon[0][1] and row.id not in self._known:
                self._known.add(row.id)
                news.setdefault(row.owner_id, set()).add(row.conversation_id)
        self._move_on(now)
        for owner_id, conversations in news.items():
            if hears := self._hears.get(owner_id):
                hears(conversations)

    def _rows(self, now: float) -> Sequence[AnyRow]:
        """What is behind the horizon. Where nothing reaches up to it the numbers have begun again,
        as in a database that was restored, and so do we."""
        rows = changes.since(low := self._horizon[0][1])
        if low and (not rows or rows[-1].id < low):
            self._begin(now)
            rows = changes.since(self._horizon[0][1])
        return rows

    def _begin(self, now: float) -> None:
        """What is older than the pages that are open was shown by them."""
        start = max(0, changes.newest() - EARLIER)
        self._known = {row.id for row in changes.since(start) if row.age > LATE}
        self._horizon = deque([(now, start)])

    def _move_on(self, now: float) -> None:
        self._horizon.append((now, max(self._known, default=self._horizon[-1][1])))
        while now - self._horizon[1][0] > LATE:
            self._horizon.popleft()
        low = self._horizon[0][1]
        self._known = {number for number in self._known if number > low}
