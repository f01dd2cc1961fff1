"""What a process has for its answers: made once, after the fork, each part with the first need."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

from flask import Flask

from chatweb.llm import prompts
from chatweb.llm.client import Endpoint
from chatweb.replies.delivery import Delivery
from chatweb.replies.engine import BROKEN, STOPPED, Engine
from chatweb.replies.live import End, LiveText
from chatweb.replies.loop import Loop
from chatweb.replies.scribe import Scribe
from chatweb.replies.tailer import Tailer
from chatweb.replies.titles import Titles
from chatweb.services import messages
from chatweb.services.asking import Asked

REMEMBERED = 10_000
"""Answers remembered as begun, so that a repeated request does not begin one again."""


class Machinery:
    """Engine, delivery, scribe and tailer of one process."""

    def __init__(
        self, app: Flask, endpoint: Endpoint, context_messages: int, gives_titles: bool
    ) -> None:
        self.app = app
        self.pid = os.getpid()
        self.process_id = uuid4()
        self.endpoint = endpoint
        self.context_messages = context_messages
        self.gives_titles = gives_titles
        self.scribe = Scribe(app, self.process_id, self.stop)
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
                self._delivery = Delivery(self.loop, self.watching)
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

    def start(self, asked: Asked) -> None:
        """Produce an answer of this process, unless that was begun already."""
        with self._lock:
            if asked.answer_id in self._begun:
                return
            self._begun[asked.answer_id] = None
            if len(self._begun) > REMEMBERED:
                self._begun.popitem(last=False)
            live = LiveText(asked.answer_id, asked.begins_with)
            if self.gives_titles and asked.parent is None:
                live.when_kept = partial(self._answered_first, asked)
            self.scribe.add(live)
        try:
            history = messages.leading_to(
                asked.conversation_id, asked.parent, self.context_messages
            )
            history.append(("user", asked.text))
            prompt = prompts.build(
                history, messages=self.context_messages, size=self.endpoint.prompt_size,
                begun=asked.begins_with,
            )  # fmt: skip
            self.engine.start(live, prompt)
            if live.seen_by_stopper is not None:
                # Whoever stopped it meanwhile found nothing to stop.
                self.engine.stop(live.answer_id, End("stopped", {"reason": STOPPED}))
        except BaseException:
            # The answer is ours and must end, whatever happened.
            live.end = End("failed", {"reason": BROKEN})
            raise

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

    def close(self, patience: float = 0.0) -> None:
        """End the answers, keep and deliver their ends, then let go of everything.

        Those that end by themselves within ``patience`` seconds are complete.
        """
        latest = time.monotonic() + patience
        self.scribe.wait_for_ends(patience)
        if self._delivery:
            # Some follow answers that other processes write.
            self._delivery.wait_for_ends(latest - time.monotonic())
        if self._engine:
            self._engine.close()
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


class Home:
    """Where an application's machinery is found: made once in each process that needs it."""

    def __init__(
        self, app: Flask, endpoint: Endpoint, context_messages: int, gives_titles: bool
    ) -> None:
        self._made_of = (app, endpoint, context_messages, gives_titles)
        self.gives_titles = gives_titles
        self._machinery: Machinery | None = None
        self._lock = threading.Lock()

    def machinery(self) -> Machinery:
        found = self._machinery
        if found and found.pid == os.getpid():
            return found
        with self._lock:
            if not self._machinery or self._machinery.pid != os.getpid():
                self._machinery = Machinery(*self._made_of)
            return self._machinery

    def close(self, patience: float = 0.0) -> None:
        if self._machinery and self._machinery.pid == os.getpid():
            self._machinery.close(patience)
        self._machinery = None
