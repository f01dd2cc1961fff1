"""The machinery of an answer in progress: produce, keep, follow, recover.

A process has at most three threads of its own for this, started with the first need and after
the fork: the engine (network), the scribe (writes) and the tailer (reads). Blueprints call the
functions here; each finds the machinery of its process.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

from flask import Flask, current_app

from chatweb.llm import prompts
from chatweb.llm.client import Endpoint
from chatweb.replies.engine import BROKEN, STOPPED, Engine
from chatweb.replies.live import End, Glimpse, LiveText
from chatweb.replies.scribe import Scribe
from chatweb.replies.tailer import Tailer
from chatweb.services import answers, messages
from chatweb.services.questions import Asked

__all__ = [
    "Glimpse",
    "LiveText",
    "awake",
    "init_app",
    "look_after",
    "shut_down",
    "start",
    "stop",
    "watching",
]

REMEMBERED = 10_000
"""Answers remembered as begun, so that a repeated request does not begin one again."""


class Machinery:
    """Engine, scribe and tailer of one process."""

    def __init__(self, app: Flask, endpoint: Endpoint, context_messages: int) -> None:
        self.pid = os.getpid()
        self.process_id = uuid4()
        self.endpoint = endpoint
        self.context_messages = context_messages
        self.scribe = Scribe(app, self.process_id, self.stop)
        self.tailer = Tailer(app)
        self._begun: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """Made for the first answer: a process that answers nothing needs no network."""
        with self._lock:
            if self._engine is None:
                self._engine = Engine(self.endpoint, grown=self.scribe.wake, ended=self.scribe.wake)
            return self._engine

    def start(self, asked: Asked) -> None:
        """Produce an answer of this process, unless that was begun already."""
        with self._lock:
            if asked.answer_id in self._begun:
                return
            self._begun[asked.answer_id] = None
            if len(self._begun) > REMEMBERED:
                self._begun.popitem(last=False)
            live = LiveText(asked.answer_id)
            self.scribe.add(live)
        try:
            history = messages.leading_to(
                asked.conversation_id, asked.parent, self.context_messages
            )
            history.append(("user", asked.text))
            prompt = prompts.build(
                history, messages=self.context_messages, size=self.endpoint.prompt_size
            )
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

    def close(self, patience: float = 0.0) -> None:
        self.scribe.wait_for_ends(patience)
        if self._engine:
            self._engine.close()
        self.scribe.close()
        self.tailer.close()


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


def init_app(app: Flask, endpoint: Endpoint, context_messages: int) -> None:
    app.extensions["replies"] = Home(app, endpoint, context_messages)


def _machinery() -> Machinery:
    home: Home = current_app.extensions["replies"]
    return home.machinery()


def awake() -> UUID:
    """This process, ready to be entrusted with an answer: its id.

    :raises Unavailable: the database is away
    """
    machinery = _machinery()
    machinery.scribe.be_alive()
    return machinery.process_id


def start(asked: Asked) -> None:
    """Produce the answer, if it is this process's and not begun or ended already."""
    machinery = _machinery()
    if asked.streaming and asked.process_id == machinery.process_id:
        machinery.start(asked)


def stop(answer_id: int, seen: int, patience: float = 2.0) -> None:
    """End an answer that was asked to stop, and wait up to ``patience`` seconds for its end."""
    machinery = _machinery()
    if (live := machinery.scribe.find(answer_id)) is not None:
        machinery.stop(live, seen)
    with watching(answer_id) as followed:
        followed.over.wait(patience)


@contextmanager
def watching(answer_id: int) -> Iterator[LiveText]:
    """The text of an answer in progress, wherever it is produced."""
    machinery = _machinery()
    if (live := machinery.scribe.find(answer_id)) is not None:
        yield live
    else:
        with machinery.tailer.watching(answer_id) as mirror:
            yield mirror


def text_so_far(answer_id: int) -> str:
    """What there is of an answer in progress, here or in the database."""
    live = _machinery().scribe.find(answer_id)
    return live.text() if live is not None else answers.text_so_far(answer_id)


def look_after(app: Flask) -> None:
    """From now on this process ends what dead ones left behind, whoever visits."""
    home: Home = app.extensions["replies"]
    home.machinery()


def shut_down(app: Flask, patience: float = 0.0) -> None:
    """End this process's answers as interrupted, with the text that was there; those that end by
    themselves within ``patience`` seconds are complete."""
    home: Home = app.extensions["replies"]
    home.close(patience)
