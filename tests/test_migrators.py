"""A migration is all or nothing, and made by one migrator at a time."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask
from sqlalchemy import event, text

from chatweb import models
from chatweb.database import db, sqlite
from chatweb.services import health
from tests import factories, postgres, servers
from tests.conftest import MIGRATIONS
from tests.migrating import downgrade, names, revision, schema, upgrade

pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection"),
]

HEAD = health.REVISIONS[-1]


class TestAnInterruptedMigration:
    """Fails before its n-th statement, for every n: either the old schema or the new one."""

    def test_leaves_nothing_half_done(self, empty: Flask) -> None:
        fail_at, done = 1, 0

        def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            nonlocal done
            if re.match(r"\s*(CREATE|ALTER|INSERT|UPDATE)", statement):
                done += 1
                if done == fail_at:
                    raise InterruptedError

        if db.engine.dialect.name == "sqlite":
            sqlite.create_file(empty.extensions["settings"])
        event.listen(db.engine, "before_cursor_execute", fail)
        while True:
            done = 0
            try:
                upgrade()
                break
            except InterruptedError:
                assert names() == set(), f"statement {fail_at} failed and left something"
                fail_at += 1

        assert fail_at > 15
        assert revision() == HEAD

    @pytest.mark.parametrize("statement", [4, 14])
    def test_by_death_leaves_nothing_half_done(
        self, empty: Flask, empty_url: str, tmp_path: Path, statement: int
    ) -> None:
        killed = run(KILLED.format(statement), empty_url, tmp_path)

        assert killed.wait(60) == -9
        if db.engine.dialect.name == "postgresql":
            wait_until_alone(empty_url)
        assert names() == set()
        upgrade()
        assert revision() == HEAD


NEXT = """
import os
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{head}"

def upgrade():
    op.add_column("message", sa.Column("rating", sa.Integer))
    op.create_table("rating", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO rating VALUES (1)")
    op.execute("UPDATE message SET content = 'spoilt'")
    op.execute("DELETE FROM reply_piece")
    {fate}
"""


class TestTheNextMigration:
    """It changes a schema that people's messages are in."""

    @pytest.fixture
    def next_one(self, tmp_path: Path) -> Callable[[str], Path]:
        def folder(fate: str) -> Path:
            folder = tmp_path / "migrations"
            shutil.copytree(MIGRATIONS, folder)
            (folder / "versions" / "next.py").write_text(NEXT.format(head=HEAD, fate=fate))
            return folder

        return folder

    def stored(self) -> Any:
        return schema(), revision(), factories.rows(models.Message)

    def test_that_fails_half_way_leaves_schema_and_rows_as_they_were(
        self, app: Flask, owner: Any, next_one: Callable[[str], Path]
    ) -> None:
        with app.app_context():
            factories.answered(owner)
            before = self.stored()

            with pytest.raises(InterruptedError):
                upgrade(folder=next_one("raise InterruptedError"))

            assert self.stored() == before
            assert app.extensions["look"]().status == "pass"

    def test_that_is_killed_half_way_leaves_schema_and_rows_as_they_were(
        self, app: Flask, owner: Any, database_url: str, tmp_path: Path,
        next_one: Callable[[str], Path],
    ) -> None:  # fmt: skip
        with app.app_context():
            factories.answered(owner)
            before = self.stored()
            folder = next_one("os.kill(os.getpid(), 9)")

            assert run("pass", database_url, tmp_path, folder).wait(60) == -9

            if db.engine.dialect.name == "postgresql":
                wait_until_alone(database_url)
            assert self.stored() == before
            factories.answered(owner)

    def test_that_goes_through_is_there_whole(
        self, app: Flask, owner: Any, next_one: Callable[[str], Path]
    ) -> None:
        """So it is the failure, and nothing else, that left the schema alone."""
        with app.app_context():
            factories.answered(owner)

            upgrade(folder=next_one("pass"))

            assert "rating" in names()
            assert revision() == "next"
            assert {row.content for row in factories.rows(models.Message)} == {"spoilt"}


def wait_until_alone(url: str) -> None:
    """The server notices a client's death only when it next reads or writes."""
    servers.wait_until(
        lambda: postgres.shared().execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state <> 'idle'",
            url.rpartition("/")[2],
        ) == [(0,)],
        seconds=10,
    )  # fmt: skip


MIGRATE = """
import flask_migrate, os, sys
from chatweb import create_app
from chatweb.database import db
app = create_app(DATABASE_URL=sys.argv[1], DATA_DIR=sys.argv[2])
with app.app_context():
    {}
    flask_migrate.upgrade(sys.argv[3])
"""
KILLED = """
from sqlalchemy import event
    left = [{}]
    def die(connection, cursor, statement, *rest):
        if statement.lstrip().startswith(("CREATE", "ALTER", "INSERT")):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), 9)
    event.listen(db.engine, "before_cursor_execute", die)
"""


def run(
    preparation: str, url: str, folder: Path, migrations: Path = MIGRATIONS
) -> subprocess.Popen[bytes]:
    """Migrate in a process of its own."""
    program = MIGRATE.format(preparation.strip())
    return servers.start(
        [sys.executable, "-c", program, url, str(folder / "data"), str(migrations)],
        log=folder / "log", env=servers.environment({}), cwd=servers.REPOSITORY,
    )  # fmt: skip


def test_two_migrators_at_once_are_one_after_the_other(
    empty: Flask, empty_url: str, tmp_path: Path
) -> None:
    processes = [run("pass", empty_url, tmp_path) for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0, 0], (tmp_path / "log").read_text()
    assert revision() == HEAD
    assert empty.extensions["look"]().status == "pass"


def test_a_migrator_waits_for_another_one_and_finds_its_work(app: Flask) -> None:
    """The other one has begun, is slow, and undoes all it did."""
    waiter = threading.Thread(target=lambda: in_context(app, upgrade))
    with app.app_context():
        downgrade()
        with another_migrator() as undo:
            waiter.start()
            servers.wait_until(somebody_waits, seconds=10)
            undo()
        waiter.join(30)

        assert not waiter.is_alive()
        assert revision() == HEAD


def in_context(app: Flask, work: Callable[[], None]) -> None:
    with app.app_context():
        work()


@contextmanager
def another_migrator() -> Iterator[Callable[[], None]]:
    """One in the middle of its transaction; gives the way to undo what it did."""
    with db.engine.connect().execution_options(writes=True) as connection:
        transaction = connection.begin()
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7236001)"))
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        yield transaction.rollback


def somebody_waits() -> bool:
    """For a lock on PostgreSQL; on SQLite, which does not tell, with its file open twice."""
    if db.engine.dialect.name == "postgresql":
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return postgres.shared().execute(waiting) == [(1,)]
    opened = [each.path for each in psutil.Process().open_files()]
    return opened.count(str(db.engine.url.database)) >= 2
