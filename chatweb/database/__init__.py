"""The one place that manages the engine: how a database is opened, read and written.

A service reads in ``with reading() as connection`` and writes in ``with writing() as
connection``, whose last act is ``connection.commit()``; leaving the block without it undoes
everything. Reads hold no transaction, so none can be left open while something slow is waited
for. Every failure of the database itself becomes :class:`Unavailable`.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from pysqlite3 import dbapi2 as driver
from sqlalchemy import Connection, Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from chatweb.config import Settings
from chatweb.database import held as held_connections
from chatweb.database import postgresql, sqlite
from chatweb.database.failures import Unavailable, unavailable
from chatweb.database.held import held

__all__ = [
    "Base",
    "Unavailable",
    "db",
    "is_read_only",
    "let_go",
    "probing",
    "reading",
    "retried",
    "writing",
]

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 3
PROBE_PATIENCE = 1.5
"""Seconds of silence after which a probe gives up: /health answers within 2.5 s."""

RETRY_WITHIN = 1.5
"""Seconds: a page must be able to say within 3 s that the database is away."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)
migrate = Migrate(db=db, render_as_batch=False)


def init_app(app: Flask, settings: Settings) -> None:
    """Give ``app`` its engine; nothing is connected yet."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.engine_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    db.init_app(app)
    held_connections.init_app(app)
    migrate.init_app(app)
    with app.app_context():
        manners(settings).adopt(db.engine, settings)


def engine_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"echo": settings.database_echo, "hide_parameters": True}
    if settings.uses_sqlite:
        options |= {"creator": sqlite.opener(settings), "module": driver}
    else:
        options["pool_pre_ping"] = True
    if settings.database_pool_size == 0:
        return options | {"poolclass": NullPool}
    return options | {
        "pool_size": settings.database_pool_size,
        "max_overflow": settings.database_max_overflow,
        "pool_timeout": settings.database_pool_timeout,
        "pool_recycle": settings.database_pool_recycle,
    }


def manners(settings: Settings) -> Any:
    return sqlite if settings.uses_sqlite else postgresql


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection that reads; each statement stands for itself.

    :raises Unavailable: the database is away, or slower than the deadlines allow
    """
    dialect, here = dialect_of(db.engine), held()
    with translated(), dialect.patient():
        if here is None:
            with dialect.reader(db.engine) as connection:
                yield connection
            return
        try:
            yield here.get(lambda: dialect.reader(db.engine))
        except BaseException:
            here.let_go()
            raise


def let_go() -> None:
    """Give the connection of this request back, before something slow is waited for."""
    if here := held():
        here.let_go()


@contextmanager
def writing(patience: float | None = None) -> Iterator[Connection]:
    """A connection in a transaction that may write from its first statement on.

    :param patience: seconds to wait for other writers, where what is written is not worth the
        usual ones
    :raises Unavailable: the database is away, locked, full or read-only; nothing was changed,
        unless the failure came in the commit itself
    """
    let_go()
    with translated(), dialect_of(db.engine).writing(db.engine, patience) as connection:
        yield connection


@contextmanager
def probing(settings: Settings) -> Iterator[Connection]:
    """A connection of its own, outside the pool, for asking how the database is.

    :raises Unavailable: it is not well
    """
    options = engine_options(settings) | {"poolclass": NullPool}
    for name in ("pool_size", "max_overflow", "pool_timeout", "pool_recycle", "pool_pre_ping"):
        options.pop(name, None)
    engine = create_engine(settings.engine_url, **options)
    manners(settings).adopt(engine, settings)
    try:
        dialect = dialect_of(engine)
        with (
            translated(),
            dialect.patient(PROBE_PATIENCE),
            dialect.reader(engine, PROBE_PATIENCE) as connection,
        ):
            yield connection
    finally:
        engine.dispose()


def is_read_only(connection: Connection) -> bool:
    """Whether the database can be read and not written."""
    return bool(dialect_of(connection.engine).is_read_only(connection))


def dialect_of(engine: Engine) -> Any:
    return sqlite if engine.dialect.name == "sqlite" else postgresql


@contextmanager
def translated() -> Iterator[None]:
    """Failures of the database as :class:`Unavailable`; broken constraints as they are."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolExhausted) as error:
        if failure := unavailable(error):
            raise failure from error
        raise


def retried(write: Callable[P, T]) -> Callable[P, T]:
    """Do a write again, after a moment, when the failure says that this helps.

    Only for writes that may be repeated without harm, because a request id or the state itself
    makes the second one a no-op: a connection lost in the commit leaves its outcome unknown.
    """

    @functools.wraps(write)
    def with_retries(*args: P.args, **kwargs: P.kwargs) -> T:
        started = time.monotonic()
        for attempt in range(1, TRIES + 1):
            try:
                return write(*args, **kwargs)
            except (Unavailable, IntegrityError) as error:
                late = time.monotonic() - started > RETRY_WITHIN
                helps = isinstance(error, IntegrityError) or error.passing
                if attempt == TRIES or late or not helps:
                    raise
            time.sleep(0.02 * 2**attempt * (1 + random.random()))  # noqa: S311 jitter, no secret
        raise AssertionError("unreachable")

    return with_retries
