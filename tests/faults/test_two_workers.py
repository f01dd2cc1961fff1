"""A reader at a worker that does not produce the answer sees it all the same."""

from __future__ import annotations

import time

from tests.faults.conftest import Serve, Witness
from tests.faults.people import lines
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

BEHIND = 0.5
"""Seconds that such a reader may be behind."""


def test_a_reader_at_another_worker_is_half_a_second_behind_at_most(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve()
    person = witness.person(server)
    model.script = Script(tokens=120, interval=0.025)
    with lines(server) as (here, there):
        send = person.on(here).begin("a question with two readers")
        assert send.conversation
        with (
            person.on(here).reading(send.conversation, 2) as near,
            person.on(there).reading(send.conversation, 2) as far,
        ):
            pass
    assert near.done
    assert far.done
    assert near.text == far.text == answer_to(send.text, 120).strip()
    assert len(far.glimpses) > 5, "it came as a whole, not as it grew"
    late = [words for at, words in near.glimpses[:-1] if len(far.seen_at(at + BEHIND)) < len(words)]
    # Most of it: on a machine that is busy with other tests no single moment can be promised.
    assert len(late) < len(near.glimpses) / 2
    witness.judge(server)


def test_a_stop_at_another_worker_ends_the_call_of_the_model(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve()
    person = witness.person(server)
    model.script = Script(tokens=1000, interval=0.02)
    with lines(server) as (here, there):
        send = person.on(here).begin("a question that is stopped elsewhere")
        assert send.conversation
        with person.on(there).reading(send.conversation, 2) as reading:
            reading.wait_for_words(10)
            seen = reading.text
            answer = person.post(f"/c/{send.conversation}/messages/2/stop", seen=len(seen))
            assert answer.status == 303
        assert reading.done
    assert model.wait_for(lambda: model.requests[0].left_early)
    assert reading.text == seen
    kept = witness.judge(server).one(send.conversation, 2)
    assert (kept.status, kept.content) == ("stopped", seen)


def test_a_reader_who_comes_late_sees_all(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve()
    person = witness.person(server)
    model.script = Script(tokens=100, interval=0.02)
    with lines(server) as (here, there):
        send = person.on(here).begin("a question with a late reader")
        assert send.conversation
        wait_until(lambda: model.requests and model.requests[0].sent > 30, seconds=10)
        started = time.monotonic()
        with person.on(there).reading(send.conversation, 2) as reading:
            pass
    assert reading.done
    assert len(reading.seen_at(started + BEHIND).split()) >= 20
    assert reading.text == answer_to(send.text, 100).strip()
    witness.judge(server)
