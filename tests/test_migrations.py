"""The schema goes up and down, and is what the models say."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from chatweb import models
from chatweb.database import db, postgresql, writing
from chatweb.services import health
from tests import factories, postgres, servers
from tests.conftest import MIGRATIONS, close_app
from tests.migrating import downgrade, names, revision, schema, upgrade

# Of SQLite's one index on an expression, which a test of owners looks at.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression"),
]

HEAD = health.REVISIONS[-1]


def test_up_from_nothing_down_and_up_again(empty: Flask) -> None:
    upgrade()
    first = schema()
    assert revision() == HEAD
    assert {table.name for table in db.metadata.sorted_tables} <= names()

    downgrade()
    assert not names() - {"alembic_version"}
    assert revision() is None
    assert not schema()

    upgrade()
    assert schema() == first
    assert empty.extensions["look"]().status == "pass"


def test_every_revision_goes_up_and_down_by_itself(empty: Flask) -> None:
    for step in health.REVISIONS:
        upgrade(step)
        assert revision() == step
    for step in reversed((None, *health.REVISIONS[:-1])):
        downgrade(step or "base")
        assert revision() == step


def test_up_again_changes_nothing(app: Flask, owner: Any) -> None:
    with app.app_context():
        factories.answered(owner)
        before = schema(), factories.rows(models.Message)

        upgrade()

        assert (schema(), factories.rows(models.Message)) == before


def test_down_works_with_conversations_in_it(app: Flask, owner: Any) -> None:
    with app.app_context():
        factories.answered(owner)
        factories.begun(owner)

        downgrade()

        assert not names() - {"alembic_version"}


def test_nothing_is_left_for_autogenerate(app: Flask) -> None:
    """What only migrations know: the full-text structures, as in migrations/env.py."""

    def ours(_thing: Any, name: str | None, *_: Any) -> bool:
        return "message_search" not in (name or "")

    with app.app_context(), db.engine.connect() as connection:
        # SQLite has one kind of float, which Alembic takes for another.
        types = connection.dialect.name == "postgresql"
        options = {"include_object": ours, "compare_server_default": True, "compare_type": types}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, db.metadata)

    assert differences == []


def test_the_models_and_the_migrations_name_things_alike(app: Flask) -> None:
    with app.app_context():
        found = inspect(db.engine)
        for table in db.metadata.sorted_tables:
            columns = {
                column["name"]: column["nullable"] for column in found.get_columns(table.name)
            }
            columns.pop("message_search", None)
            assert columns == {column.name: column.nullable for column in table.columns}
            for kind, there in (
                ("ck", found.get_check_constraints(table.name)),
                ("fk", found.get_foreign_keys(table.name)),
                ("uq", found.get_unique_constraints(table.name)),
            ):
                expected = {
                    str(each.name) for each in table.constraints if str(each.name).startswith(kind)
                }
                assert {each["name"] for each in there} == expected, table.name


class TestAServerThatIsNotThereYet:
    def test_is_waited_for(self, make_app: Callable[..., Flask]) -> None:
        with postgres.Cluster() as cluster:
            url = cluster.create("chat")
            cluster.stop()
            app = make_app(
                DATABASE_URL=url, DATABASE_INIT_RETRY_COUNT="8", DATABASE_INIT_RETRY_DELAY_MS="50"
            )
            timer = threading.Timer(0.3, cluster.start)
            timer.start()
            with app.app_context():
                upgrade()
                assert revision() == HEAD
            timer.join()
            close_app(app)

    def test_is_given_up(self, make_app: Callable[..., Flask]) -> None:
        url = f"postgresql://ada:hunter2@127.0.0.1:{servers.free_port()}/chat"
        app = make_app(
            DATABASE_URL=url, DATABASE_INIT_RETRY_COUNT="2", DATABASE_INIT_RETRY_DELAY_MS="10"
        )
        started = time.monotonic()

        with app.app_context(), pytest.raises(OperationalError, match="refused") as caught:
            upgrade()

        assert "hunter2" not in str(caught.value)
        assert time.monotonic() - started < 5

    def test_is_given_up_when_it_hangs(
        self, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgresql, "CONNECTING", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            app = make_app(
                DATABASE_URL=f"postgresql://ada@127.0.0.1:{port}/chat",
                DATABASE_INIT_RETRY_COUNT="1",
            )

            with app.app_context(), pytest.raises(OperationalError, match="in time"):
                upgrade()


class TestSqlitesFile:
    def test_is_made_for_its_owner_only(
        self, make_app: Callable[..., Flask], tmp_path: Path
    ) -> None:
        with made(make_app, tmp_path) as file:
            assert file.stat().st_mode & 0o777 == 0o600

    def test_is_not_made_by_a_web_process(
        self, make_app: Callable[..., Flask], tmp_path: Path
    ) -> None:
        app = make_app()

        assert app.test_client().get("/").status_code == 503
        assert app.extensions["look"]().status == "fail"
        assert not list(tmp_path.rglob("*.db"))

    @pytest.mark.parametrize("journal", ["wal", "delete"])
    def test_gets_the_journal_that_is_set(
        self, make_app: Callable[..., Flask], tmp_path: Path, journal: str
    ) -> None:
        with made(make_app, tmp_path, SQLITE_JOURNAL=journal), writing() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == journal


@contextmanager
def made(make_app: Callable[..., Flask], folder: Path, **settings: str) -> Iterator[Path]:
    app = make_app(**settings)
    with app.app_context():
        upgrade()
        (file,) = folder.rglob("*.db")
        yield file


def test_revisions_are_one_chain() -> None:
    texts = {path.name[:4]: path.read_text() for path in MIGRATIONS.glob("versions/[0-9]*.py")}

    previous = None
    for name in health.REVISIONS:
        assert f'revision = "{name}"' in texts[name]
        after = f'"{previous}"' if previous else "None"
        assert f"down_revision = {after}\n" in texts[name]
        previous = name
