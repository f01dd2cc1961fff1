"""chatweb as its users run it, for the long runs, and the ways in which it is hurt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests import servers
from tests.faults.witness import KEY
from tests.postgres import Cluster
from tests.scripted_model import ScriptedModel
from tests.servers import Server, lives, wait_until

KINDS = ("sqlite", "postgresql")

SETTINGS = {
    "GRACEFUL_TIMEOUT": "5",
    "LLM_API_KEY": KEY,
    "LLM_FIRST_TOKEN_TIMEOUT": "4",
    "LLM_TIMEOUT": "10",
    "MAX_ANSWER_CHARS": "20000",
    "TITLES_BY_MODEL": "false",
}
"""Each request to the model is for an answer, and a silent model is soon given up."""

DATABASE = "chatweb"

CLEAR = 2.0
"""Seconds without trouble after which all that readers see is being kept as it should."""


@dataclass
class Sky:
    """What is known of the trouble just now, and since when (``time.monotonic``)."""

    name: str = "clear"
    since: float = field(default_factory=time.monotonic)

    def lasts(self, seconds: float) -> bool:
        return time.monotonic() - self.since > seconds


@dataclass
class Place:
    """A server of two workers with its model and its database; ``cluster`` None: on SQLite."""

    url: str
    server: Server
    model: ScriptedModel
    cluster: Cluster | None = None
    sky: Sky = field(default_factory=Sky)
    was_clear: bool = True
    killed: float = 0.0
    """When a process was killed last, out of a sky that had been clear for long."""

    @property
    def file(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def turns(self, name: str) -> None:
        self.was_clear = self.sky.name == "clear" and self.sky.lasts(CLEAR)
        self.sky = Sky(name)

    def kill(self, *victims: psutil.Process) -> float:
        """SIGKILL some processes at once; gives the moment."""
        now = time.monotonic()
        if self.was_clear:
            self.killed = now
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        return now

    def workers(self) -> list[psutil.Process]:
        found = []
        for pid in self.server.worker_pids():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found

    def all_workers(self) -> bool:
        return len(self.workers()) == int(self.server.settings["WEB_CONCURRENCY"])

    def kill_master(self) -> float:
        """The first process dies, its workers leave when they notice, and it is started again."""
        workers = self.workers()
        now = self.kill(self.server.master)
        wait_until(lambda: not any(map(lives, workers)), seconds=30)
        self.server.kill_master_and_workers()
        self.server.start()
        return now

    def kill_all(self) -> float:
        """Everything dies at the same moment, and is started again."""
        now = self.kill(self.server.master, *self.workers())
        self.server.kill_master_and_workers()
        self.server.start()
        return now

    def megabytes(self) -> float:
        """Memory of master and workers; what they share counts once."""
        family = [self.server.master, *self.workers()]
        return sum(each.memory_full_info().pss for each in family) / 2**20


@contextmanager
def place(kind: str, **settings: str) -> Iterator[Place]:
    """A new, migrated database and all that belongs to it."""
    with ExitStack() as stack:
        model = stack.enter_context(ScriptedModel())
        cluster = stack.enter_context(Cluster(fsync=True)) if kind == "postgresql" else None
        if cluster:
            url = cluster.create(DATABASE)
        else:
            folder = servers.temporary_folder()
            stack.callback(servers.remove_folder, folder)
            url = f"sqlite:///{folder / 'chat.db'}"
        ours = SETTINGS | {"DATABASE_URL": url, "LLM_BASE_URL": model.base_url}
        server = stack.enter_context(Server(workers=2, **(ours | settings)))
        yield Place(url, server, model, cluster)
