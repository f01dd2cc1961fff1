"""The same form sent many times at once, to several workers, is one question."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from tests.faults.conftest import Serve, Witness
from tests.faults.histories import Send
from tests.faults.people import lines
from tests.scripted_model import ScriptedModel

SENDS = 200
PATIENCE = 20.0
"""Seconds until a busy server must have had time for everybody."""


def at_once(calls: list[Callable[[], Send]]) -> list[Send]:
    """Make all calls at the same moment; who is told to come back a little later does so."""
    ready = threading.Barrier(len(calls))

    def make(call: Callable[[], Send]) -> Send:
        ready.wait(60)
        send, latest = call(), time.monotonic() + PATIENCE
        while send.status == 503 and time.monotonic() < latest:
            time.sleep(0.5)
            send = call()
        return send

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


def test_equal_sends_as_a_first_act_make_one_conversation(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    person = witness.person(serve())
    request_id = uuid4()
    call = lambda: person.begin("sent very often", request_id)  # noqa: E731 - the same thing, often
    sends = at_once([call] * SENDS)
    assert {(send.status, send.conversation, send.position) for send in sends} == {
        (303, sends[0].conversation, 1)
    }
    found = witness.stored()
    witness.until_ended()
    assert len(found.conversations) == 1
    assert len(found.messages) == 2
    assert len(model.requests) == 1


def test_equal_sends_to_two_workers_are_one_question(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve()
    person = witness.person(server)
    first = person.begin("the first")
    assert first.conversation
    witness.until_ended()
    request_id = uuid4()
    conversation = first.conversation
    call = lambda: person.ask(conversation, "sent very often", request_id)  # noqa: E731 - as above
    with lines(server) as each:
        for line in each:  # one send that each worker certainly gets
            assert person.on(line).ask(conversation, "sent very often", request_id).position == 3
        sends = at_once([call] * SENDS)
    assert {(send.status, send.position) for send in sends} == {(303, 3)}
    assert len(model.requests) == 2
    assert len(witness.judge(server).messages) == 4


def test_different_sends_at_once_have_one_answer_at_a_time(serve: Serve, witness: Witness) -> None:
    server = serve()
    person = witness.person(server)
    first = person.begin("the first")
    assert first.conversation
    witness.until_ended()
    conversation = first.conversation

    def call(number: int) -> Callable[[], Send]:
        return lambda: person.ask(conversation, f"question number {number}")

    sends = at_once([call(number) for number in range(20)])
    assert {send.status for send in sends} <= {303, 409}
    assert any(send.acknowledged for send in sends)
    # The order of sends at once is nobody's: only what each was told is judged.
    witness.history.sends.sort(key=lambda send: send.position or 0)
    witness.judge(server)
