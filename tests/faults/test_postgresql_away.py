"""PostgreSQL is stopped, hangs or breaks under a running server, and comes back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.conftest import Serve, Witness
from tests.faults.histories import Report
from tests.faults.people import Person, lines
from tests.postgres import Cluster
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import Server, wait_until

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

PAGES = 3.0
HEALTH = 2.5
BACK = 5.0
"""Seconds: until a page says so, until /health says so, and until all is well again."""

Away = tuple[Callable[[], None], Callable[[], None]]


@pytest.fixture(params=["stopped", "hung"])
def away(request: pytest.FixtureRequest, durable_cluster: Cluster) -> Iterator[Away]:
    """How the database goes, and how it comes back; it is back after the test in any case."""
    cluster = durable_cluster
    if request.param == "hung":
        yield cluster.suspend, cluster.resume
        cluster.resume()
    else:
        yield lambda: cluster.stop("fast"), cluster.start
        if cluster._process is None:
            cluster.start()


def report(server: Server, witness: Witness, *, well: bool) -> None:
    """What /health says now, for the record."""
    answer = Person(server.port).get("/health")
    witness.history.reports.append(Report(well, answer.status, answer.seconds))


def back_to_normal(person: Person, path: str) -> None:
    """Pages come again, soon, without anything having been done about it."""
    deadline = time.monotonic() + BACK
    while True:
        asked = time.monotonic()
        if person.get(path).status == 200:
            return
        assert asked < deadline, "not well again in time"
        time.sleep(0.1)


def test_pages_say_so_and_keep_what_was_typed(serve: Serve, witness: Witness, away: Away) -> None:
    leave, come_back = away
    server = serve()
    witness.bystander(server)
    person = witness.person(server)
    first = person.begin("asked while all was well")
    assert first.conversation
    witness.until_ended()
    report(server, witness, well=True)
    time.sleep(1.1)  # /health may tell what it found a second ago
    leave()
    try:
        report(server, witness, well=False)
        assert Person(server.port).get("/livez").status == 200
        chat = f"/c/{first.conversation}"
        with ThreadPoolExecutor() as pool:
            paths = ["/", chat, "/history", f"{chat}/messages/2/stream", "/"]
            asked = [pool.submit(person.get, path) for path in paths]
            sent = [
                pool.submit(person.ask, first.conversation, "typed while it was away")
                for _ in range(2)
            ]
            answers = [each.result() for each in asked]
            sends = [each.result() for each in sent]
        report(server, witness, well=False)
    finally:
        come_back()
    for answer in answers:
        assert answer.status == 503
        assert answer.seconds < PAGES
        assert "database" in answer.page.select_one("main").get_text()
        assert answer.headers["Retry-After"]
    assert [(send.status, send.box) for send in sends] == [(503, "typed while it was away")] * 2

    back_to_normal(person, f"/c/{first.conversation}")
    wait_until(lambda: person.get("/health").status == 200, seconds=BACK)
    again = person.ask(first.conversation, sends[0].text, sends[0].request_id)
    assert again.acknowledged
    witness.judge(server)


def test_an_answer_goes_on_meanwhile_and_is_kept_afterwards(
    serve: Serve, witness: Witness, away: Away, model: ScriptedModel
) -> None:
    leave, come_back = away
    server = serve()
    person = witness.person(server)
    model.script = Script(tokens=150, interval=0.02)
    send = person.begin("a question before the fall")
    assert send.conversation
    with lines(server) as each, contextlib.ExitStack() as stack:
        # One of the two is where the answer is made: a reader there goes on reading meanwhile.
        readers = [
            stack.enter_context(person.on(line).reading(send.conversation, 2)) for line in each
        ]
        for reader in readers:
            reader.wait_for_words(20)
        leave()
        try:
            wait_until(
                lambda: any(len(reader.text.split()) == 150 for reader in readers), seconds=20
            )
            assert not any(reader.done for reader in readers), "the end was told but not kept"
        finally:
            come_back()
    words = answer_to(send.text, 150).strip()
    near = next(reader for reader in readers if reader.done)
    assert near.text == words
    found = witness.judge(server).one(send.conversation, 2)
    assert (found.status, found.content) == ("complete", answer_to(send.text, 150))
    assert len(model.requests) == 1


@pytest.mark.parametrize("fault", ["restart", "backend"])
def test_a_crash_of_the_server_is_over_soon(
    serve: Serve, witness: Witness, durable_cluster: Cluster, url: str, fault: str
) -> None:
    server = serve(workers=1)
    person = witness.person(server)
    first = person.begin("asked before the crash")
    assert first.conversation
    witness.until_ended()
    if fault == "restart":
        durable_cluster.restart("immediate")
    else:
        durable_cluster.kill_backend(url.rsplit("/", 1)[1])
    deadline = time.monotonic() + 4 * BACK  # PostgreSQL recovers by itself first, in its own time
    request = person.ask(first.conversation, "asked after the crash")
    while not request.acknowledged:
        assert request.status == 503
        assert time.monotonic() < deadline
        request = person.ask(first.conversation, request.text, request.request_id)
    witness.judge(server)
