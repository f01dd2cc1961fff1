"""PostgreSQL behind a line that is slow, wakes up late or takes nobody any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.faults.conftest import Serve, Witness
from tests.faults.people import Person
from tests.postgres import Cluster
from tests.proxies import Proxy
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

PAGES = 3.0
"""Seconds until a page says that the database is away."""


@pytest.fixture
def line(durable_cluster: Cluster) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", durable_cluster.port) as line:
        yield line


def through(line: Proxy, url: str) -> str:
    return urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{line.port}").geturl()


def test_on_a_slow_line_all_is_slow_and_right(
    serve: Serve, witness: Witness, model: ScriptedModel, line: Proxy, url: str
) -> None:
    server = serve(DATABASE_URL=through(line, url))
    person = witness.person(server)
    model.script = Script(tokens=60, interval=0.02)
    line.delay = 0.05
    send = person.begin("asked over a slow line")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        assert Person(server.port).get("/livez").seconds < 1
        assert person.get(f"/c/{send.conversation}").status == 200
    assert reading.text == answer_to(send.text, 60).strip()
    witness.judge(server)


def test_a_database_that_wakes_up_late_takes_the_same_send(
    serve: Serve, witness: Witness, line: Proxy, url: str
) -> None:
    server = serve(DATABASE_URL=through(line, url))
    person = witness.person(server)
    line.refuse()
    line.cut()
    asleep = person.begin("asked while it slept")
    assert (asleep.status, asleep.box) == (503, asleep.text)
    assert person.get("/").seconds < PAGES
    line.accept()
    again = person.begin(asleep.text, asleep.request_id)
    assert again.acknowledged
    witness.judge(server)


def test_a_line_that_is_cut_in_the_middle_of_sends_doubles_none(
    serve: Serve, witness: Witness, line: Proxy, url: str
) -> None:
    """At whatever point of the transaction: before it, in it, or when its end is confirmed."""
    server = serve(DATABASE_URL=through(line, url))
    person = witness.person(server)
    line.delay = 0.01
    for pause in range(0, 200, 20):
        cut = threading.Timer(pause / 1000, line.cut)
        cut.start()
        send = person.begin(f"asked {pause} ms before a cut")
        cut.join()
        while not send.acknowledged:
            assert (send.status, send.box) == (503, send.text)
            send = person.begin(send.text, send.request_id)
    witness.judge(server)


def test_a_server_that_takes_no_more_connections_is_waited_for(
    serve: Serve, witness: Witness, durable_cluster: Cluster, url: str
) -> None:
    server = serve()
    person = witness.person(server)
    held = [psycopg2.connect(durable_cluster.url("postgres"))]
    held[0].autocommit = True
    wait_until(lambda: all_taken(held, url.rsplit("/", 1)[1]), seconds=20)
    refusal = person.begin("asked while all were taken")
    page = person.get("/history")
    for each in held:
        each.close()
    assert (refusal.status, refusal.box) == (503, refusal.text)
    assert page.status == 503
    assert page.seconds < PAGES
    assert page.headers["Retry-After"]
    wait_until(lambda: person.get("/health").status == 200, seconds=5)
    assert person.begin(refusal.text, refusal.request_id).acknowledged
    witness.judge(server)


def all_taken(held: list[Any], database: str) -> bool:
    """Whether nobody is connected to a database any more, and nobody can be."""
    with held[0].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,)
        )
        ended = cursor.rowcount
    try:
        while True:
            held.append(psycopg2.connect(held[0].dsn))
    except psycopg2.OperationalError:
        return not ended
