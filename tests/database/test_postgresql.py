"""PostgreSQL: a server that stops, hangs, dies, refuses or is held up by somebody else.

Each failure is told in the time a person waits, and is over when the server is well again:
nothing is restarted here but the server.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.exc import DataError

from chatweb.database import db, postgresql, reading, writing
from chatweb.database.failures import Unavailable
from chatweb.models import Conversation, Message, Process
from chatweb.services import answers, conversations, questions
from chatweb.services.owners import Owner
from tests import factories, servers
from tests.postgres import Cluster
from tests.proxies import Proxy

pytestmark = pytest.mark.usefixtures("cluster_app")

PATIENCE = 3.5
"""Seconds: a page says within 3 s that the database is away; the rest is this machine's."""


def read() -> list[Any]:
    return factories.rows(Message)


def beat() -> None:
    answers.beat(uuid4())


def failing(call: Callable[[], Any], within: float = PATIENCE) -> str:
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        call()
    assert time.monotonic() - started < within
    return caught.value.kind


def all_failing(app: Flask, *calls: Callable[[], Any]) -> set[str]:
    """The kinds of failures of calls made at the same moment."""
    kinds: list[str] = []

    def fail(call: Callable[[], Any]) -> None:
        with app.app_context():
            kinds.append(failing(call))

    threads = [threading.Thread(target=fail, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kinds) == len(calls), "a call did not fail, or not in time"
    return set(kinds)


def well(app: Flask) -> None:
    """Within 5 s of the server's return all is well."""
    servers.wait_until(lambda: app.extensions["look"]().status == "pass", seconds=5)
    beat()
    read()


@contextmanager
def session(app_url: str) -> Iterator[Any]:
    """Somebody else's connection."""
    connection = psycopg2.connect(app_url)
    try:
        yield connection.cursor()
    finally:
        connection.close()


class TestAServerThatStops:
    def test_is_away_until_it_is_back(self, cluster_app: Flask, server: Cluster) -> None:
        beat()
        server.stop()

        assert failing(read) == failing(beat) == "away"
        assert failing(lambda: factories.begun(factories.guest())) == "away"
        assert cluster_app.extensions["look"]().status == "fail"
        server.start()
        well(cluster_app)

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_and_starts_again_between_two_calls_is_not_noticed(
        self, server: Cluster, mode: Any
    ) -> None:
        beat()

        server.restart(mode)

        beat()
        assert len(factories.rows(Process)) == 2

    def test_in_the_middle_of_a_write_leaves_nothing_of_it(
        self, server: Cluster, owner: Owner
    ) -> None:
        def interrupted() -> None:
            with writing() as connection:
                connection.execute(text("DELETE FROM process"))
                server.restart("immediate")
                connection.commit()

        beat()
        assert failing(interrupted, within=30) == "away"
        assert len(factories.rows(Process)) == 1
        factories.answered(owner)


class TestAConnectionThatIsCut:
    def test_from_the_servers_side_is_replaced(self, server: Cluster) -> None:
        beat()
        assert server.terminate_backends(db.engine.url.database or "")

        beat()

    def test_by_the_death_of_its_process_is_replaced(
        self, cluster_app: Flask, server: Cluster
    ) -> None:
        beat()
        server.kill_backend(db.engine.url.database or "")

        # The server ends all other connections and recovers; that takes it a moment.
        well(cluster_app)

    def test_after_a_read_is_nothing_to_it_and_given_back(self, server: Cluster) -> None:
        name = db.engine.url.database or ""
        for _ in range(3):
            read()
            with reading() as connection:
                assert connection.execute(text("SELECT 1")).scalar() == 1
                assert server.terminate_backends(name)
                servers.wait_until(lambda: not server.terminate_backends(name), seconds=10)

        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        beat()

    def test_in_the_middle_of_a_write_is_away(self, server: Cluster) -> None:
        def interrupted() -> None:
            with writing() as connection:
                connection.execute(text("DELETE FROM process"))
                server.terminate_backends(db.engine.url.database or "")
                connection.execute(text("SELECT 1"))

        assert failing(interrupted) == "away"
        beat()


class TestAReadConnection:
    def test_commits_each_statement_and_the_next_writer_none(self, server: Cluster) -> None:
        with reading() as connection:
            first = connection.execute(text("SELECT now(), pg_backend_pid()")).one()
            second = connection.execute(text("SELECT now(), pg_backend_pid()")).one()
            assert first[0] < second[0]
        beat()

        with writing() as connection:
            connection.execute(text("DELETE FROM process"))
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar() == first[1]
        assert len(factories.rows(Process)) == 1

    def test_that_failed_is_given_back_as_it_was(self, server: Cluster) -> None:
        with pytest.raises(DataError), reading() as connection:
            connection.execute(text("SELECT 1 / 0"))
        with reading() as connection:
            connection.execute(text("SELECT 1")).all()

        with writing() as connection:
            connection.execute(text("DELETE FROM process"))
            assert (
                connection.execute(text("SELECT now() = statement_timestamp()")).scalar() is False
            )


class TestAServerThatHangs:
    def test_is_away_in_time_for_everybody(
        self, cluster_app: Flask, server: Cluster, owner: Owner
    ) -> None:
        asked = factories.answered(owner)
        look: Any = cluster_app.extensions["look"]
        server.suspend()

        def look_and_fail() -> None:
            found = look()
            assert found.status == "fail"
            raise Unavailable("away")

        kinds = all_failing(
            cluster_app, read, beat, look_and_fail,
            lambda: conversations.find(owner, asked.conversation_id),
            lambda: factories.begun(owner, process_id=asked.process_id),
        )  # fmt: skip

        assert kinds == {"away"}
        server.resume()
        well(cluster_app)
        assert len(read()) == 2

    def test_is_asked_by_one_for_all_whether_it_still_speaks(
        self, cluster_app: Flask, server: Cluster
    ) -> None:
        most, over = 0, threading.Event()

        def count() -> None:
            nonlocal most
            while not over.wait(0.01):
                asking = [each for each in threading.enumerate() if each.name == "probe"]
                most = max(most, len(asking))

        with ExitStack() as connected:
            for _ in range(4):
                connected.enter_context(reading())
        counter = threading.Thread(target=count)
        counter.start()
        server.suspend()
        all_failing(cluster_app, *[read] * 4)
        over.set()
        counter.join()

        assert most == 1
        server.resume()
        well(cluster_app)

    def test_while_it_commits_leaves_one_question_after_all(
        self, cluster_app: Flask, server: Cluster, owner: Owner
    ) -> None:
        request_id, process_id = uuid4(), factories.process()

        def ask() -> questions.Asked:
            return factories.begun(owner, request_id=request_id, process_id=process_id)

        def hang(_connection: Any) -> None:
            server.suspend()

        event.listen(db.engine, "commit", hang)
        assert failing(ask) == "away"
        event.remove(db.engine, "commit", hang)
        server.resume()
        servers.wait_until(lambda: cluster_app.extensions["look"]().status == "pass", seconds=5)

        asked = ask()

        assert ask() == asked
        assert len(factories.rows(Conversation)) == 1
        assert len(read()) == 2

    def test_for_a_moment_is_only_slow(self, server: Cluster) -> None:
        beat()
        server.suspend()
        timer = threading.Timer(0.5, server.resume)
        timer.start()

        beat()
        timer.join()


class TestARowThatSomebodyHolds:
    HOLD = "SELECT id FROM conversation WHERE id = %s FOR UPDATE"

    def test_makes_a_question_busy_in_time(self, owner: Owner, cluster_url: str) -> None:
        asked = factories.answered(owner)

        with session(cluster_url) as other:
            other.execute(self.HOLD, [str(asked.conversation_id)])
            assert failing(lambda: factories.asked(owner, asked.conversation_id)) == "busy"
            assert conversations.find(owner, asked.conversation_id)

        factories.asked(owner, asked.conversation_id)

    def test_for_a_moment_is_waited_for(self, owner: Owner, cluster_url: str) -> None:
        asked = factories.answered(owner)

        with session(cluster_url) as other:
            other.execute(self.HOLD, [str(asked.conversation_id)])
            timer = threading.Timer(0.3, other.connection.rollback)
            timer.start()
            factories.asked(owner, asked.conversation_id)
            timer.join()

    def test_in_a_circle_is_let_go_and_tried_again(
        self, cluster_app: Flask, cluster_url: str, owner: Owner
    ) -> None:
        """Two who wait for each other: the server ends one of them, as busy."""
        one, two = (factories.answered(owner).conversation_id for _ in range(2))
        lock = text("SELECT id FROM conversation WHERE id = :id FOR UPDATE")
        ready = threading.Barrier(2)
        ends: list[str] = []

        def take(first: Any, second: Any) -> None:
            try:
                with cluster_app.app_context(), writing() as connection:
                    connection.execute(text("SET LOCAL deadlock_timeout = 50"))
                    connection.execute(lock, {"id": first})
                    ready.wait(5)
                    connection.execute(lock, {"id": second})
                    ends.append("through")
            except Unavailable as failure:
                ends.append(failure.kind)

        threads = [threading.Thread(target=take, args=pair) for pair in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(ends) == ["busy", "through"]


class TestAServerThatRefuses:
    def test_more_connections_is_told_and_passes(
        self, cluster_app: Flask, cluster_url: str
    ) -> None:
        db.engine.dispose()
        held: list[Any] = []

        def hold_all() -> None:
            while True:
                held.append(psycopg2.connect(cluster_url))

        try:
            with pytest.raises(psycopg2.OperationalError, match="too many"):
                hold_all()
            assert failing(beat) in {"busy", "away"}
            assert cluster_app.extensions["look"]().status == "fail"
        finally:
            for connection in held:
                connection.close()
        well(cluster_app)

    def test_a_database_that_is_not_there_is_away(self, make_app: Any, server: Cluster) -> None:
        app = make_app(DATABASE_URL=server.url("nowhere"))

        with app.app_context():
            assert failing(read) == "away"

    def test_writes_is_told_apart(self, cluster_app: Flask, server: Cluster, owner: Owner) -> None:
        asked = factories.answered(owner)
        name = db.engine.url.database
        server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        db.engine.dispose()

        assert failing(beat) == failing(lambda: factories.begun(owner, process_id=uuid4()))
        assert failing(beat) == "read_only"
        assert conversations.find(owner, asked.conversation_id)
        found = cluster_app.extensions["look"]()
        assert (found.status, found.reason) == ("warn", str(Unavailable("read_only")))


class TestALongStatement:
    SLEEP = text("SELECT pg_sleep(30)")

    @pytest.fixture
    def hasty(self, make_app: Any, cluster_url: str, cluster_app: Flask) -> Iterator[None]:
        # After the other one: the limit is the process's, which has one application elsewhere.
        with make_app(DATABASE_URL=cluster_url, DATABASE_TIMEOUT="0.5").app_context():
            yield

    def sleep(self, how: Any) -> None:
        with how() as connection:
            connection.execute(self.SLEEP)

    @pytest.mark.usefixtures("hasty")
    @pytest.mark.parametrize("how", [reading, writing])
    def test_is_ended_when_its_time_is_over(self, how: Any) -> None:
        assert failing(lambda: self.sleep(how)) in {"busy", "away"}

        beat()

    def test_is_not_mistaken_for_a_hung_server_in_a_process_that_was_quiet(self) -> None:
        with reading() as connection:
            connection.execute(text(f"SELECT pg_sleep({postgresql.SILENCE + 0.7})"))

    def test_is_not_mistaken_for_a_hung_server_while_others_hear_it(
        self, cluster_app: Flask
    ) -> None:
        over = threading.Event()

        def keep_beating() -> None:
            with cluster_app.app_context():
                while not over.wait(0.1):
                    beat()

        thread = threading.Thread(target=keep_beating)
        thread.start()
        try:
            with reading() as connection:
                connection.execute(text(f"SELECT pg_sleep({postgresql.SILENCE + 0.3})"))
        finally:
            over.set()
            thread.join()


class TestALineThatIsSlowOrDead:
    @pytest.fixture
    def line(self, server: Cluster) -> Iterator[Proxy]:
        with Proxy("127.0.0.1", server.port) as line:
            yield line

    @pytest.fixture
    def far(self, make_app: Any, line: Proxy, server: Cluster, cluster_url: str) -> Iterator[Flask]:
        app = make_app(DATABASE_URL=cluster_url.replace(f":{server.port}/", f":{line.port}/"))
        with app.app_context():
            beat()
            yield app

    def test_is_slow_and_right(self, far: Flask, line: Proxy) -> None:
        line.delay = 0.1

        beat()

        assert len(factories.rows(Process)) == 2

    def test_is_away_while_nothing_comes_through(self, far: Flask, line: Proxy) -> None:
        line.freeze()
        # One that has a connection, one that must make one.
        assert all_failing(far, read, beat, read) == {"away"}

        line.thaw()
        well(far)

    def test_is_used_again_after_it_was_cut(self, far: Flask, line: Proxy) -> None:
        line.cut()

        beat()

    def test_is_away_while_it_refuses(self, far: Flask, line: Proxy) -> None:
        line.refuse()
        line.cut()

        assert failing(beat) == "away"
        line.accept()
        well(far)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_an_address_as_hosters_give_it_connects(
    make_app: Callable[..., Flask], cluster_url: str, scheme: str
) -> None:
    rest = cluster_url.partition("://")[2]
    app = make_app(DATABASE_URL=f"{scheme}://{rest}?sslmode=prefer&channel_binding=prefer")

    with app.app_context():
        beat()


def test_the_deadline_of_a_statement_is_set_in_each_transaction() -> None:
    """Behind a transaction pooler nothing else would hold."""
    with writing() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "5s"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "1500ms"
    with reading() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
