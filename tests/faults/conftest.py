"""chatweb under gunicorn, on a SQLite file and on a PostgreSQL that waits for the disk."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.conftest import migrate
from tests.faults.people import Person
from tests.faults.programs import Program
from tests.faults.witness import KEY, Witness
from tests.postgres import Cluster
from tests.scripted_model import ScriptedModel
from tests.servers import Server

__all__ = ["Serve", "Witness"]

Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def durable_cluster() -> Iterator[Cluster]:
    """A PostgreSQL as users run it; whoever stops or suspends it starts it again."""
    with Cluster(fsync=True) as cluster:
        yield cluster


@pytest.fixture
def durable_url(durable_cluster: Cluster) -> Iterator[str]:
    with durable_cluster.fresh(migrate) as url:
        yield url


@pytest.fixture
def file_url(sqlite_template: Path) -> Iterator[str]:
    """A migrated file on a disk, not in memory."""
    folder = servers.temporary_folder()
    shutil.copy(sqlite_template, folder / "chat.db")
    yield f"sqlite:///{folder / 'chat.db'}"
    servers.remove_folder(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The database of the server under test, empty; a test may have another kind of its own."""
    usual = {"sqlite": "file", "postgresql": "durable"}
    kind = usual.get(request.param, request.param)
    found: str = request.getfixturevalue(f"{kind}_url")
    return found


@pytest.fixture
def serve(url: str, model: ScriptedModel) -> Iterator[Serve]:
    """Starts a server on the database and the model of this test."""
    with contextlib.ExitStack() as stack:

        def start(workers: int = 2, **settings: str) -> Server:
            ours = {"DATABASE_URL": url, "LLM_BASE_URL": model.base_url, "LLM_API_KEY": KEY}
            server = Server(workers=workers, migrate=False, **(ours | settings))
            return stack.enter_context(server)

        yield start


@pytest.fixture
def witness(url: str) -> Witness:
    return Witness(url)


@pytest.fixture(params=[Person, Program], ids=["page", "program"])
def kind(request: pytest.FixtureRequest) -> type[Person]:
    """Whether people ask by pages or by programs."""
    found: type[Person] = request.param
    return found
