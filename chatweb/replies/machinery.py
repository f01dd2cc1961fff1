"""What a process has for its answers: made once, after the fork, each part with the first need."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from flask import Flask

from chatweb.config import Settings
from chatweb.llm import prompts
from chatweb.llm.client import Endpoint
from chatweb.replies.delivery import Delivery
from chatweb.replies.engine import BROKEN, STOPPED, Engine
from chatweb.replies.feeds import Feeds
from chatweb.replies.live import End, LiveText
from chatweb.replies.loop import Loop
from chatweb.replies.scribe import Scribe
from chatweb.replies.tailer import Tailer
from chatweb.replies.titles import Titles
from chatweb.replies.waiting_room import WaitingRoom
from chatweb.services import answers, messages, resuming
from chatweb.services.asking import Asked
from chatweb.services.errors import Unavailable
from chatweb.services.resuming import TakenUp

logger = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Answers remembered as begun, so that a repeated request does not begin one again."""


class Machinery:
    """Engine, delivery, scribe and tailer of one process."""

    def __init__(
        self, app: Flask, endpoint: Endpoint, context_messages: int, *,
        gives_titles: bool, resumes: bool,
    ) -> None:  # fmt: skip
        self.app = app
        self.pid = os.getpid()
        self.process_id = uuid4()
        self.endpoint = endpoint
        self.context_messages = context_messages
        self.gives_titles = gives_titles
        self.resumes = resumes
        self.is_leaving = False
        self.waiting_room = waiting_room(app.extensions["settings"])
        self.scribe = Scribe(app, self.process_id, self.stop, self.settle)
        self.tailer = Tailer(app)
        self._begun: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.RLock()
        self._loop: Loop | None = None
        self._engine: Engine | None = None
        self._delivery: Delivery | None = None
        self._finisher: ThreadPoolExecutor | None = None
        self._titles: Titles | None = None

    @property
    def loop(self) -> Loop:
        with self._lock:
            if self._loop is None:
                self._loop = Loop()
            return self._loop

    @property
    def engine(self) -> Engine:
        with self._lock:
            if self._engine is None:
                wake = self.scribe.wake
                self._engine = Engine(self.loop, self.endpoint, grown=wake, ended=wake)
            return self._engine

    @property
    def delivery(self) -> Delivery:
        with self._lock:
            if self._delivery is None:
                finisher = self.finisher

                def render(function: Callable[..., str], *args: Any) -> asyncio.Future[str]:
                    return asyncio.get_running_loop().run_in_executor(finisher, function, *args)

                processes = self.app.extensions["settings"].web_concurrency
                feeds = Feeds(self.loop, self.tailer.lookout, render, processes)
                self._delivery = Delivery(self.loop, self.watching, feeds, render)
            return self._delivery

    @property
    def finisher(self) -> ThreadPoolExecutor:
        """Threads that may read and write the database for the loop."""
        with self._lock:
            if self._finisher is None:
                self._finisher = ThreadPoolExecutor(2, thread_name_prefix="finisher")
            return self._finisher

    @property
    def titles(self) -> Titles:
        with self._lock:
            if self._titles is None:
                self._titles = Titles(self.app, self.loop, self.endpoint, self.finisher)
            return self._titles

    def be_ready(self) -> None:
        """Have all that an answer needs. Making the engine takes a while, which must not come
        between the commit of a question and its answer.

        :raises Unavailable: the database is away
        """
        _ = self.engine
        self.scribe.be_alive()

    def start(self, asked: Asked) -> None:
        """Produce an answer of this process, unless that was begun already."""
        with self._lock:
            if asked.answer_id in self._begun:
                return
            live = self._begin(asked)
        try:
            self.engine.start(live, self._prompt(asked))
            if live.seen_by_stopper is not None:
                # Whoever stopped it meanwhile found nothing to stop.
                self.engine.stop(live.answer_id, End("stopped", {"reason": STOPPED}))
        except BaseException:
            # The answer is ours and must end, whatever happened.
            live.end = End("interrupted" if len(live) else "failed", {"reason": BROKEN})
            raise

    def _begin(self, asked: Asked) -> LiveText:
        self._begun[asked.answer_id] = None
        if len(self._begun) > REMEMBERED:
            self._begun.popitem(last=False)
        live = LiveText(asked.answer_id, asked.begins_with)
        if self.gives_titles and asked.parent is None:
            live.when_kept = partial(self._answered_first, asked)
        self.scribe.add(live)
        return live

    def _prompt(self, asked: Asked) -> list[dict[str, str]]:
        history = messages.leading_to(asked.conversation_id, asked.parent, self.context_messages)
        history.append(("user", asked.text))
        system = history.pop(0)[1] if history[0][0] == "system" else prompts.SYSTEM
        return prompts.build(
            history, messages=self.context_messages, size=self.endpoint.prompt_size,
            system=system, begun=asked.begins_with,
        )  # fmt: skip

    def settle(self, orphans: Mapping[int, UUID]) -> None:
        """End answers of dead processes, or go on with them: ids, each with its process.

        In the scribe's thread. What is not begun here is an orphan again at the next look.
        """
        if self.resumes and self.is_leaving:
            return  # others stay
        worn_out = orphans
        if self.resumes:
            divided = resuming.take_up(self.process_id, orphans)
            worn_out = divided.worn_out
            for taken in divided.taken:
                self._go_on(taken)
            if divided.taken:
                logger.warning("took up %d answers of dead processes", len(divided.taken))
        if worn_out and (ended := answers.interrupt(worn_out)):
            logger.warning("interrupted %d answers of dead processes", ended)

    def _go_on(self, taken: TakenUp) -> None:
        stopped = taken.stop_at is not None
        prompt = [] if stopped else self._prompt(taken.asked)
        with self._lock:
            # Its request may have come again and begun it, in the moment since it is ours.
            found = self.scribe.find(taken.asked.answer_id)
            live = found or self._begin(taken.asked)
            live.details = taken.details
        if stopped:
            live.seen_by_stopper = taken.stop_at
            live.end = End("stopped", {"reason": STOPPED})
        elif not found:
            self.engine.start(live, prompt)

    def _answered_first(self, asked: Asked, status: str, text: str) -> None:
        """The first answer of a conversation has ended."""
        if status == "complete":
            said = [("user", asked.text), ("assistant", text)]
            self.titles.improve(asked.conversation_id, said)

    def stop(self, live: LiveText, seen: int) -> None:
        if live.seen_by_stopper is None:
            live.seen_by_stopper = seen
            self.engine.stop(live.answer_id, End("stopped", {"reason": STOPPED}))

    @contextmanager
    def watching(self, answer_id: int) -> Iterator[LiveText]:
        """The text of an answer in progress, wherever it is produced."""
        if (live := self.scribe.find(answer_id)) is not None:
            yield live
        else:
            with self.tailer.watching(answer_id) as mirror:
                yield mirror

    def wait_for_ends(self, patience: float) -> None:
        """Wait at most ``patience`` seconds until all answers have ended by themselves."""
        self.is_leaving = True
        latest = time.monotonic() + patience
        self.scribe.wait_for_ends(patience)
        if self._delivery:
            # Some follow answers that other processes write.
            self._delivery.wait_for_ends(latest - time.monotonic())

    def close(self) -> None:
        """End the answers, keep and deliver their ends, then let go of everything.

        They are interrupted; or, where answers are taken up again, left with what they have to
        whoever goes on with them.
        """
        self.is_leaving = True
        if self._engine:
            self._engine.close(leaves_open=self.resumes)
        self.scribe.close()
        if self._delivery:
            self._delivery.close()
        if self._titles:
            self._titles.close()
        if self._finisher:
            self._finisher.shutdown(wait=False, cancel_futures=True)
        self.tailer.close()
        if self._loop:
            self._loop.close()


def waiting_room(settings: Settings) -> WaitingRoom:
    """A quarter of the threads, since others need some; for one owner as many as they may have
    answers at once, and not all while that is limited."""
    most = max(1, settings.threads // 4)
    at_once = settings.limit_answers_at_once
    return WaitingRoom(most, min(at_once, max(1, most // 2)) if at_once else most)


class Home:
    """Where an application's machinery is found: made by ``make`` once in each process that needs
    it, and never again once that process has shut down."""

    def __init__(self, make: Callable[[], Machinery]) -> None:
        self._make = make
        self._machinery: Machinery | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def machinery(self) -> Machinery:
        """
        :raises Unavailable: this process has shut down; its last requests may still be running
        """
        found = self._machinery
        if found and found.pid == os.getpid():
            return found
        with self._lock:
            if self._is_closed:
                raise Unavailable("leaving")
            if not self._machinery or self._machinery.pid != os.getpid():
                self._machinery = self._make()
            return self._machinery

    def leave(self) -> None:
        """This process will stop soon. Takes no lock: a signal's handler may call it."""
        if self._machinery and self._machinery.pid == os.getpid():
            self._machinery.is_leaving = True

    def close(self, patience: float = 0.0) -> None:
        """End the answers; those that do so by themselves within ``patience`` seconds are
        complete."""
        if self._machinery and self._machinery.pid == os.getpid():
            self._machinery.wait_for_ends(patience)
        with self._lock:
            # Before answers are left: who waits for one here must not take it up again.
            self._is_closed = True
            found, self._machinery = self._machinery, None
        if found and found.pid == os.getpid():
            found.close()
