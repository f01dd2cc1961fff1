"""The scribe: one thread per process, database only.

Every tick it writes what all live answers of the process have gained, in one transaction,
whatever their number, and their ends; it sees who asked to stop, and renews the heartbeat while
there is something to be alive for. Every few seconds it looks for answers of dead processes, which
are ended, or taken up again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Set
from uuid import UUID

from flask import Flask

from chatweb.database.types import AnyRow
from chatweb.replies.live import LiveText
from chatweb.services import answers, changes, limits
from chatweb.services.answers import Ending
from chatweb.services.errors import Unavailable
from chatweb.services.pieces import Piece

logger = logging.getLogger(__name__)

TICK = 0.25
SHORTEST_TICK = 0.05
"""Seconds between two writes: usually, and when a first letter or an end is waiting."""

BEAT = 1.0
"""Seconds between two heartbeats."""

AWAKE = 10.0
"""Seconds the heart goes on after the last answer, so that a new one finds it fresh."""

REAP = 1.0
"""Seconds between two looks for answers of dead processes."""

PORTION = 100
"""So many of them are ended or taken up after one look: our own answers must not wait for long."""

FORGET = 60.0
"""Seconds between two times of forgetting changes that every page has heard of, and counts of
questions whose period is over."""


class Scribe:
    """Keeps the live answers of this process. ``stop`` ends one whose reader asked for it;
    ``settle`` is given those of dead processes, by id, with their process."""

    def __init__(
        self, app: Flask, process_id: UUID, stop: Callable[[LiveText, int], None],
        settle: Callable[[Mapping[int, UUID]], object] = answers.interrupt,
    ) -> None:  # fmt: skip
        self.process_id = process_id
        self._settle = settle
        self._app = app
        self._stop = stop
        self._live: dict[int, LiveText] = {}
        self._kept: dict[int, int] = {}
        self._suspects: dict[int, float] = {}
        self._lock = threading.Lock()
        self._urgent = threading.Event()
        self._closing = False
        self._is_behind = False
        self._beaten = self._steady_since = float("-inf")
        self._active = self._reaped = self._forgot = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="scribe", daemon=True)
        self._thread.start()

    def add(self, live: LiveText) -> None:
        with self._lock:
            self._kept[live.answer_id] = len(live)
            self._live[live.answer_id] = live

    def find(self, answer_id: int) -> LiveText | None:
        return self._live.get(answer_id)

    def wake(self) -> None:
        """Something waits that should not wait for the tick."""
        self._urgent.set()

    def be_alive(self) -> None:
        """Make sure the heartbeat is fresh before an answer is entrusted to this process.

        :raises Unavailable: the database is away
        """
        self._active = time.monotonic()
        if self._active - self._beaten > 2 * BEAT:
            answers.beat(self.process_id)
            self._note_beat()

    def wait_for_ends(self, patience: float) -> None:
        """Wait at most ``patience`` seconds until no answer is being written here any more."""
        latest = time.monotonic() + patience
        while self._live and time.monotonic() < latest:
            time.sleep(SHORTEST_TICK)

    def close(self) -> None:
        """Write what there is and end the thread. Readers of what has no end are let go."""
        self._closing = True
        self.wake()
        self._thread.join(5.0)
        for live in list(self._live.values()):
            live.part()

    def _run(self) -> None:
        with self._app.app_context():
            while not self._closing:
                self._urgent.wait(TICK)
                self._urgent.clear()
                started = time.monotonic()
                self._turn()
                if not self._closing:
                    time.sleep(max(0.0, SHORTEST_TICK - (time.monotonic() - started)))
            self._turn()
            self._retire()

    def _turn(self) -> None:
        try:
            self._write()
            is_time = self._is_behind or time.monotonic() - self._reaped > REAP
            if is_time and not self._closing:
                self._reap()
        except Unavailable as away:
            # Texts wait in memory; readers follow them there until the database is back.
            self._beaten = float("-inf")
            logger.warning("answers could not be kept: %s", away)
            time.sleep(TICK)
        except Exception:
            logger.exception("the scribe stumbled")
            time.sleep(TICK)

    def _write(self) -> None:
        with self._lock:
            lives = list(self._live.values())
        if lives:
            self._active = time.monotonic()
        beat = time.monotonic() - self._beaten > BEAT and time.monotonic() - self._active < AWAKE
        endings = [self._ending(live) for live in lives if live.end]
        ending_ids = {ending.answer_id for ending in endings}
        pieces = [self._piece(live) for live in lives if live.answer_id not in ending_ids]
        gained = [piece for piece in pieces if piece.text]
        if gained or endings or beat:
            stops = self._keep(gained, endings, beat)
        elif lives:
            stops = answers.stops(self.process_id)
        else:
            return
        for answer_id, seen in stops.items():
            if (live := self._live.get(answer_id)) is not None:
                self._stop(live, seen)

    def _keep(self, gained: list[Piece], endings: list[Ending], beat: bool) -> Mapping[int, int]:
        ending_ids = [each.answer_id for each in endings]
        if unseen := [each for each in ending_ids if not self._live[each].is_followed]:
            # Before their end: who follows them in another process can then say that it was seen.
            answers.unseen(unseen)
        kept = answers.keep(self.process_id, gained, endings, heartbeat=beat)
        if beat:
            self._note_beat()
        for piece in gained:
            self._kept[piece.answer_id] = piece.offset + len(piece.text)
        self._drop(kept.over)
        for ending in endings:
            self._let_go(ending, ending.answer_id in kept.ended)
        return kept.stops

    def _piece(self, live: LiveText) -> Piece:
        offset = self._kept[live.answer_id]
        return Piece(live.answer_id, offset, live.text()[offset:] if len(live) > offset else "")

    def _ending(self, live: LiveText) -> Ending:
        assert live.end is not None  # noqa: S101 for the type checker; the caller looked
        text = live.text()
        if live.end.status == "stopped" and live.seen_by_stopper is not None:
            text = text[: live.seen_by_stopper]
        details = {**live.details, **live.end.details}
        return Ending(live.answer_id, live.end.status, text, details)

    def _let_go(self, ending: Ending, was_first: bool) -> None:
        """Tell the readers, who get what is stored even if somebody else ended the answer."""
        text = ending.text if was_first else answers.ended_text(ending.answer_id)
        live = self._forget(ending.answer_id)
        self._release(live, text)
        if was_first and live.when_kept:
            live.when_kept(ending.status, ending.text)

    def _drop(self, answer_ids: Set[int]) -> None:
        """Let go of answers that somebody else ended or goes on with, or whose rows are gone: their
        readers get what is stored."""
        for answer_id in answer_ids:
            text = answers.ended_text(answer_id)
            live = self._forget(answer_id)
            self._stop(live, 0)
            self._release(live, text)

    def _forget(self, answer_id: int) -> LiveText:
        with self._lock:
            del self._kept[answer_id]
            return self._live.pop(answer_id)

    @staticmethod
    def _release(live: LiveText, text: str | None) -> None:
        if text is None:
            live.part()
        else:
            live.finish(text)

    def _note_beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten > answers.QUIET / 2:
            self._steady_since = now
        self._beaten = now

    def _reap(self) -> None:
        """End what dead processes left behind, or go on with it.

        After the database was away nobody's heart has beaten; so processes that have not been
        steady themselves for a while do not judge others yet, but look which of their own answers
        others have ended meanwhile. Those of a process that has signed off need no judgement.
        """
        self._reaped = time.monotonic()
        if self._reaped - self._forgot > FORGET:
            self._forgot = self._reaped
            changes.forget()
            limits.forget()
        steady = self._reaped - self._steady_since >= answers.QUIET
        if not steady and (known := set(self._live)):
            self._drop(known - answers.written_by(self.process_id, list(known)))
        orphans = [each for each in answers.orphans(self.process_id) if each.id not in self._live]
        if orphans:
            self.be_alive()
        dead = {
            each.id: each.process_id
            for each in orphans
            if each.signed_off or (steady and self._is_left(each))
        }
        seen = self._suspects if steady else {}
        self._suspects = {each.id: seen.get(each.id, self._reaped) for each in orphans}
        if dead:
            self._settle(share(dead, self.process_id))
        self._is_behind = len(dead) > PORTION

    def _is_left(self, orphan: AnyRow) -> bool:
        """Whether an answer was seen before, as nobody's; one said to be ours long before: it may
        have been committed a moment ago, by a thread that had no turn since."""
        first_seen = self._suspects.get(orphan.id, float("inf"))
        patience = answers.QUIET if orphan.process_id == self.process_id else 0.0
        return self._reaped - first_seen >= patience

    def _retire(self) -> None:
        try:
            answers.retire(self.process_id)
        except Unavailable:
            logger.warning("this process could not sign off: the database is away")


def share(dead: Mapping[int, UUID], process_id: UUID) -> dict[int, UUID]:
    """A portion of the answers of dead processes, from a place on that is this process's: those
    that look at the same moment must not all do the same."""
    answers = list(dead.items())
    start = process_id.int % len(answers)
    return dict((answers[start:] + answers[:start])[:PORTION])
