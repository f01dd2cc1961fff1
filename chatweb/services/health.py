"""How the database is, told truthfully and quickly, whatever state it is in."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sqlalchemy import Connection, text

from chatweb.config import Settings
from chatweb.database import is_read_only, probing, reading
from chatweb.services.errors import Unavailable

REVISIONS = ("0001", "0002", "0003")
"""The schema's history as this code knows it; a test compares it with ``migrations/``."""

FRESH = 1.0
"""Seconds a finding is good for: many health checks must not become load."""

SCHEMA_FRESH = 30.0
"""Seconds after which a running process looks at the schema's version again."""

PATIENCE = 2.4
"""Seconds somebody waits for a look that is under way."""

REVISION = text("SELECT version_num FROM alembic_version")


@dataclass(frozen=True)
class Database:
    """What a look at the database found; ``status`` is pass, warn or fail."""

    status: str
    kind: str
    reason: str | None = None
    milliseconds: float | None = None


class Look:
    """Looks at the database on a connection of its own, at most once a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._found = Database("fail", "unknown", "not looked yet")
        self._at = float("-inf")

    def __call__(self) -> Database:
        if not self._lock.acquire(timeout=PATIENCE):
            return Database("fail", self._kind, "no answer in time")
        try:
            if time.monotonic() - self._at > FRESH:
                self._found = self._look()
                self._at = time.monotonic()
            return self._found
        finally:
            self._lock.release()

    @property
    def _kind(self) -> str:
        return "sqlite" if self._settings.uses_sqlite else "postgresql"

    def _look(self) -> Database:
        started = time.monotonic()
        try:
            with probing(self._settings) as connection:
                check_schema(connection)
                read_only = is_read_only(connection)
        except Unavailable as away:
            return Database("fail", self._kind, str(away))
        took = round((time.monotonic() - started) * 1000, 1)
        if read_only:
            return Database("warn", self._kind, str(Unavailable("read_only")), took)
        return Database("pass", self._kind, None, took)


def check_schema(connection: Connection) -> None:
    """See that the schema is the one this code was written for.

    :raises Unavailable: it is missing, behind or ahead; the sentence says which
    """
    revision = connection.execute(REVISION).scalar()
    if revision in REVISIONS[:-1]:
        raise Unavailable("schema_behind")
    if revision != REVISIONS[-1]:
        raise Unavailable("schema_ahead" if revision else "schema")


class Schema:
    """Whether this process has lately seen the schema it needs."""

    def __init__(self) -> None:
        self._seen = float("-inf")

    def require(self) -> None:
        """:raises Unavailable: the schema is not the one this code was written for"""
        if time.monotonic() - self._seen > SCHEMA_FRESH:
            with reading() as connection:
                check_schema(connection)
            self._seen = time.monotonic()
