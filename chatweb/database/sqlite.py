"""SQLite's manners: one file that must exist, our own BEGIN, one writer at a time.

The driver is pysqlite3, which is Python's own with a SQLite of this year inside: the one that
comes with Python is often years old, and before 3.51.3 a WAL can be damaged when two connections
commit and checkpoint together (the WAL-reset race, sqlite.org/wal.html). A process must never open
the file with both: locks of files belong to processes, so the two would not see each other's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pysqlite3 import dbapi2 as driver
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from chatweb.config import Settings

READ_PATIENCE = 2.0
WRITE_PATIENCE = 5.0
"""Seconds to wait for another process's lock: a page must answer within 3 s, a send may wait."""

turn = threading.Lock()
"""One write transaction at a time in this process: SQLite's own busy handler sleeps, and is not
fair. Never held while waiting for anything but SQLite."""


def opener(settings: Settings) -> Callable[[], driver.Connection]:
    """Opens the file, which must exist: a deleted one must not come back empty."""
    path = file_of(settings)

    def connect() -> driver.Connection:
        return driver.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            # The driver's own idea of transactions would commit savepoints and leave a failed
            # migration half-applied: every BEGIN is ours.
            isolation_level=None,
            # Setting `synchronous` below waits already while somebody holds the file for himself.
            timeout=READ_PATIENCE,
            check_same_thread=False,
        )

    return connect


def file_of(settings: Settings) -> Path:
    return Path(settings.engine_url.database or "")


def create_file(settings: Settings) -> None:
    """Make the empty file for `flask db upgrade`; a web process never does."""
    path = file_of(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def adopt(engine: Engine, settings: Settings) -> None:
    """Teach the engine's connections their manners."""
    path = file_of(settings)

    def prepare(connection: driver.Connection, record: Any) -> None:
        record.info["file"] = identity(path)
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    def check_file(_connection: Any, record: Any, _proxy: Any) -> None:
        # After the file is deleted, commits on the old descriptor go on "succeeding".
        if identity(path) != record.info.get("file"):
            raise DisconnectionError("the database file is another one than was opened")

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "checkout", check_file)
    event.listen(engine, "begin", begin)


def identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at ``path``: device and inode, None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def patient(_silence: float = READ_PATIENCE) -> AbstractContextManager[None]:
    """SQLite waits by itself, as long as its connection was told."""
    return nullcontext()


@contextmanager
def reader(engine: Engine, silence: float = READ_PATIENCE) -> Iterator[Connection]:
    with engine.connect() as connection:
        wait_for_locks(connection, silence)
        yield connection


@contextmanager
def writing(engine: Engine, patience: float | None = None) -> Iterator[Connection]:
    patience = WRITE_PATIENCE if patience is None else patience
    # The turn comes first: writers who wait for it must not hold the connections of readers.
    if not turn.acquire(timeout=patience):
        raise locked()
    try:
        with engine.connect().execution_options(writes=True) as connection:
            wait_for_locks(connection, patience)
            connection.begin()
            yield connection
    finally:
        turn.release()


def is_read_only(connection: Connection) -> bool:
    """Whether the file's permissions refuse writes; SQLite itself tells only one who tries."""
    return not os.access(connection.engine.url.database or "", os.W_OK, effective_ids=True)


def wait_for_locks(connection: Connection, seconds: float) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")


def locked() -> OperationalError:
    error = driver.OperationalError("database is locked")
    error.sqlite_errorname = "SQLITE_BUSY"
    return OperationalError("BEGIN IMMEDIATE", None, error)
