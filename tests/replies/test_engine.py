"""The engine against a model that does everything models do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chatweb.llm.client import Endpoint
from chatweb.llm.failures import SENTENCES
from chatweb.replies import engine as engines
from chatweb.replies.engine import Engine
from chatweb.replies.live import End, LiveText
from chatweb.replies.loop import Loop
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

PATIENCE = 20.0
STOPPED = End("stopped", {"reason": "because"})


class Running:
    """An engine, and what it told of its answers."""

    def __init__(self, model: ScriptedModel, **settings: Any) -> None:
        self.model = model
        self.grown = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        endpoint = Endpoint(model.base_url, "", "asked", **settings)
        self.loop = Loop()
        self.engine = Engine(
            self.loop, endpoint, grown=self.grown.release, ended=self.ended.release
        )
        self._answers = 0
        self._closed = False

    def begin(self, question: str = "Why?") -> LiveText:
        self._answers += 1
        live = LiveText(self._answers)
        self.engine.start(live, [{"role": "user", "content": question}])
        return live

    def end_of(self, live: LiveText) -> End:
        wait_until(lambda: live.end, seconds=PATIENCE)
        assert live.end
        return live.end

    def growing(self, question: str = "Why?", tokens: int = 3) -> LiveText:
        """An answer that stalls after so many tokens."""
        self.model.script = Script(do="stall", after=tokens)
        live = self.begin(question)
        expected = answer_to(question, tokens)
        wait_until(lambda: live.text() == expected, seconds=PATIENCE)
        return live

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.engine.close()
            self.loop.close()


@pytest.fixture
def run(model: ScriptedModel) -> Iterator[Callable[..., Running]]:
    """Starts an engine with these settings of its endpoint."""
    started: list[Running] = []

    def run(**settings: Any) -> Running:
        started.append(Running(model, **settings))
        return started[-1]

    yield run
    for each in started:
        each.close()


@pytest.fixture
def running(run: Callable[..., Running]) -> Running:
    return run()


def test_an_answer_arrives_whole_and_tells_what_was_true(running: Running) -> None:
    live = running.begin("Why?")

    end = running.end_of(live)

    assert end.status == "complete"
    assert live.text() == answer_to("Why?")
    assert {name: end.details[name] for name in ("model", "tokens_in", "tokens_out")} == {
        "model": "scripted-model", "tokens_in": 1, "tokens_out": 20,
    }  # fmt: skip
    assert 0 <= end.details["first_token_seconds"] <= end.details["seconds"]
    assert "reason" not in end.details


def test_the_first_letter_and_the_end_are_told_once_each(running: Running) -> None:
    live = running.begin()

    running.end_of(live)

    assert running.ended.acquire(timeout=PATIENCE)
    assert running.grown.acquire(timeout=PATIENCE)
    assert not running.grown.acquire(blocking=False)
    assert not running.ended.acquire(blocking=False)


def test_many_are_fetched_at_the_same_time(running: Running, model: ScriptedModel) -> None:
    model.script = Script(do="stall", after=1)
    many = [running.begin(f"{number}?") for number in range(30)]

    assert model.wait_for(lambda: model.running == 30, PATIENCE)
    for live in many:
        running.engine.stop(live.answer_id, STOPPED)
    assert {running.end_of(live).status for live in many} == {"stopped"}


class TestStop:
    def test_closes_the_connection_and_keeps_what_came(
        self, running: Running, model: ScriptedModel
    ) -> None:
        live = running.growing()

        running.engine.stop(live.answer_id, STOPPED)

        end = running.end_of(live)
        assert (end.status, end.details["reason"]) == ("stopped", "because")
        assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)
        assert live.text() == answer_to("Why?", 3)

    def test_before_the_first_letter_is_a_stop(
        self, running: Running, model: ScriptedModel
    ) -> None:
        model.script = Script(do="stall")
        live = running.begin()
        assert model.wait_for(lambda: model.running == 1, PATIENCE)

        running.engine.stop(live.answer_id, STOPPED)

        assert running.end_of(live).status == "stopped"
        assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)

    def test_right_behind_the_start_is_not_missed(
        self, running: Running, model: ScriptedModel
    ) -> None:
        model.script = Script(do="stall")
        for _ in range(20):
            live = running.begin()
            running.engine.stop(live.answer_id, STOPPED)
            assert running.end_of(live).status == "stopped"

    def test_of_an_ended_or_unknown_answer_does_nothing(self, running: Running) -> None:
        live = running.begin()
        before = running.end_of(live)

        running.engine.stop(live.answer_id, STOPPED)
        running.engine.stop(99, STOPPED)

        assert running.end_of(running.begin("And then?")).status == "complete"
        assert live.end is before

    def test_leaves_the_others_alone(self, running: Running) -> None:
        stopped, other = running.growing("One?"), running.growing("Two?")

        running.engine.stop(stopped.answer_id, STOPPED)

        running.end_of(stopped)
        assert other.end is None


@pytest.mark.parametrize("do", ["flood", "line"])
def test_an_answer_without_end_is_ended_at_the_greatest_length(
    run: Callable[..., Running], model: ScriptedModel, do: str
) -> None:
    running = run(max_answer_chars=1000, first_token_timeout=1.0, timeout=PATIENCE)
    model.script = Script(do=do)
    live = running.begin()

    end = running.end_of(live)

    if do == "flood":
        assert (end.status, end.details["reason"]) == ("stopped", engines.CAPPED)
        assert len(live) == 1000
    assert end.status in {"stopped", "failed"}
    assert len(live) <= 1000
    assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)


def test_an_answer_without_a_word_has_failed(running: Running, model: ScriptedModel) -> None:
    model.script = Script(tokens=0)

    end = running.end_of(running.begin())

    assert (end.status, end.details["reason"]) == ("failed", engines.EMPTY)


@pytest.mark.parametrize(
    ("after", "status"), [(0, "failed"), (2, "interrupted")], ids=["at-once", "in-the-midst"]
)
@pytest.mark.parametrize("do", ["error", "cut"])
def test_an_answer_that_breaks_off_keeps_what_came(
    run: Callable[..., Running], model: ScriptedModel, do: str, after: int, status: str
) -> None:
    running = run(retries=0)
    model.script = Script(do=do, after=after)
    live = running.begin()

    end = running.end_of(live)

    assert (end.status, live.text()) == (status, answer_to("Why?", after))
    assert end.details["reason"] == SENTENCES[end.details["kind"]]
    assert end.details["model"] == "asked"


def test_a_model_that_is_silent_is_given_up(
    run: Callable[..., Running], model: ScriptedModel
) -> None:
    running = run(first_token_timeout=1.0)
    model.script = Script(do="stall")

    end = running.end_of(running.begin())

    assert (end.status, end.details["kind"]) == ("failed", "timeout")
    assert model.wait_for(lambda: model.requests and model.requests[0].left_early, PATIENCE)


def test_a_fault_of_our_own_ends_the_answer_and_nothing_else(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    def break_off() -> None:
        raise ZeroDivisionError

    running.engine._grown, grown = break_off, running.engine._grown
    end = running.end_of(running.begin())
    running.engine._grown = grown

    assert (end.status, end.details["reason"]) == ("interrupted", engines.BROKEN)
    assert "ZeroDivisionError" in caplog.text
    assert running.end_of(running.begin()).status == "complete"


class TestClosing:
    def test_interrupts_what_is_written_and_keeps_what_came(
        self, running: Running, model: ScriptedModel
    ) -> None:
        one, two = running.growing("One?"), running.growing("Two?")

        running.close()

        for live in (one, two):
            assert live.end
            assert (live.end.status, live.end.details["reason"]) == (
                "interrupted", engines.SHUTDOWN,
            )  # fmt: skip
        assert one.text() == answer_to("One?", 3)
        assert model.wait_for(lambda: all(each.left_early for each in model.requests), PATIENCE)
