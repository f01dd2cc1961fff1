"""The model refuses, is silent, breaks off, drips or never ends: each answer says how it ended."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.conftest import Serve, Witness
from tests.faults.people import Person
from tests.faults.programs import FACES, Program
from tests.scripted_model import Script, ScriptedModel, answer_to

on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

MOST = 5000
PATIENCE = {"LLM_FIRST_TOKEN_TIMEOUT": "3", "LLM_TIMEOUT": "4"}

FAULTS: list[tuple[dict[str, object], str, int]] = [
    ({"do": "stall"}, "failed", 0),
    ({"do": "stall", "after": 3}, "interrupted", 3),
    ({"interval": 0.7}, "interrupted", 2),  # a slow drip, until the time of an answer is over
    ({"do": "cut", "after": 4}, "interrupted", 4),
    ({"do": "reset", "after": 4}, "interrupted", 0),  # RST may overtake what was sent
    ({"do": "error", "after": 2}, "interrupted", 2),
    ({"do": "wrong_length"}, "interrupted", 20),
    ({"do": "html"}, "failed", 0),
    ({"do": "broken_json"}, "failed", 0),
    ({"status": 401}, "failed", 0),
    ({"status": 404}, "failed", 0),
    ({"status": 413}, "failed", 0),
    ({"status": 500}, "failed", 0),
    ({"status": 500, "times": 1}, "complete", 20),
    ({"status": 429, "retry_after": "1", "times": 1}, "complete", 20),
    ({"status": 429, "retry_after": "30"}, "failed", 0),
]
"""What a model does, how the answer ends, and how many of its words are kept at the least."""


@pytest.mark.parametrize("kind", FACES)
def test_each_fault_of_the_model_is_said_and_what_came_is_kept(
    serve: Serve, witness: Witness, kind: type[Person]
) -> None:
    server = serve(**PATIENCE)
    witness.bystander(server)
    people = [witness.person(server, kind) for _ in FAULTS]

    def ask(person: Person, script: dict[str, object]) -> tuple[object, str]:
        send = person.begin(f"why? [[script: {json.dumps(script)}]]")
        assert send.conversation
        return send.conversation, send.text

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        asked = list(pool.map(ask, people, [script for script, _, _ in FAULTS]))
    found = witness.judge(server)
    for (conversation, text), (script, status, words) in zip(asked, FAULTS, strict=True):
        answer = found.one(conversation, 2)  # type: ignore[arg-type]
        assert answer.status == status, script
        assert answer_to(text).startswith(answer.content), script
        assert len(answer.content.split()) >= words, script


@on_sqlite
def test_an_answer_without_end_is_cut_and_costs_little(
    serve: Serve, witness: Witness, kind: type[Person]
) -> None:
    server = serve(workers=1, MAX_ANSWER_CHARS=str(MOST))
    person = witness.person(server, kind)
    # What every answer needs is there before the first flood.
    assert person.begin("an ordinary question").acknowledged
    witness.until_ended()
    (worker,) = server.worker_pids()
    before = megabytes(worker, "VmRSS")
    for do in ("flood", "line"):
        assert person.begin(f"why? [[script: {do}]]").acknowledged
    witness.until_ended()
    most = megabytes(worker, "VmHWM")
    found = witness.judge(server)
    ends = [(each.status, len(each.content)) for each in found.messages if each.role != "user"]
    assert ends[1] == ("stopped", MOST)
    assert ends[2][0] in {"stopped", "failed", "interrupted"}
    assert most - before < 20


def megabytes(pid: int, what: str) -> float:
    """Memory of a process, now (``VmRSS``) or at its most since it began (``VmHWM``)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{what}:"))
    return int(kilobytes) / 1024


@on_sqlite
def test_a_model_that_is_away_is_asked_again_when_it_is_back(
    serve: Serve, witness: Witness, model: ScriptedModel, kind: type[Person]
) -> None:
    server = serve()
    person = witness.person(server, kind)
    with model.refusing():
        send = person.begin("asked while it was away")
        assert send.conversation
        witness.until_ended()
        assert person.status(send.conversation, 2) == "failed"
    assert person.retry(send.conversation, 2).acknowledged
    found = witness.judge(server)
    assert found.one(send.conversation, 3).content == answer_to(send.text)


@on_sqlite
def test_a_reader_who_leaves_does_not_end_an_answer(
    serve: Serve, witness: Witness, model: ScriptedModel, kind: type[Person]
) -> None:
    model.script = Script(tokens=60, interval=0.02)
    server = serve()
    person = witness.person(server, kind)
    send = person.begin("a question whose reader leaves")
    assert send.conversation
    with person.reading(send.conversation, 2, leave_after=3) as reading:
        pass
    assert reading.left
    with person.reading(send.conversation, 2) as again:
        pass
    assert again.text == answer_to(send.text, 60).strip()
    assert witness.judge(server).one(send.conversation, 2).status == "complete"


@on_sqlite
def test_a_program_that_lost_its_connection_goes_on_where_it_was(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    """As a page that is reloaded: nothing is told twice, nothing is missing."""
    model.script = Script(tokens=60, interval=0.02)
    server = serve()
    person = witness.person(server, Program)
    assert isinstance(person, Program)
    send = person.begin("a question whose reader comes back")
    assert send.conversation
    known = ""
    for leave_after in (2, 3, 4, None):
        with person.reading(send.conversation, 2, leave_after, after=len(known)) as reading:
            reading.text_itself = known
        known = reading.text_itself
    assert reading.done
    assert known == answer_to(send.text, 60)
    assert witness.judge(server).one(send.conversation, 2).content == known
