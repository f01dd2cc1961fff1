"""The tailer: one thread per process follows what happens elsewhere and is watched here.

One query per tick, whatever their number; readers of this process then follow a mirror of the
text, just as they follow a text that is produced here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from flask import Flask

from chatweb.replies.live import LiveText
from chatweb.replies.lookout import Lookout
from chatweb.services import answers
from chatweb.services.errors import Unavailable

logger = logging.getLogger(__name__)

TICK = 0.1
EAGER_TICK = 0.05
"""Seconds between two looks: usually, and while an answer has no text yet. With the scribe's tick
and a reader's pace it makes less than half a second."""

IDLE = 5.0
"""Seconds after which the thread looks whether it is still needed."""


class Tailer:
    """Mirrors of answers that other processes write."""

    def __init__(self, app: Flask) -> None:
        self.lookout = Lookout(self._wake)
        self._app = app
        self._mirrors: dict[int, LiveText] = {}
        self._watchers: dict[int, int] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, answer_id: int) -> Iterator[LiveText]:
        """The mirror of an answer, kept up to date while anybody watches it."""
        with self._lock:
            mirror = self._mirrors.setdefault(answer_id, LiveText(answer_id))
            self._watchers[answer_id] = self._watchers.get(answer_id, 0) + 1
        self._wake()
        try:
            yield mirror
        finally:
            with self._lock:
                self._watchers[answer_id] -= 1
                if not self._watchers[answer_id]:
                    del self._watchers[answer_id], self._mirrors[answer_id]

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tailer", daemon=True)
                self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        self._closing = True
        self._wanted.set()
        if self._thread:
            self._thread.join(5.0)

    def _run(self) -> None:
        with self._app.app_context():
            while not self._closing:
                # Before looking: who comes after the look is heard by the wait.
                self._wanted.clear()
                with self._lock:
                    growing = [each for each in self._mirrors.values() if not each.over.is_set()]
                if not growing and not self.lookout.is_needed:
                    self._wanted.wait(IDLE)
                    continue
                self._turn(growing)
                eager = any(len(each) == 0 for each in growing)
                time.sleep(EAGER_TICK if eager else TICK)

    def _turn(self, growing: list[LiveText]) -> None:
        try:
            self.lookout.look()
            if growing:
                self._follow(growing)
        except Unavailable as away:
            logger.warning("answers of other processes cannot be followed: %s", away)
            time.sleep(TICK)
        except Exception:
            logger.exception("the tailer stumbled")
            time.sleep(TICK)

    def _follow(self, growing: list[LiveText]) -> None:
        news = answers.followed({each.answer_id: len(each) for each in growing})
        found = {each.answer_id: each for each in growing}
        for answer_id, rows in groupby(news, lambda row: row.id):
            self._take(found.pop(answer_id), list(rows))
        for removed in found.values():
            removed.finish()

    def _take(self, mirror: LiveText, rows: list) -> None:  # type: ignore[type-arg]
        if rows[0].status != "streaming":
            mirror.finish(rows[0].content)
            return
        for row in rows:
            if row.text is None:
                return
            if row.offset != len(mirror):
                # A piece was written again, longer, after a commit that seemed to have failed.
                mirror.replace(answers.text_so_far(mirror.answer_id))
                return
            mirror.append(row.text)
