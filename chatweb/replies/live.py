"""The text of one answer in progress, as this process knows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

HEARTBEAT = 10.0
"""Seconds of silence after which a reader gets a sign of life: a browser that left is noticed
only when something is written to it."""

PACE = 0.1
"""Seconds between two looks of a reader at a growing text."""

READERS_PER_PACE = 250
"""So many readers in a process slow each other's looks down by one more ``PACE``: waking threads
costs more than all the rest."""


@dataclass(frozen=True)
class End:
    """How an answer ended; ``details`` is what is kept with the message."""

    status: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Glimpse(NamedTuple):
    """What a reader sees at one moment; ``text`` None is a sign of life without news."""

    text: str | None
    ended: bool


class LiveText:
    """A text that grows in one thread and is read in others.

    ``begun`` is set with the first letter, ``over`` when its end is committed: what is shown
    after that is what a reload would show. ``text``: what it begins with, which is kept already.
    ``when_kept`` is called with status and text once its end is committed; it must not wait.
    ``details``: what its message knows already. ``is_elsewhere``: another process goes on with it.
    ``hears``: called with the first letter and at the end, in whatever thread.
    """

    readers = 0
    """Readers of all texts in this process."""
    _counting = threading.Lock()

    def __init__(self, answer_id: int, text: str = "") -> None:
        self.answer_id = answer_id
        self.begun = threading.Event()
        self.over = threading.Event()
        self.end: End | None = None
        self.seen_by_stopper: int | None = None
        self.when_kept: Callable[[str, str], None] | None = None
        self.details: Mapping[str, Any] = {}
        self.is_elsewhere = False
        self._followers = 0
        self.hears: set[Callable[[], None]] = set()
        self._lock = threading.Lock()
        self._parts = [text] if text else []
        self._length = len(text)
        if text:
            self.begun.set()

    def __len__(self) -> int:
        return self._length

    def append(self, text: str) -> None:
        with self._lock:
            self._parts.append(text)
            self._length += len(text)
        if not self.begun.is_set():
            self.begun.set()
            self._notify()

    def text(self) -> str:
        with self._lock:
            if len(self._parts) > 1:
                self._parts = ["".join(self._parts)]
            return self._parts[0] if self._parts else ""

    def replace(self, text: str) -> None:
        """Put what is stored in the place of what was seen."""
        with self._lock:
            self._parts = [text]
            self._length = len(text)

    def finish(self, text: str | None = None) -> None:
        """The end is committed: let every reader go, with ``text`` if it is another one."""
        if text is not None:
            self.replace(text)
        self.begun.set()
        self.over.set()
        self._notify()

    def part(self) -> None:
        """Another process goes on with it: let every reader go, to follow it there."""
        self.is_elsewhere = True
        self.begun.set()
        self.over.set()
        self._notify()

    def _notify(self) -> None:
        for hear in list(self.hears):
            hear()

    @property
    def is_followed(self) -> bool:
        """Whether anybody in this process reads it at this moment."""
        return bool(self.hears) or self._followers > 0

    def follow(self) -> Iterator[Glimpse]:
        """The text whenever it has grown, until its end; no end where it goes on elsewhere."""
        self._count(1)
        try:
            yield from self._glimpses()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with LiveText._counting:
            LiveText.readers += change
            self._followers += change

    def _glimpses(self) -> Iterator[Glimpse]:
        while not self.begun.wait(HEARTBEAT):
            yield Glimpse(None, False)
        shown, silent = -1, 0.0
        while True:
            ended = self.over.is_set()
            if self.is_elsewhere:
                return
            if ended or len(self) != shown:
                text = self.text()
                yield Glimpse(text, ended)
                shown, silent = len(text), 0.0
            elif silent >= HEARTBEAT:
                yield Glimpse(None, False)
                silent = 0.0
            if ended:
                return
            pace = PACE * (1 + LiveText.readers // READERS_PER_PACE)
            self.over.wait(pace)
            silent += pace
