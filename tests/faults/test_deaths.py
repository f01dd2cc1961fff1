"""Processes die in the middle of answers: what was acknowledged is there, once, and ends."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from uuid import uuid4

import psutil
import pytest

from tests.faults.conftest import Serve, Witness
from tests.faults.people import Person
from tests.faults.places import Place
from tests.faults.soak.kills import VICTIMS, kill_and_ask
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import Server, wait_until

ROUNDS, SEED = 15, 36
"""How often to kill while people are asking, with a seed that kills in every way. `make kills` is
longer."""

SAFE_AFTER = 0.5
"""Seconds after which what a reader has seen outlives any death."""

LONG = Script(tokens=400, interval=0.02)


def test_the_death_of_all_processes_costs_half_a_second_of_text(
    serve: Serve, witness: Witness, model: ScriptedModel, kind: type[Person]
) -> None:
    server = serve()
    witness.bystander(server)
    person = witness.person(server, kind)
    model.script = LONG
    send = person.begin("a question that is cut")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(60)
        killed = time.monotonic()
        server.kill_master_and_workers()
    assert not reading.done
    witness.history.kept[send.conversation, 2] = reading.seen_at(killed - SAFE_AFTER)

    server.start()
    # Nobody needs to open the conversation for that.
    answer = witness.judge(server).one(send.conversation, 2)
    assert answer.status == "interrupted"
    assert len(answer.content.split()) > 20
    assert answer_to(send.text, 400).startswith(answer.content)
    assert len(model.requests) == 2


def test_another_worker_ends_what_a_dead_one_left(
    serve: Serve, witness: Witness, model: ScriptedModel, kind: type[Person]
) -> None:
    server = serve()
    person = witness.person(server, kind)
    model.script = LONG
    send = person.begin("a question to a worker that dies")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(40)
        killed = time.monotonic()
        for pid in server.worker_pids():
            if talks_to(pid, model.port):
                psutil.Process(pid).kill()
    witness.history.kept[send.conversation, 2] = reading.seen_at(killed - SAFE_AFTER)
    assert witness.judge(server).one(send.conversation, 2).status == "interrupted"
    again = person.ask(send.conversation, "and again?")
    assert again.position == 3


def talks_to(pid: int, port: int) -> bool:
    connections = psutil.Process(pid).net_connections("tcp")
    return any(each.raddr and each.raddr.port == port for each in connections)


def test_what_was_acknowledged_before_a_kill_is_there_once(
    serve: Serve, witness: Witness, model: ScriptedModel, url: str
) -> None:
    server = serve()
    witness.bystander(server)
    killed = kill_and_ask(Place(url, server, model), witness, ROUNDS, Random(SEED))
    assert set(killed) == set(VICTIMS)
    witness.judge(server)


def keep_asking(person: Person, stop: threading.Event) -> None:
    """Conversations of two questions each, one after the other."""
    while not stop.is_set():
        text = f"a question of its own {uuid4()}"
        send = person.begin(text)
        if send.conversation is None:
            stop.wait(0.05)
        elif not stop.is_set():
            wait_until(
                lambda send=send: stop.is_set() or not_streaming(person, send.conversation, 2),
                seconds=30,
                every=0.05,
            )


def not_streaming(person: Person, conversation: object, position: int) -> bool:
    try:
        return person.status(conversation, position) != "streaming"  # type: ignore[arg-type]
    except OSError:
        return True


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_short_grace_ends_answers_as_interrupted_at_once(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(GRACEFUL_TIMEOUT="1")
    person = witness.person(server)
    model.script = LONG
    send = person.begin("a question before a deploy")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(40)
        assert server.terminate(grace=10)
    left = witness.stored().one(send.conversation, 2)
    assert left.status == "interrupted"
    assert left.content.startswith(reading.text)
    server.start()
    witness.judge(server)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_long_grace_lets_answers_finish(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(GRACEFUL_TIMEOUT="20")
    person = witness.person(server)
    model.script = Script(tokens=100, interval=0.02)
    send = person.begin("a question before a deploy")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(10)
        assert server.terminate(grace=15)
        wait_until(lambda: reading.done, seconds=5)
    assert witness.stored().one(send.conversation, 2).status == "complete"
    server.start()
    witness.judge(server)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("grace", "status"), [("20", "complete"), ("1", "interrupted")])
def test_an_answer_that_nobody_watches_has_the_same_grace(
    serve: Serve, witness: Witness, model: ScriptedModel, grace: str, status: str
) -> None:
    """It has no connection that gunicorn would wait for."""
    server = serve(GRACEFUL_TIMEOUT=grace)
    person = witness.person(server)
    model.script = Script(tokens=150, interval=0.02)
    send = person.begin("a question whose reader has left")
    assert send.conversation
    wait_until(lambda: model.requests and model.requests[0].sent > 20, seconds=10)
    assert server.terminate(grace=15)
    left = witness.stored().one(send.conversation, 2)
    assert left.status == status
    assert len(left.content.split()) > 20
    assert answer_to(send.text, 150).startswith(left.content)
    server.start()
    witness.judge(server)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_reload_with_a_grace_too_short_marks_what_it_cuts_at_once(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(GRACEFUL_TIMEOUT="1")
    person = witness.person(server)
    model.script = LONG
    send = person.begin("a question before a reload")
    assert send.conversation
    workers = server.worker_pids()
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(20)
        server.master.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(workers) & set(server.worker_pids()), seconds=20)
    left = witness.stored().one(send.conversation, 2)
    assert left.status == "interrupted"
    assert " ".join(left.content.split()).startswith(reading.text)
    witness.judge(server)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_reload_under_load_loses_no_send(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    model.script = Script(tokens=60, interval=0.02)
    server = serve(GRACEFUL_TIMEOUT="10")
    people = [witness.person(server) for _ in range(4)]
    workers = server.worker_pids()
    stop = threading.Event()
    with ThreadPoolExecutor(len(people)) as pool:
        askers = [pool.submit(keep_asking, person, stop) for person in people]
        model.wait_for(lambda: len(model.requests) >= len(people))
        server.master.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(workers) & set(server.worker_pids()), seconds=20)
        seen = len(model.requests)
        model.wait_for(lambda: len(model.requests) > seen)
        stop.set()
        for asker in askers:
            asker.result()
    assert [send for send in witness.history.sends if not send.acknowledged] == []
    assert {each.status for each in witness.judge(server).messages} == {"complete"}


def workers_of(server: Server) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in server.worker_pids()]
