"""Engine, scribe and tailer together, as blueprints use them: ``replies.start`` and the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from chatweb import replies
from chatweb.models import Message, Process, ReplyPiece
from chatweb.replies import engine as engines
from chatweb.services import answers
from chatweb.services.asking import Asked
from chatweb.services.errors import Unavailable
from chatweb.services.owners import Owner
from tests import factories
from tests.replies.writing import PATIENCE, Outage, TextOf, row
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

pytestmark = pytest.mark.usefixtures("context")

QUESTION = "Why is the sky blue?"


def entrusted(owner: Owner, question: str = QUESTION) -> Asked:
    """A question whose answer this process has to write."""
    return factories.begun(owner, question, process_id=replies.awake())


def end_of(asked: Asked) -> Any:
    """The row of an answer when it has ended."""
    wait_until(lambda: row(asked).status != "streaming", seconds=PATIENCE)
    return row(asked)


@pytest.fixture
def elsewhere(make_app: Callable[..., Flask], database_url: str, model: ScriptedModel) -> Flask:
    """Another process on the same database."""
    return make_app(DATABASE_URL=database_url, LLM_BASE_URL=model.base_url, LLM_MODEL="test")


@pytest.fixture
def growing(owner: Owner, model: ScriptedModel, text_of: TextOf) -> Asked:
    """An answer that stalls after three words, which are kept."""
    model.script = Script(do="stall", after=3)
    asked = entrusted(owner)
    replies.start(asked)
    wait_until(lambda: text_of(asked.answer_id) == answer_to(QUESTION, 3), seconds=PATIENCE)
    return asked


def test_an_answer_is_fetched_and_kept(owner: Owner) -> None:
    asked = entrusted(owner)

    replies.start(asked)

    ended = end_of(asked)
    assert (ended.status, ended.content) == ("complete", answer_to(QUESTION))
    assert ended.metadata["model"] == "scripted-model"
    assert factories.rows(ReplyPiece) == []


def test_the_model_is_shown_what_was_said_before(owner: Owner, model: ScriptedModel) -> None:
    first = factories.answered(owner, "One?", "Two.")
    asked = factories.asked(owner, first.conversation_id, "Three?", process_id=replies.awake())

    replies.start(asked)

    end_of(asked)
    said = [(each["role"], each["content"]) for each in model.requests[0].messages]
    assert said[-3:] == [("user", "One?"), ("assistant", "Two."), ("user", "Three?")]


def test_a_process_is_ready_before_a_question_is_committed(app: Flask) -> None:
    """Making the engine takes a while, in which an answer of ours would seem to be nobody's."""
    machinery = app.extensions["replies"].machinery()
    assert machinery._engine is None

    replies.awake()

    assert machinery._engine is not None


class TestStart:
    def test_again_asks_the_model_once(self, owner: Owner, model: ScriptedModel) -> None:
        asked = entrusted(owner)

        replies.start(asked)
        replies.start(asked)
        end_of(asked)
        replies.start(asked)

        assert len(model.requests) == 1

    def test_at_once_asks_the_model_once(
        self, owner: Owner, model: ScriptedModel, at_once: Any
    ) -> None:
        asked = entrusted(owner)

        at_once([lambda: replies.start(asked)] * 10)

        end_of(asked)
        assert len(model.requests) == 1

    def test_is_for_the_process_that_the_answer_was_entrusted_to(
        self, owner: Owner, elsewhere: Flask, model: ScriptedModel
    ) -> None:
        with elsewhere.app_context():
            asked = entrusted(owner)

        replies.start(asked)
        with elsewhere.app_context():
            replies.start(asked)

        assert end_of(asked).status == "complete"
        assert len(model.requests) == 1

    def test_without_a_database_ends_the_answer_when_it_is_back(
        self, owner: Owner, outage: Outage, model: ScriptedModel
    ) -> None:
        first = factories.answered(owner)
        asked = factories.asked(owner, first.conversation_id, process_id=replies.awake())

        with outage(), pytest.raises(Unavailable):
            replies.start(asked)

        ended = end_of(asked)
        assert (ended.status, ended.metadata["reason"]) == ("failed", engines.BROKEN)
        assert model.requests == []


class TestStop:
    @pytest.mark.parametrize("seen", [0, 7, 10_000])
    def test_ends_the_call_and_keeps_what_was_seen(
        self, owner: Owner, growing: Asked, model: ScriptedModel, seen: int
    ) -> None:
        answers.request_stop(owner, growing.conversation_id, growing.answer, seen)

        replies.stop(growing.answer_id, seen)

        stopped = row(growing)
        assert (stopped.status, stopped.content) == ("stopped", answer_to(QUESTION, 3)[:seen])
        assert stopped.metadata["reason"] == engines.STOPPED
        assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)

    def test_in_another_process_ends_it_too(
        self, owner: Owner, growing: Asked, elsewhere: Flask, model: ScriptedModel
    ) -> None:
        with elsewhere.app_context():
            answers.request_stop(owner, growing.conversation_id, growing.answer, 5)
            replies.stop(growing.answer_id, 5, patience=PATIENCE)

        assert (row(growing).status, row(growing).content) == (
            "stopped", answer_to(QUESTION, 3)[:5],
        )  # fmt: skip
        assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)

    def test_that_comes_before_the_start_is_not_missed(
        self, owner: Owner, model: ScriptedModel
    ) -> None:
        model.script = Script(do="stall")
        asked = entrusted(owner)
        answers.request_stop(owner, asked.conversation_id, asked.answer, 0)

        replies.start(asked)

        assert end_of(asked).status == "stopped"


class TestReaders:
    def test_see_a_text_here_and_elsewhere(self, growing: Asked, elsewhere: Flask) -> None:
        so_far = answer_to(QUESTION, 3)

        assert replies.text_so_far(growing.answer_id) == so_far
        with elsewhere.app_context():
            assert replies.text_so_far(growing.answer_id) == so_far

    def test_follow_it_here_and_elsewhere(
        self, owner: Owner, growing: Asked, app: Flask, elsewhere: Flask
    ) -> None:
        last: dict[str, replies.Glimpse] = {}

        def follow(name: str, process: Flask) -> None:
            with process.app_context(), replies.watching(growing.answer_id) as live:
                for last[name] in live.follow():
                    pass

        readers = [
            threading.Thread(target=follow, args=place)
            for place in (("here", app), ("elsewhere", elsewhere))
        ]
        for reader in readers:
            reader.start()
        wait_until(lambda: len(last) == 2, seconds=PATIENCE)
        answers.request_stop(owner, growing.conversation_id, growing.answer, 5)
        for reader in readers:
            reader.join(PATIENCE)

        assert set(last.values()) == {replies.Glimpse(answer_to(QUESTION, 3)[:5], True)}


class TestShuttingDown:
    def test_interrupts_what_is_written_and_keeps_what_came(
        self, app: Flask, growing: Asked, model: ScriptedModel
    ) -> None:
        replies.shut_down(app)

        ended = row(growing)
        assert (ended.status, ended.content) == ("interrupted", answer_to(QUESTION, 3))
        assert ended.metadata["reason"] == engines.SHUTDOWN
        assert factories.rows(ReplyPiece) == factories.rows(Process) == []
        assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)

    def test_with_patience_lets_answers_end(
        self, app: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        model.script = Script(tokens=20, interval=0.02)
        asked = entrusted(owner)
        replies.start(asked)

        replies.shut_down(app, patience=PATIENCE)

        assert (row(asked).status, row(asked).content) == ("complete", answer_to(QUESTION))

    def test_is_nothing_to_a_process_that_did_nothing(self, app: Flask) -> None:
        replies.shut_down(app)
        replies.shut_down(app)

        assert factories.rows(Process) == []

    def test_is_for_ever(self, app: Flask, growing: Asked, elsewhere: Flask) -> None:
        """Requests that still run find no machinery, and make none."""
        replies.shut_down(app)

        for ask in (replies.awake, lambda: replies.wait(growing.answer_id, PATIENCE)):
            with pytest.raises(Unavailable) as refused:
                ask()
            assert refused.value.kind == "leaving"
        with elsewhere.app_context():
            assert replies.awake()


def test_a_process_that_looks_after_others_ends_what_a_dead_one_left(
    app: Flask, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when nobody visits it."""
    monkeypatch.setattr(answers, "QUIET", 0.0)
    dead = uuid4()
    answers.beat(dead)
    asked = factories.begun(owner, process_id=dead)
    factories.silence(dead)

    replies.look_after(app)

    assert end_of(asked).status == "interrupted"
    assert len(factories.rows(Message)) == 2
