"""What kind of failure a database error is, and what to tell the person."""

from __future__ import annotations

import re

import psycopg2
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

SENTENCES = {
    "away": "The database cannot be reached right now.",
    "busy": "The database is busy right now.",
    "full": "The storage is full, so nothing can be saved right now.",
    "read_only": "The database can only be read right now, so nothing can be saved.",
    "damaged": "The database file is damaged. Whoever runs this site needs to look at it.",
    "leaving": "This server is being restarted. Try again in a moment.",
    "schema": "The database is not set up yet: whoever runs this site has to run "
    "`flask db upgrade`.",
    "schema_behind": "The database is older than this version of chatweb: whoever runs this site "
    "has to run `flask db upgrade`.",
    "schema_ahead": "The database is newer than this version of chatweb: whoever runs this site "
    "has to install the newer version.",
}

PASSING = {"away", "busy"}
"""Failures that a second try a moment later can mend."""

SQLITE_KINDS = {
    "SQLITE_BUSY": "busy",
    "SQLITE_LOCKED": "busy",
    "SQLITE_FULL": "full",
    "SQLITE_READONLY": "read_only",
    "SQLITE_CORRUPT": "damaged",
    "SQLITE_NOTADB": "damaged",
}

POSTGRESQL_KINDS = {
    "40001": "busy",  # serialization failure
    "40P01": "busy",  # deadlock
    "55P03": "busy",  # lock not available
    "57014": "busy",  # statement timeout
    "53300": "busy",  # too many connections
    "53100": "full",
    "25006": "read_only",
    "42P01": "schema",  # undefined table
    "42703": "schema",  # undefined column
}

SQLITE_AWAY = {"SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PROTOCOL", "SQLITE_NOLFS"}
NOT_SET_UP = re.compile("no such (table|column)")

POSTGRESQL_AWAY = {"08", "28", "3D", "57", "58"}
"""Classes of codes: connection, authorisation, unknown database, operator, system."""
CONNECTION_LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)
"""Without a code when the server said nothing."""


class Unavailable(Exception):
    """The database cannot do this now; the message is a sentence for the person."""

    def __init__(self, kind: str) -> None:
        super().__init__(SENTENCES[kind])
        self.kind = kind

    @property
    def passing(self) -> bool:
        return self.kind in PASSING


def unavailable(error: DBAPIError | PoolExhausted) -> Unavailable | None:
    """The failure behind a driver's error; None when the fault is our own statement's."""
    found = "busy" if isinstance(error, PoolExhausted) else kind(error.orig)
    return Unavailable(found) if found else None


def kind(error: BaseException | None) -> str | None:
    if isinstance(error, sqlite.Error):
        if NOT_SET_UP.match(str(error)):
            return "schema"
        # Extended codes (SQLITE_IOERR_FSYNC) say more than is needed here.
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        return SQLITE_KINDS.get(name, "away" if name in SQLITE_AWAY else None)
    code = getattr(error, "pgcode", None)
    if code is None:
        return "away" if isinstance(error, CONNECTION_LOST) else None
    return POSTGRESQL_KINDS.get(code, "away" if code[:2] in POSTGRESQL_AWAY else None)
