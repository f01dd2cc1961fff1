"""With RESUME_INTERRUPTED, an answer that its process leaves behind goes on in another one."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import UUID

import psutil
import pytest

from chatweb.llm.prompts import GO_ON
from tests.faults.conftest import Serve, Witness
from tests.faults.people import lines, process_of
from tests.faults.test_deaths import LONG, SAFE_AFTER, keep_asking, talks_to
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import Server, wait_until

ON = {"RESUME_INTERRUPTED": "true"}
REST = answer_to(GO_ON, 30)


def rest_is_short(model: ScriptedModel, interval: float = 0.02) -> None:
    """What the model says when it is told to go on is :data:`REST`."""
    model.script = Script(tokens=30, interval=interval)


def went_on(witness: Witness, server: Server, conversation: UUID, question: str) -> str:
    """Judge, and see that the one answer is complete, of what there was and the rest: what there
    was before."""
    stored = witness.judge(server)
    answer = stored.one(conversation, 2)
    assert (answer.status, len(stored.of(conversation))) == ("complete", 2)
    assert answer.content.endswith(REST)
    before = answer.content.removesuffix(REST)
    assert answer_to(question, 400).startswith(before)
    return before


def test_after_the_death_of_a_worker_another_one_goes_on(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(**ON)
    witness.bystander(server)
    person = witness.person(server)
    model.script = LONG
    send = person.begin("a question to a worker that dies")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(40)
        rest_is_short(model)
        killed = time.monotonic()
        for pid in server.worker_pids():
            if talks_to(pid, model.port):
                psutil.Process(pid).kill()
    witness.history.kept[send.conversation, 2] = reading.seen_at(killed - SAFE_AFTER)

    before = went_on(witness, server, send.conversation, send.text)

    assert len(before.split()) > 20
    assert len(model.requests) == 3


def test_who_follows_in_another_process_notices_nothing(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(**ON)
    person = witness.person(server)
    model.script = LONG
    with lines(server) as (one, other):
        send = person.on(one).begin("a question whose reader is elsewhere")
        assert send.conversation
        writer = process_of(server, person.on(one).get("/history"))
        with person.on(other).reading(send.conversation, 2) as reading:
            reading.wait_for_words(40)
            rest_is_short(model)
            psutil.Process(writer).kill()
            wait_until(lambda: reading.done, seconds=30)

    went_on(witness, server, send.conversation, send.text)
    assert reading.text == " ".join(witness.stored().one(send.conversation, 2).content.split())
    assert not backwards([text for _, text in reading.glimpses])


def backwards(texts: list[str]) -> list[tuple[str, str]]:
    """Where words were taken back, but for the last one, which may have been half a word."""
    return [
        (one, two) for one, two in pairwise(texts) if not two.startswith(one.rpartition(" ")[0])
    ]


def test_a_worker_that_only_slept_leaves_it_to_the_other(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    """It wakes up and knows nothing, with a whole answer in its connection to the model."""
    server = serve(**ON)
    person = witness.person(server)
    model.script = LONG
    send = person.begin("a question to a worker that falls asleep")
    assert send.conversation
    (writer,) = (pid for pid in server.worker_pids() if talks_to(pid, model.port))
    wait_until(lambda: model.requests and model.requests[0].sent > 40, seconds=20)
    rest_is_short(model, interval=0.1)
    psutil.Process(writer).suspend()
    try:
        assert model.wait_for(lambda: len(model.requests) == 2, 30)
        assert model.wait_for(lambda: model.requests[0].finished, 10)
    finally:
        psutil.Process(writer).resume()

    went_on(witness, server, send.conversation, send.text)
    assert writer in server.worker_pids()
    assert len(model.requests) == 2


def test_a_stop_of_the_server_and_a_new_start_lose_no_letter(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(**ON, GRACEFUL_TIMEOUT="1")
    witness.bystander(server)
    person = witness.person(server)
    model.script = LONG
    send = person.begin("a question before a deploy")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(40)
        assert server.terminate(grace=10)
    assert not reading.done
    assert witness.stored().one(send.conversation, 2).status == "streaming"
    witness.history.kept[send.conversation, 2] = reading.text
    rest_is_short(model)

    server.start()
    started = time.monotonic()
    assert model.wait_for(lambda: len(model.requests) == 3, 20)

    # One that signed off is no riddle: nobody waits until it must be dead.
    assert time.monotonic() - started < 4
    before = went_on(witness, server, send.conversation, send.text)
    assert before.startswith(reading.text)


def test_a_death_of_all_processes_and_a_new_start(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(**ON)
    person = witness.person(server)
    model.script = LONG
    sends = [person.begin(f"question {number} before a death") for number in range(5)]
    wait_until(lambda: [each.sent > 30 for each in model.requests] == [True] * 5, seconds=20)
    server.kill_master_and_workers()
    rest_is_short(model)

    server.start()

    for send in sends:
        assert send.conversation
        assert len(went_on(witness, server, send.conversation, send.text).split()) > 10
    assert len(model.requests) == 10


def test_a_stop_that_came_while_nobody_wrote_is_honoured(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(**ON)
    person = witness.person(server)
    model.script = LONG
    with lines(server) as (one, other):
        send = person.on(one).begin("a question that is stopped after a death")
        assert send.conversation
        writer = process_of(server, person.on(one).get("/history"))
        with person.on(other).reading(send.conversation, 2) as reading:
            reading.wait_for_words(20)
            psutil.Process(writer).kill()
            stopped = person.post(f"/c/{send.conversation}/messages/2/stop", seen=10)
            assert stopped.status == 303
            wait_until(lambda: reading.done, seconds=30)

    answer = witness.judge(server).one(send.conversation, 2)
    assert (answer.status, answer.content) == ("stopped", answer_to(send.text, 400)[:10])
    assert len(model.requests) == 1


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_reload_with_a_grace_too_short_completes_every_answer(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    model.script = Script(tokens=120, interval=0.02)
    server = serve(**ON, GRACEFUL_TIMEOUT="1")
    people = [witness.person(server) for _ in range(4)]
    workers = server.worker_pids()
    stop = threading.Event()
    with ThreadPoolExecutor(len(people)) as pool:
        askers = [pool.submit(keep_asking, person, stop) for person in people]
        model.wait_for(lambda: len(model.requests) >= len(people))
        server.master.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(workers) & set(server.worker_pids()), seconds=20)
        seen = len(model.requests)
        model.wait_for(lambda: len(model.requests) > seen + 4)
        stop.set()
        for asker in askers:
            asker.result()
    assert {each.status for each in witness.judge(server).messages} == {"complete"}
    assert any(request.question == GO_ON for request in model.requests)
