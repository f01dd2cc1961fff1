"""Reading, writing and doing it again, on both databases."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError, StatementError
from sqlalchemy.pool import NullPool

from chatweb.database import TRIES, db, reading, retried, writing
from chatweb.database.failures import PASSING, SENTENCES, Unavailable
from chatweb.database.types import now_seconds
from chatweb.models import Message, Process, User
from chatweb.services.owners import Owner
from tests import factories, postgres


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def add_user(email: str | None = None, at: datetime | None = None) -> None:
    with writing() as connection:
        connection.execute(insert(User), user(email, at))
        connection.commit()


def user(email: str | None = None, at: datetime | None = None) -> dict[str, object]:
    now = datetime.now(UTC)
    return {"id": uuid4(), "email": email, "role": "learner", "created_at": at or now}


@pytest.mark.usefixtures("context")
class TestWriting:
    def test_without_a_commit_changes_nothing(self) -> None:
        with writing() as connection:
            connection.execute(insert(User), user())

        assert factories.rows(User) == []

    def test_that_fails_changes_nothing(self) -> None:
        def fail() -> None:
            with writing() as connection:
                connection.execute(insert(User), user())
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()

        assert factories.rows(User) == []
        add_user()
        assert len(factories.rows(User)) == 1

    def test_may_read_first_while_others_have_written(self) -> None:
        """A transaction that begins as a reader could not become a writer."""
        with writing() as connection:
            assert connection.execute(select(User)).all() == []
            connection.execute(insert(User), user())
            connection.commit()

        assert len(factories.rows(User)) == 1

    def test_leaves_broken_constraints_as_they_are(self) -> None:
        add_user("ada@example.org")

        with pytest.raises(IntegrityError):
            add_user("ADA@example.org")

    def test_leaves_faults_of_our_own_as_they_are(self) -> None:
        with pytest.raises(DBAPIError) as caught, reading() as connection:
            connection.execute(text("SELEKT 1"))

        assert not isinstance(caught.value, Unavailable)

    def test_in_twenty_threads_loses_nothing(self, at_once) -> None:
        assert at_once([add_user] * 20) == [None] * 20

        assert len(factories.rows(User)) == 20

    def test_gives_its_connection_back(self) -> None:
        for _ in range(30):
            add_user()
            factories.rows(User)

        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.usefixtures("context")
class TestReading:
    def test_sees_what_others_commit_meanwhile(self) -> None:
        with reading() as connection:
            assert connection.execute(select(User)).all() == []
            add_user()

            assert len(connection.execute(select(User)).all()) == 1

    def test_holds_no_transaction(self) -> None:
        with reading() as connection:
            connection.execute(select(User)).all()

            driver = connection.connection.driver_connection
            if db.engine.dialect.name == "sqlite":
                assert not driver.in_transaction  # type: ignore[union-attr]
            else:
                (row,) = postgres.shared().execute(
                    "SELECT state FROM pg_stat_activity WHERE pid = %s",
                    driver.info.backend_pid,  # type: ignore[union-attr]
                )
                assert row == ("idle",)


@pytest.mark.usefixtures("context")
class TestNoValueIsShown:
    """Exceptions go to the log, and nothing that people wrote may."""

    SECRET = "what I only told my diary"  # noqa: S105 a canary

    def error(self, owner: Owner, content: str, **wrong: object) -> StatementError:
        conversation_id = factories.conversation(owner, 2)
        message = factories.message(owner, conversation_id, 3, content) | wrong
        with pytest.raises(StatementError) as caught, writing() as connection:
            connection.execute(insert(Message), message)
        return caught.value

    @pytest.mark.parametrize(
        "wrong", [{"position": 2}, {"role": "root"}, {"role": None}, {"parent": 9}], ids=str
    )
    def test_of_a_broken_constraint(self, owner: Owner, wrong: dict[str, object]) -> None:
        error = self.error(owner, self.SECRET, **wrong)

        assert isinstance(error, IntegrityError)
        assert self.SECRET not in f"{error} {error!r} {error.orig} {error.orig!r}"
        assert owner.id.hex not in str(error).replace("-", "")

    def test_of_a_text_that_cannot_be_stored(self, owner: Owner) -> None:
        error = self.error(owner, self.SECRET, created_at="yesterday " + self.SECRET)

        assert self.SECRET not in f"{error} {error!r}"

    def test_and_what_was_wrong_is_still_told(self, owner: Owner) -> None:
        error = self.error(owner, "text", role="root")

        assert "ck_message_role" in str(error)


@pytest.mark.usefixtures("context")
class TestMoments:
    def test_are_stored_as_utc_and_come_back_aware(self) -> None:
        here = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5.5)))

        add_user(at=here)

        (row,) = factories.rows(User)
        assert row.created_at == here
        assert row.created_at.utcoffset() == timedelta(0)

    def test_of_the_databases_clock_are_seconds(self) -> None:
        with reading() as connection:
            there = connection.execute(select(now_seconds())).scalar_one()

        assert abs(there - time.time()) < 60

    def test_of_the_databases_clock_go_on_inside_a_transaction(self) -> None:
        with writing() as connection:
            first = connection.execute(select(now_seconds())).scalar_one()
            time.sleep(0.01)
            assert connection.execute(select(now_seconds())).scalar_one() > first


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("table", [User, Process])
def test_a_missing_table_says_what_to_do(table: type) -> None:
    with writing() as connection:
        connection.exec_driver_sql(f'ALTER TABLE "{table.__tablename__}" RENAME TO gone')  # type: ignore[attr-defined]
        connection.commit()

    with pytest.raises(Unavailable, match="flask db upgrade") as caught:
        factories.rows(table)
    assert caught.value.kind == "schema"
    assert not caught.value.passing


class TestThePool:
    def test_that_is_empty_makes_others_wait_and_then_says_busy(
        self, make_app: Callable[..., Flask], database_url: str
    ) -> None:
        app = make_app(
            DATABASE_URL=database_url, DATABASE_POOL_SIZE="1", DATABASE_MAX_OVERFLOW="0",
            DATABASE_POOL_TIMEOUT="0.2",
        )  # fmt: skip
        with app.app_context():
            with reading():
                started = time.monotonic()
                with pytest.raises(Unavailable) as caught, reading():
                    pass
                assert time.monotonic() - started < 3.5
                assert caught.value.kind == "busy"
                # Health has a connection of its own.
                assert app.extensions["look"]().status == "pass"

            assert factories.rows(User) == []

    def test_of_size_0_keeps_no_connection(
        self, make_app: Callable[..., Flask], database_url: str
    ) -> None:
        app = make_app(DATABASE_URL=database_url, DATABASE_POOL_SIZE="0")
        with app.app_context():
            add_user()

            assert isinstance(db.engine.pool, NullPool)
            assert len(factories.rows(User)) == 1
            if db.engine.dialect.name == "postgresql":
                rows = postgres.shared().execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s",
                    db.engine.url.database,
                )
                assert rows == [(0,)]

    def test_has_the_size_that_is_set(
        self, make_app: Callable[..., Flask], database_url: str
    ) -> None:
        app = make_app(DATABASE_URL=database_url, DATABASE_POOL_SIZE="3", DATABASE_POOL_RECYCLE="9")
        with app.app_context():
            assert db.engine.pool.size() == 3  # type: ignore[attr-defined]
            assert db.engine.pool._recycle == 9


class TestRetried:
    """Only what may help is tried again; the calls here count themselves."""

    def calls_until(self, *errors: Exception) -> int:
        calls = 0

        @retried
        def write() -> str:
            nonlocal calls
            calls += 1
            if calls <= len(errors):
                raise errors[calls - 1]
            return "written"

        with suppress(Unavailable, IntegrityError, ValueError):
            assert write() == "written"
        return calls

    @pytest.mark.parametrize("kind", sorted(PASSING))
    def test_helps_when_the_trouble_passes(self, kind: str) -> None:
        assert self.calls_until(Unavailable(kind)) == 2
        assert self.calls_until(Unavailable(kind), Unavailable(kind)) == 3

    def test_ends(self) -> None:
        assert self.calls_until(*[Unavailable("busy")] * 9) == TRIES

    @pytest.mark.parametrize("kind", sorted(set(SENTENCES) - PASSING))
    def test_is_not_for_trouble_that_stays(self, kind: str) -> None:
        assert self.calls_until(Unavailable(kind)) == 1

    def test_is_for_two_who_wrote_the_same_at_once(self) -> None:
        assert self.calls_until(IntegrityError("INSERT", {}, Exception())) == 2

    def test_is_not_for_mistakes(self) -> None:
        assert self.calls_until(ValueError()) == 1


def test_every_failure_has_a_sentence_for_the_person() -> None:
    for kind, sentence in SENTENCES.items():
        error = Unavailable(kind)
        assert str(error) == sentence
        assert sentence.endswith(".")


def test_statements_are_not_shown_unless_asked_for(
    make_app: Callable[..., Flask], sqlite_url: str
) -> None:
    with make_app(DATABASE_URL=sqlite_url).app_context():
        assert db.engine.echo is False
        assert db.engine.hide_parameters is True
    with make_app(DATABASE_URL=sqlite_url, DATABASE_ECHO="true").app_context():
        assert db.engine.echo is True
        assert db.engine.hide_parameters is True


def test_a_statement_that_is_wrong_is_our_fault(app: Flask) -> None:
    with app.app_context(), pytest.raises((ProgrammingError, DBAPIError)), writing() as connection:
        connection.execute(text("INSERT INTO"))
