"""The machinery of an answer in progress: produce, keep, follow, recover.

A process has a few threads of its own for this, started with the first need and after the fork:
the loop (network: the engine calls the model, the delivery writes to readers), the scribe
(writes), the tailer (reads) and a finisher for the ends. Blueprints call the functions here; each
finds the machinery of its process.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from flask import Flask, current_app

from chatweb.config import Settings
from chatweb.database import let_go
from chatweb.llm.client import Endpoint
from chatweb.replies.delivery import Progress, Telling
from chatweb.replies.feeds import News
from chatweb.replies.live import Glimpse, LiveText
from chatweb.replies.machinery import Home, Machinery
from chatweb.services import answers
from chatweb.services.asking import Asked
from chatweb.services.errors import Conflict
from chatweb.services.owners import Owner

__all__ = [
    "Glimpse",
    "LiveText",
    "News",
    "Progress",
    "Telling",
    "awake",
    "check_gives_titles",
    "deliver",
    "feed",
    "gives_titles",
    "init_app",
    "leave",
    "look_after",
    "place_to_wait",
    "shut_down",
    "start",
    "stop",
    "suggested_title",
    "text_so_far",
    "wait",
    "watching",
]


def init_app(app: Flask, endpoint: Endpoint, settings: Settings) -> None:
    def make() -> Machinery:
        return Machinery(
            app, endpoint, settings.context_messages,
            gives_titles=gives_titles(endpoint, settings), resumes=settings.resume_interrupted,
        )  # fmt: skip

    app.extensions["replies"] = Home(make)


def gives_titles(endpoint: Endpoint, settings: Settings) -> bool:
    """Whether conversations get titles from the model. The demonstration model invents freely."""
    return settings.titles_by_model and not endpoint.local


def _machinery() -> Machinery:
    home: Home = current_app.extensions["replies"]
    return home.machinery()


def awake() -> UUID:
    """This process, ready to be entrusted with an answer: its id.

    :raises Unavailable: the database is away
    """
    machinery = _machinery()
    machinery.be_ready()
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


def place_to_wait(owner: Owner) -> AbstractContextManager[None]:
    """Room to wait for an answer, or to follow one, in a thread of this process.

    :raises TooMany: all of it is taken, or the owner's share
    """
    return _machinery().waiting_room.place(owner.id)


def wait(answer_id: int, seconds: float) -> None:
    """Wait for the end of an answer, ``seconds`` at the most; to be called in a place to wait."""
    let_go()
    with watching(answer_id) as followed:
        followed.over.wait(seconds)


def watching(answer_id: int) -> AbstractContextManager[LiveText]:
    """The text of an answer in progress, wherever it is produced."""
    return _machinery().watching(answer_id)


def deliver(
    answer_id: int, telling: Telling, after: int | None, connection: socket.socket,
    news: News | None = None,
) -> None:  # fmt: skip
    """Tell an answer in progress to the reader behind ``connection``, which is ours from now on,
    and close it at the end; ``after`` is the offset of the open block that the reader has, ``news``
    what it is told besides."""
    _machinery().delivery.add(answer_id, telling, after, connection, news)


def feed(news: News, connection: socket.socket) -> None:
    """Tell a page its news through ``connection``, which is ours from now on."""
    _machinery().delivery.feeds.add(news, connection)


def check_gives_titles() -> None:
    """
    :raises Conflict: the model is not asked for titles here
    """
    if not _machinery().gives_titles:
        raise Conflict("The model of this site is not asked for titles.")


def suggested_title(said: Sequence[tuple[str, str]]) -> str:
    """The model's title for what was said: (role, text), oldest first. Waits for the model.

    :raises Conflict: it gave none in a short while
    """
    return _machinery().titles.suggestion(said)


def text_so_far(answer_id: int) -> str:
    """What there is of an answer in progress, here or in the database."""
    live = _machinery().scribe.find(answer_id)
    return live.text() if live is not None else answers.text_so_far(answer_id)


def look_after(app: Flask) -> None:
    """From now on this process ends what dead ones left behind, or goes on with it, whoever
    visits."""
    home: Home = app.extensions["replies"]
    home.machinery()


def leave(app: Flask) -> None:
    """This process will stop soon: it takes up no answers of others any more."""
    home: Home = app.extensions["replies"]
    home.leave()


def shut_down(app: Flask, patience: float = 0.0) -> None:
    """End this process's answers as interrupted, with the text that was there, or leave them to
    others; those that end by themselves within ``patience`` seconds are complete."""
    home: Home = app.extensions["replies"]
    home.close(patience)
