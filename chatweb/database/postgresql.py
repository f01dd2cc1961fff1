"""PostgreSQL's manners: deadlines that hold even when the server hangs.

A server that is suspended answers nothing and cuts nothing; neither pre-ping, keepalives nor
``statement_timeout`` end the wait, because it is the client that waits. psycopg2 lets us wait
ourselves (``set_wait_callback``): when the deadline passes we raise, psycopg2 closes the
connection, and the pool replaces it.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import psycopg2
from psycopg2 import extensions
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from chatweb.config import Settings
from chatweb.database.turns import Turns

SILENCE = 2.0
"""Seconds without a word from the server, to anybody in this process, after which it counts as
hung: pages answer within 3 s."""

LAST_WORD = 0.2
"""Seconds a wait gets at the least, however long its unit has waited before."""

CONNECTING = 5.0
"""Seconds for a connection opened outside a request, as `flask db upgrade` does."""

LOCK_TIMEOUT = 1500
"""Milliseconds a write waits for a row that somebody else holds: less than ``SILENCE``, so that the
server says that it is busy before anybody wonders whether it hangs."""


class Patience(threading.local):
    """How long this thread may still wait: set while it reads or writes for a request."""

    since: float | None = None
    silence: float = SILENCE


patience = Patience()
queues: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()
"""Where those wait who want a connection of an engine's pool."""

limits = {"statement": 5.0}
aside = threading.Lock()
heard = 0.0
"""When the server last said anything to anybody in this process (``time.monotonic``)."""


def adopt(engine: Engine, settings: Settings) -> None:
    limits["statement"] = settings.database_timeout
    extensions.set_wait_callback(wait)
    if settings.database_pool_size:
        places = settings.database_pool_size + settings.database_max_overflow
        queues[engine] = Turns(places, settings.database_pool_timeout)
    event.listen(engine, "handle_error", keep_secret)


def keep_secret(context: ExceptionContext) -> None:
    """Keep the first line of an error: the server's DETAIL quotes the row, and so what people
    wrote, which no log may hold."""
    error, shown = context.original_exception, context.sqlalchemy_exception
    if isinstance(error, psycopg2.Error) and shown:
        first_line = str(error).partition("\n")[0]
        error.args = (first_line,)
        shown.args = (f"({type(error).__name__}) {first_line}",)


def wait(connection: Any) -> None:
    """Wait for the server as psycopg2 asks, but not for ever."""
    global heard
    started, connecting = time.monotonic(), is_connecting(connection)
    while (state := connection.poll()) != extensions.POLL_OK:
        poller = select.poll()
        poller.register(
            connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT
        )
        while not poller.poll(50):
            if time.monotonic() > deadline(started, connection):
                raise psycopg2.OperationalError("no answer from the database in time")
            if patience.since is not None and not connecting:
                ask_aside(connection)
    if patience.since is not None or not connecting:
        heard = time.monotonic()


def is_connecting(connection: Any) -> bool:
    # Of a connection that is being made psycopg2's own `status` says 20, which has no name.
    return bool(connection.get_transaction_status() == extensions.TRANSACTION_STATUS_UNKNOWN)


def ask_aside(connection: Any) -> None:
    """Ask the server, after half of the patience and on a connection of its own, whether it still
    speaks: a long statement is then told from a server that hangs. One asks for all."""
    silent_since = max(patience.since or 0.0, heard)
    if time.monotonic() < silent_since + patience.silence / 2 or not aside.acquire(blocking=False):
        return
    address, password = connection.dsn, connection.info.password or None

    def ask() -> None:
        try:
            # Only connecting is no sign of life: a pooler does it for a server that hangs.
            own = psycopg2.connect(address, password=password)
            with closing(own), patient(SILENCE):
                own.cursor().execute("SELECT 1")
        except psycopg2.Error:
            pass  # what was not heard says it all
        finally:
            aside.release()

    threading.Thread(target=ask, name="probe", daemon=True).start()


def deadline(started: float, connection: Any) -> float:
    """When this wait ends, by ``time.monotonic``."""
    if patience.since is None:
        return started + CONNECTING if is_connecting(connection) else float("inf")
    silent_since = max(patience.since, heard)
    return min(
        started + limits["statement"], max(silent_since + patience.silence, started + LAST_WORD)
    )  # fmt: skip


@contextmanager
def patient(silence: float = SILENCE) -> Iterator[None]:
    patience.since, patience.silence = time.monotonic(), silence
    try:
        yield
    finally:
        patience.since = None


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    queue = queues.get(engine)
    with queue.turn() if queue else nullcontext(), engine.connect() as connection:
        yield connection


@contextmanager
def reader(engine: Engine, _silence: float = SILENCE) -> Iterator[Connection]:
    with connected(engine) as connection:
        driver: Any = connection.connection.driver_connection
        # At the driver, where it costs nothing: SQLAlchemy's own AUTOCOMMIT asks the server twice
        # for each connection that is given back, and where the server has gone meanwhile the read
        # fails after all and the pool never gets the place back.
        driver.autocommit = True
        try:
            yield connection
        finally:
            if not driver.closed:
                driver.autocommit = False


@contextmanager
def writing(engine: Engine, patience: float | None = None) -> Iterator[Connection]:
    lock_timeout = LOCK_TIMEOUT if patience is None else int(patience * 1000)
    with patient(), connected(engine) as connection:
        # In the transaction itself: session settings do not survive a transaction pooler.
        connection.exec_driver_sql(
            f"SET LOCAL statement_timeout = {int(limits['statement'] * 1000)};"
            f"SET LOCAL lock_timeout = {lock_timeout}"
        )
        yield connection


def is_read_only(connection: Connection) -> bool:
    """Whether the server refuses writes: a standby, or one set so."""
    setting = connection.exec_driver_sql("SHOW transaction_read_only").scalar()
    return bool(setting == "on")
