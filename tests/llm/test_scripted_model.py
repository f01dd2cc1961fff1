"""The scripted model itself: what other tests rely on."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.llm.asking import Ask
from tests.scripted_model import Script, ScriptedModel, answer_to


def test_the_same_question_has_the_same_answer() -> None:
    assert answer_to("One?") == answer_to("One?") != answer_to("Two?")
    assert answer_to("One?", 30).startswith(answer_to("One?", 10))


def test_a_question_can_say_otherwise_than_the_server(model: ScriptedModel, ask: Ask) -> None:
    model.script = Script(status=500)
    question = 'Hello? [[script: {"status": 200, "pieces": ["]]", "</b", ">"]}]]'

    assert ask(question).text == "]]</b>"


def test_what_ran_is_counted(model: ScriptedModel, ask: Ask) -> None:
    ask("Hello?")

    assert model.wait_for(lambda: model.running == 0)
    assert (model.most_running, model.asked["Hello?"]) == (1, 1)
    assert model.requests[0].finished
    assert not model.requests[0].left_early


def test_it_can_be_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.scripted_model", "--tokens", "3"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603, ours
        assert process.stdout
        address = process.stdout.readline().strip().removesuffix("/v1")
        with urllib.request.urlopen(f"{address}/counts") as response:  # noqa: S310, ours
            counts = json.load(response)
        process.terminate()

    assert counts == {"running": 0, "most_running": 0, "requests": 0}
