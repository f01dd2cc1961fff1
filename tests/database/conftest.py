"""Databases that tests may break: a server and files of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from flask import Flask

from tests import postgres
from tests.conftest import migrate


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask], sqlite_url: str) -> Iterator[Flask]:
    """An application on SQLite, in its context."""
    app = make_app(DATABASE_URL=sqlite_url)
    with app.app_context():
        yield app


@pytest.fixture
def file(sqlite_url: str) -> Path:
    """Where the SQLite database lies."""
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Cluster]:
    """A PostgreSQL that may be stopped, killed and suspended."""
    with postgres.Cluster(max_connections=20) as server:
        yield server


@pytest.fixture
def cluster_url(server: postgres.Cluster) -> Iterator[str]:
    """A migrated database there; the server runs again after the test, whatever was done to it."""
    with server.fresh(migrate) as url:
        yield url
        server.resume()
        try:
            server.execute("SELECT 1")
        except (psycopg2.Error, OSError):
            server.restart("immediate")


@pytest.fixture
def cluster_app(make_app: Callable[..., Flask], cluster_url: str) -> Iterator[Flask]:
    """An application on that server, in its context."""
    app = make_app(DATABASE_URL=cluster_url)
    with app.app_context():
        yield app
