"""The machinery piece by piece: in an application's context, but without any page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask

from chatweb.replies import scribe as scribes
from chatweb.services import answers
from chatweb.services.owners import Owner
from tests import factories, postgres
from tests.replies.statements import Statements
from tests.replies.writing import PATIENCE, Clock, Outage, TextOf, Writing
from tests.servers import wait_until


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def process_id(context: None) -> UUID:
    """The process that is tested."""
    return factories.process()


@pytest.fixture
def other_process(context: None) -> UUID:
    """Another one."""
    return factories.process()


@pytest.fixture
def statements(context: None) -> Iterator[Statements]:
    """What is sent to the database from now on."""
    with Statements() as statements:
        yield statements


@pytest.fixture
def outage(context: None, database_url: str) -> Outage:
    """``with outage():`` nobody reaches the database."""

    @contextmanager
    def without_file() -> Iterator[None]:
        file = Path(database_url.removeprefix("sqlite:///"))
        aside = file.rename(file.with_name("aside"))
        yield
        aside.rename(file)

    @contextmanager
    def without_connections() -> Iterator[None]:
        server, name = postgres.shared(), database_url.rpartition("/")[2]
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        server.terminate_backends(name)
        # They die when they get to it, which must not be after the outage.
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        wait_until(lambda: server.execute(count, name) == [(0,)], seconds=PATIENCE)
        yield
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    return without_file if database_url.startswith("sqlite") else without_connections


@pytest.fixture
def text_of(context: None) -> TextOf:
    """What a reload would show of an answer."""

    def text_of(answer_id: int) -> str:
        return answers.ended_text(answer_id) or answers.text_so_far(answer_id)

    return text_of


@pytest.fixture
def here(
    app: Flask, owner: Owner, process_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Writing]:
    """A process that writes, quickly."""
    for name in ("TICK", "SHORTEST_TICK", "BEAT", "REAP"):
        monkeypatch.setattr(scribes, name, 0.02)
    here = Writing(app, owner, process_id)
    yield here
    here.scribe.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(scribes, "time", clock)
    return clock


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process counts as steady at once."""
    monkeypatch.setattr(answers, "QUIET", 0.0)


@pytest.fixture
def unsteady(monkeypatch: pytest.MonkeyPatch) -> None:
    """And never."""
    monkeypatch.setattr(answers, "QUIET", 3600.0)
