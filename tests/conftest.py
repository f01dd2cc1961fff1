"""What every test may ask for: an application on either database, and who uses it.

``app``, ``client`` and everything made of them run twice, on SQLite and on PostgreSQL. The
database is a copy of one that was migrated as users migrate theirs, the model is a scripted one,
and nothing but loopback can be reached.

A view is tested through ``client``, with no app context open around it. Services are called in a
context: ``with app.app_context():``, or ``at_once`` for many callers at the same moment.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import flask_migrate
import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2 import extensions

from chatweb import create_app, replies
from chatweb.config import Settings
from chatweb.database import db
from chatweb.services import owners
from chatweb.services.owners import Owner
from tests import postgres, servers
from tests.scripted_model import ScriptedModel

MIGRATIONS = servers.REPOSITORY / "migrations"
MACHINERY = {"loop", "scribe", "tailer", "finisher_0", "finisher_1"}

# Random examples, but the same in every run; the database is a fixture that lasts for all of
# a test's examples, so each example begins with an owner or a conversation of its own.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow,
    ],
)  # fmt: skip
hypothesis.settings.load_profile("suite")


def refuse_the_world(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: no test reaches anything but this machine."""
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host = str(arguments[1][0]).split("%")[0]
    with suppress(ValueError):
        if not ip_address(host).is_loopback:
            raise RuntimeError(f"a test tried to reach {host}")


sys.addaudithook(refuse_the_world)


def build_app(data_dir: Path, **settings: Any) -> Flask:
    """An application with these settings; neither the environment nor a ``.env`` adds to them.

    How much may be asked is not limited: tests of everything else ask as fast as they can. The
    model is asked for answers only: who counts its requests is not to count titles.
    """
    nothing = dict.fromkeys((each.name.upper() for each in fields(Settings)), "")
    ours = {
        **servers.UNLIMITED, "TITLES_BY_MODEL": "false",
        "DATA_DIR": str(data_dir), "LLM_BASE_URL": servers.NOWHERE,
    }  # fmt: skip
    return create_app(**{**nothing, **ours, **settings})


def close_app(app: Flask) -> None:
    """End the application's threads and connections."""
    replies.shut_down(app)
    with app.app_context():
        db.engine.dispose()


def migrate(url: str) -> None:
    """What ``flask db upgrade`` does."""
    folder = servers.temporary_folder()
    with usual_waiting():
        app = build_app(folder, DATABASE_URL=url)
        try:
            with app.app_context():
                flask_migrate.upgrade(str(MIGRATIONS))
        finally:
            close_app(app)
            servers.remove_folder(folder)


@contextmanager
def usual_waiting() -> Iterator[None]:
    """Leave psycopg2's way to wait as it was: an application sets it for the whole process."""
    before = extensions.get_wait_callback()
    try:
        yield
    finally:
        extensions.set_wait_callback(before)


@pytest.fixture(scope="session")
def sqlite_template() -> Iterator[Path]:
    """A migrated file; tests work on copies."""
    folder = servers.temporary_folder()
    path = folder / "template.db"
    migrate(f"sqlite:///{path}")
    yield path
    servers.remove_folder(folder)


@pytest.fixture
def sqlite_url(sqlite_template: Path) -> Iterator[str]:
    """A migrated, empty SQLite database."""
    folder = servers.temporary_folder(in_memory=True)
    path = folder / "chat.db"
    shutil.copy(sqlite_template, path)
    yield f"sqlite:///{path}"
    servers.remove_folder(folder)


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """A migrated, empty PostgreSQL database."""
    with postgres.shared().fresh(migrate) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database: the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """The model that ``app`` asks; ``model.script`` says how it answers."""
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes applications by their settings, closed after the test; each is like a process."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        made.append(build_app(tmp_path / "data", **settings))
        return made[-1]

    with usual_waiting():
        yield make
        for app in made:
            close_app(app)

    def left() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name in MACHINERY]

    # The finishers are told to end, and not waited for.
    with suppress(TimeoutError):
        servers.wait_until(lambda: not left(), seconds=5, every=0.005)
    assert not left(), f"threads outlived their application: {left()}"


@pytest.fixture
def app(make_app: Callable[..., Flask], database_url: str, model: ScriptedModel) -> Flask:
    """On either database, with ``model`` to ask."""
    # Many threads of a test share one pool on a busy machine: that is no fault to be found here.
    patient = {"DATABASE_POOL_TIMEOUT": "20"}
    return make_app(
        DATABASE_URL=database_url, LLM_BASE_URL=model.base_url, LLM_MODEL="test", **patient
    )


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A new browser; ``factories.owner_of(client)`` is whose it is, after its first page."""
    return app.test_client()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that nobody has set up."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new/folder/chat.db"
    else:
        with postgres.shared().fresh() as url:
            yield url


@pytest.fixture
def empty(make_app: Callable[..., Flask], empty_url: str) -> Iterator[Flask]:
    """An application on it, in its context."""
    app = make_app(DATABASE_URL=empty_url)
    with app.app_context():
        yield app


@pytest.fixture
def owner() -> Owner:
    """A guest who has not written anything yet."""
    return owners.guest(owners.new_token())


@pytest.fixture
def stranger() -> Owner:
    """Another one."""
    return owners.guest(owners.new_token())


@pytest.fixture
def at_once(app: Flask) -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """Makes calls at the same moment, each in a thread and a context of its own.

    Gives what each returned or raised, in their order.
    """

    def make_calls(calls: Sequence[Callable[[], Any]]) -> list[Any]:
        ready = threading.Barrier(len(calls))

        def make(call: Callable[[], Any]) -> Any:
            with app.app_context():
                ready.wait(10)
                try:
                    return call()
                except Exception as error:
                    return error

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(make, calls))

    return make_calls
