"""How the database is, told truthfully."""

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from chatweb.database import db, writing
from chatweb.services import health
from chatweb.services.errors import Unavailable
from tests import postgres, servers


@pytest.fixture
def look(app: Flask) -> health.Look:
    found: health.Look = app.extensions["look"]
    return found


def set_revision(*revisions: str) -> None:
    """Leave the database at another revision than the newest."""
    with writing() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        for revision in revisions:
            connection.execute(text("INSERT INTO alembic_version VALUES (:r)"), {"r": revision})
        connection.commit()


def test_a_database_that_is_well_passes(look: health.Look) -> None:
    found = look()

    assert (found.status, found.reason) == ("pass", None)
    assert found.kind == db.engine.dialect.name
    assert found.milliseconds is not None
    assert 0 < found.milliseconds < 2500


def test_a_look_leaves_no_connection(app: Flask, look: health.Look) -> None:
    look()

    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    if db.engine.dialect.name == "postgresql":
        database = db.engine.url.database
        rows = postgres.shared().execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", database
        )
        assert rows == [(0,)]


def test_many_looks_within_a_second_are_one(look: health.Look, at_once: Any) -> None:
    found = at_once([look] * 20)

    # The very same object: nobody looked again.
    assert {id(each) for each in found} == {id(found[0])}


def test_a_look_is_made_again_after_a_second(look: health.Look) -> None:
    assert look().status == "pass"
    set_revision("9999")

    servers.wait_until(lambda: look().status == "fail", seconds=5, every=0.1)


@pytest.mark.parametrize(
    ("revisions", "kind"),
    [(["9999"], "schema_ahead"), (["0000_older"], "schema_ahead"), ([], "schema")],
    ids=["ahead", "unknown", "empty"],
)
def test_another_schema_is_refused_with_its_direction(
    app: Flask, look: health.Look, revisions: list[str], kind: str
) -> None:
    set_revision(*revisions)
    expected = str(Unavailable(kind))

    assert look() == health.Database("fail", db.engine.dialect.name, expected)
    with pytest.raises(Unavailable, match=expected):
        app.extensions["schema"].require()


def test_an_older_schema_is_behind(look: health.Look, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the next version of this code will know.
    monkeypatch.setattr(health, "REVISIONS", (*health.REVISIONS, "9999"))

    assert look().reason == str(Unavailable("schema_behind"))
    with pytest.raises(Unavailable, match="flask db upgrade"):
        health.Schema().require()


def test_a_database_without_tables_is_not_set_up(look: health.Look) -> None:
    with writing() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.commit()

    assert look().reason == str(Unavailable("schema"))
    with pytest.raises(Unavailable, match="flask db upgrade"):
        health.Schema().require()


def test_a_schema_that_was_seen_is_not_looked_at_for_a_while() -> None:
    schema = health.Schema()
    schema.require()
    set_revision("9999")

    schema.require()

    with pytest.raises(Unavailable):
        health.Schema().require()


def test_a_schema_that_came_in_the_meantime_is_accepted() -> None:
    schema = health.Schema()
    set_revision("9999")
    with pytest.raises(Unavailable):
        schema.require()

    set_revision(health.REVISIONS[-1])

    schema.require()


def test_somebody_who_waits_for_a_look_is_told_in_time(
    look: health.Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.1)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with look._lock:
            holding.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(10)
    try:
        assert look().reason == "no answer in time"
    finally:
        done.set()
        thread.join()
