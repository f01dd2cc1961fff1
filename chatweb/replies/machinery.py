"""What a process has for its answers: made once, after the fork, each part with the first need."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from flask import Flask

from chatweb.llm import prompts
from chatweb.llm.client import Endpoint
from chatweb.replies.delivery import Delivery
from chatweb.replies.engine import BROKEN, STOPPED, Engine
from chatweb.replies.feeds import Feeds
from chatweb.replies.live import End, LiveText
from chatweb.replies.loop import Loop
from chatweb.replies.scribe import Scribe
from chatweb.replies.tailer import Tailer
from chatweb.services import messages
from chatweb.services.asking import Asked

REMEMBERED = 10_000
"""Answers remembered as begun, so that a repeated request does not begin one again."""


class Machinery:
    """Engine, delivery, scribe and tailer of one process."""

    def __init__(self, app: Flask, endpoint: Endpoint, context_messages: int) -> None:
        self.pid = os.getpid()
        self._app = app
        self.process_id = uuid4()
        self.endpoint = endpoint
        self.context_messages = context_messages
        self.scribe = Scribe(app, self.process_id, self.stop)
        self.tailer = Tailer(app)
        self._begun: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.RLock()
        self._loop: Loop | None = None
        self._engine: Engine | None = None
        self._delivery: Delivery | None = None
        self._finisher: ThreadPoolExecutor | None = None

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
                finisher = self._finisher = ThreadPoolExecutor(2, thread_name_prefix="finisher")

                def render(function: Callable[..., str], *args: Any) -> asyncio.Future[str]:
                    return asyncio.get_running_loop().run_in_executor(finisher, function, *args)

                processes = self._app.extensions["settings"].web_concurrency
                feeds = Feeds(self.loop, self.tailer.lookout, render, processes)
                self._delivery = Delivery(self.loop, self.watching, feeds, render)
            return self._delivery

    def start(self, asked: Asked) -> None:
        """Produce an answer of this process, unless that was begun already."""
        with self._lock:
            if asked.answer_id in self._begun:
                return
            self._begun[asked.answer_id] = None
            if len(self._begun) > REMEMBERED:
                self._begun.popitem(last=False)
            live = LiveText(asked.answer_id, asked.begins_with)
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
        if self._finisher:
            self._finisher.shutdown(wait=False, cancel_futures=True)
        self.tailer.close()
        if self._loop:
            self._loop.close()


class Home:
    """Where an application's machinery is found: made once in each process that needs it."""

    def __init__(self, app: Flask, endpoint: Endpoint, context_messages: int) -> None:
        self._made_of = (app, endpoint, context_messages)
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
