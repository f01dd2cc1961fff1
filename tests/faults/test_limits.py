"""A82: limits hold exactly, whichever worker is asked and whatever becomes of the cookie."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.faults.conftest import Serve, Witness
from tests.faults.histories import Send
from tests.faults.people import Person
from tests.faults.test_equal_sends import at_once
from tests.scripted_model import Script, ScriptedModel

SENDS = 30
WORKERS = 4
AS_USUAL = {
    "LIMIT_ANSWERS_AT_ONCE": "3",
    "LIMIT_QUESTIONS_PER_MINUTE": "20",
    "LIMIT_QUESTIONS_PER_DAY": "1000",
}


def until_the_minute_is_young() -> None:
    """So that it does not end while a test sends."""
    left = 60 - time.time() % 60
    if left < 20:
        time.sleep(left)


def of_many(person: Callable[[int], Person]) -> Counter[int | None]:
    """How often each status was given to sends at once."""

    def call(number: int) -> Callable[[], Send]:
        request_id = uuid4()
        return lambda: person(number).begin(f"question number {number}", request_id)

    until_the_minute_is_young()
    return Counter(send.status for send in at_once([call(number) for number in range(SENDS)]))


@pytest.mark.parametrize("only", ["LIMIT_QUESTIONS_PER_MINUTE", "LIMIT_QUESTIONS_PER_DAY"])
def test_one_persons_questions_are_taken_up_to_the_limit(
    serve: Serve, witness: Witness, only: str
) -> None:
    server = serve(WORKERS, **{only: "20"})
    person = witness.person(server)

    assert of_many(lambda _: person) == {303: 20, 429: SENDS - 20}

    assert len(witness.judge(server).conversations) == 20


def test_one_persons_answers_are_written_up_to_the_limit(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    model.script = Script(tokens=100, interval=0.05)
    server = serve(WORKERS, **AS_USUAL)
    person = witness.person(server)

    assert of_many(lambda _: person) == {303: 3, 429: SENDS - 3}

    witness.until_ended()
    assert person.begin("when they have ended").acknowledged
    assert len(witness.judge(server).conversations) == 4


def test_who_drops_the_cookie_each_time_gains_nothing(serve: Serve, witness: Witness) -> None:
    server = serve(WORKERS, **AS_USUAL)
    people = [witness.person(server) for _ in range(SENDS)]

    assert of_many(lambda number: people[number]) == {303: 20, 429: SENDS - 20}

    witness.judge(server)
