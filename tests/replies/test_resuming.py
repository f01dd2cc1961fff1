"""Answers go on in another process, where the setting allows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb import replies
from chatweb.llm.prompts import GO_ON
from chatweb.models import Conversation, Message, Process, ReplyPiece
from chatweb.replies import engine as engines
from chatweb.replies import scribe as scribes
from chatweb.services import answers, resuming
from chatweb.services.asking import Asked
from chatweb.services.errors import Unavailable
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece
from tests import factories
from tests.replies.writing import PATIENCE, TextOf, row
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

QUESTION = "Why is the sky blue?"
CUT = answer_to(QUESTION, 3)
REST = "and the rest"

MakeProcess = Callable[[], Flask]


@pytest.fixture
def process(
    database_url: str, make_app: Callable[..., Flask], model: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeProcess:  # fmt: skip
    """Makes processes that go on with each other's answers, and look for them often."""
    monkeypatch.setattr(scribes, "REAP", 0.05)

    def make(**settings: str) -> Flask:
        ours = {
            "DATABASE_URL": database_url, "LLM_BASE_URL": model.base_url, "LLM_MODEL": "test",
            "RESUME_INTERRUPTED": "true", "DATABASE_POOL_TIMEOUT": "20",
        }  # fmt: skip
        return make_app(**(ours | settings))

    return make


@pytest.fixture
def context(process: MakeProcess) -> Iterator[Flask]:
    """The process that stops or dies."""
    app = process()
    with app.app_context():
        yield app


@pytest.fixture
def growing(context: Flask, owner: Owner, model: ScriptedModel, text_of: TextOf) -> Asked:
    """An answer of it that stalls after three words, which are kept."""
    model.script = Script(do="stall", after=3)
    asked = factories.begun(owner, QUESTION, process_id=replies.awake())
    replies.start(asked)
    wait_until(lambda: text_of(asked.answer_id) == CUT, seconds=PATIENCE)
    return asked


@pytest.fixture
def orphan(context: Flask, owner: Owner) -> Asked:
    """An answer of a process that died without a word."""
    dead = factories.process()
    asked = factories.begun(owner, QUESTION, process_id=dead)
    answers.keep(dead, [Piece(asked.answer_id, 0, CUT)], [], heartbeat=False)
    factories.silence(dead)
    return asked


def end_of(asked: Asked) -> Any:
    wait_until(lambda: row(asked).status != "streaming", seconds=PATIENCE)
    return row(asked)


def takes_up(asked: Asked, times: int = 1) -> bool:
    return bool(row(asked).metadata.get(resuming.TAKEN_UP) == times)


class TestAProcessThatStops:
    def test_leaves_its_answers_as_they_are_to_the_last_letter(
        self, context: Flask, growing: Asked, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)

        left = row(growing)
        assert (left.status, left.content, left.process_id) == (
            "streaming", "", growing.process_id,
        )  # fmt: skip
        assert answers.text_so_far(growing.answer_id) == CUT
        assert [process.heartbeat for process in factories.rows(Process)] == [0.0]
        assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)

    def test_keeps_what_came_since_the_last_tick(
        self, context: Flask, owner: Owner, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scribes, "TICK", 3600.0)
        model.script = Script(do="stall", after=3)
        asked = factories.begun(owner, QUESTION, process_id=replies.awake())
        replies.start(asked)
        wait_until(lambda: replies.text_so_far(asked.answer_id) == CUT, seconds=PATIENCE)

        replies.shut_down(context)

        assert answers.text_so_far(asked.answer_id) == CUT

    def test_lets_those_end_that_do_so_in_time(
        self, context: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        model.script = Script(tokens=20, interval=0.02)
        asked = factories.begun(owner, QUESTION, process_id=replies.awake())
        replies.start(asked)

        replies.shut_down(context, patience=PATIENCE)

        assert (row(asked).status, row(asked).content) == ("complete", answer_to(QUESTION))
        assert factories.rows(Process) == []

    def test_lets_its_readers_go_without_an_end(self, context: Flask, growing: Asked) -> None:
        seen: list[replies.Glimpse] = []

        def follow() -> None:
            with context.app_context(), replies.watching(growing.answer_id) as live:
                seen.extend(live.follow())

        reader = threading.Thread(target=follow)
        reader.start()
        wait_until(lambda: replies.LiveText.readers == 1, seconds=PATIENCE)

        replies.shut_down(context)

        reader.join(PATIENCE)
        assert not reader.is_alive()
        assert {glimpse.ended for glimpse in seen} <= {False}

    def test_takes_nothing_up_again_for_those_who_still_wait_in_it(
        self, context: Flask, growing: Asked, model: ScriptedModel
    ) -> None:
        refused: list[Unavailable] = []

        def wait() -> None:
            with context.app_context():
                try:
                    while True:
                        replies.wait(growing.answer_id, PATIENCE)
                except Unavailable as leaving:
                    refused.append(leaving)

        waiting = threading.Thread(target=wait)
        waiting.start()

        replies.shut_down(context)

        waiting.join(PATIENCE)
        assert [each.kind for each in refused] == ["leaving"]
        threading.Event().wait(0.5)
        assert row(growing).process_id == growing.process_id
        assert len(model.requests) == 1

    def test_takes_up_nothing_itself_when_it_was_told_to_leave(
        self, context: Flask, growing: Asked, process: MakeProcess, owner: Owner
    ) -> None:
        leaving = process()
        replies.look_after(leaving)
        replies.leave(leaving)

        replies.shut_down(context)

        threading.Event().wait(0.5)
        assert row(growing).process_id == growing.process_id


class TestAnotherProcess:
    def test_goes_on_where_it_ended(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)
        model.script = Script(pieces=(REST,))

        replies.look_after(process())

        ended = end_of(growing)
        assert (ended.status, ended.content) == ("complete", CUT + REST)
        assert ended.metadata[resuming.TAKEN_UP] == 1
        assert ended.metadata["model"] == "scripted-model"
        assert factories.rows(ReplyPiece) == []
        assert len(factories.rows(Message)) == 2
        said = [(each["role"], each["content"]) for each in model.requests[1].messages]
        assert said[-3:] == [("user", QUESTION), ("assistant", CUT), ("user", GO_ON)]

    def test_asks_anew_where_nothing_had_come(
        self, context: Flask, owner: Owner, process: MakeProcess, model: ScriptedModel
    ) -> None:
        model.script = Script(do="stall")
        asked = factories.begun(owner, QUESTION, process_id=replies.awake())
        replies.start(asked)
        assert model.wait_for(lambda: model.requests, PATIENCE)
        replies.shut_down(context)
        model.script = Script()

        replies.look_after(process())

        assert end_of(asked).content == answer_to(QUESTION)
        assert model.requests[1].question == QUESTION

    @pytest.mark.usefixtures("steady")
    def test_goes_on_with_what_a_dead_one_left(
        self, context: Flask, orphan: Asked, model: ScriptedModel
    ) -> None:
        model.script = Script(pieces=(REST,))

        replies.look_after(context)

        assert (end_of(orphan).status, row(orphan).content) == ("complete", CUT + REST)

    @pytest.mark.usefixtures("unsteady")
    def test_is_in_no_doubt_about_one_that_signed_off(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)
        model.script = Script(pieces=(REST,))

        replies.look_after(process())

        assert end_of(growing).content == CUT + REST

    def test_is_one_of_many(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        others = [process() for _ in range(3)]
        for each in others:
            replies.look_after(each)
        model.script = Script(pieces=(REST,))

        replies.shut_down(context)

        assert end_of(growing).content == CUT + REST
        assert len(model.requests) == 2

    def test_tells_the_readers_of_a_third_one(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        """Who followed there all the time notices nothing."""
        reading = process()
        last: list[replies.Glimpse] = []

        def follow() -> None:
            with reading.app_context(), replies.watching(growing.answer_id) as live:
                last.extend(live.follow())

        reader = threading.Thread(target=follow)
        reader.start()
        wait_until(lambda: last and last[-1].text == CUT, seconds=PATIENCE)
        replies.leave(reading)  # so that it does not take the answer up itself
        model.script = Script(pieces=tuple(REST), interval=0.02)
        replies.look_after(process())

        replies.shut_down(context)

        reader.join(PATIENCE)
        assert last[-1] == replies.Glimpse(CUT + REST, True)
        assert all((CUT + REST).startswith(each.text or "") for each in last)

    def test_honours_a_stop_that_nobody_was_there_for(
        self, context: Flask, owner: Owner, growing: Asked, process: MakeProcess,
        model: ScriptedModel,
    ) -> None:  # fmt: skip
        replies.shut_down(context)
        answers.request_stop(owner, growing.conversation_id, growing.answer, 5)

        replies.look_after(process())

        ended = end_of(growing)
        assert (ended.status, ended.content) == ("stopped", CUT[:5])
        assert ended.metadata == {resuming.TAKEN_UP: 1, "reason": engines.STOPPED}
        assert len(model.requests) == 1

    def test_can_be_told_to_stop_like_any(
        self, context: Flask, owner: Owner, growing: Asked, process: MakeProcess,
        model: ScriptedModel,
    ) -> None:  # fmt: skip
        replies.shut_down(context)
        taker = process()
        replies.look_after(taker)
        assert model.wait_for(lambda: len(model.requests) == 2, PATIENCE)

        with taker.app_context():
            answers.request_stop(owner, growing.conversation_id, growing.answer, None)
            replies.stop(growing.answer_id, 10_000, patience=PATIENCE)

        ended = row(growing)
        assert ended.status == "stopped"
        assert ended.content.startswith(CUT)
        assert ended.metadata[resuming.TAKEN_UP] == 1

    def test_interrupts_it_when_the_model_fails(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)
        model.script = Script(do="prose")

        replies.look_after(process())

        assert (end_of(growing).status, row(growing).content) == ("interrupted", CUT)
        assert row(growing).metadata[resuming.TAKEN_UP] == 1

    def test_gives_up_after_three_times(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)
        for times in range(1, resuming.MOST + 1):
            taker = process()
            replies.look_after(taker)
            assert model.wait_for(lambda times=times: len(model.requests) == times + 1, PATIENCE)
            assert takes_up(growing, times)
            replies.shut_down(taker)

        replies.look_after(process())

        ended = end_of(growing)
        assert (ended.status, ended.metadata) == (
            "interrupted", {resuming.TAKEN_UP: resuming.MOST, "reason": answers.CUT},
        )  # fmt: skip
        assert len(model.requests) == resuming.MOST + 1

    def test_does_not_begin_twice_what_is_asked_for_again_meanwhile(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)
        model.script = Script(do="stall", after=1)
        taker = process()
        replies.look_after(taker)
        wait_until(lambda: takes_up(growing), seconds=PATIENCE)

        with taker.app_context():
            replies.start(growing)
            replies.start(_as_asked_again(growing, row(growing).process_id))

        assert model.wait_for(lambda: len(model.requests) == 2, PATIENCE)
        threading.Event().wait(0.3)
        assert len(model.requests) == 2

    def test_gives_the_title_after_a_first_answer(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)
        model.script, model.titles = Script(pieces=(REST,)), Script(pieces=("Colours",))

        replies.look_after(process(TITLES_BY_MODEL="true"))

        wait_until(lambda: factories.rows(Conversation)[0].title == "Colours", seconds=PATIENCE)

    def test_marks_it_where_the_setting_is_off(
        self, context: Flask, growing: Asked, process: MakeProcess, model: ScriptedModel
    ) -> None:
        replies.shut_down(context)

        replies.look_after(process(RESUME_INTERRUPTED="false"))

        assert (end_of(growing).status, row(growing).content) == ("interrupted", CUT)
        assert len(model.requests) == 1


class TestTheOneThatOnlySlept:
    def test_lets_go_and_its_readers_follow_the_other(
        self, context: Flask, growing: Asked, model: ScriptedModel
    ) -> None:
        """It was taken for dead, and learns it with its next word."""
        other = factories.process()
        assert len(resuming.take_up(other, factories.left(growing)).taken) == 1
        seen: list[replies.Glimpse] = []
        with replies.watching(growing.answer_id) as live:
            live.append("a word too many")
            seen.extend(live.follow())

        assert live.is_elsewhere
        assert {glimpse.ended for glimpse in seen} <= {False}
        assert answers.text_so_far(growing.answer_id) == CUT
        assert row(growing).process_id == other
        assert model.wait_for(lambda: model.requests[0].left_early, PATIENCE)
        with replies.watching(growing.answer_id) as mirror:
            assert mirror is not live


def _as_asked_again(asked: Asked, process_id: UUID) -> Asked:
    """What the same request gives after the answer was taken up."""
    return replace(asked, process_id=process_id, begins_with=CUT)


def test_an_answer_whose_process_never_began_it_is_begun(
    context: Flask, owner: Owner, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that was taken for failed."""
    monkeypatch.setattr(answers, "QUIET", 0.0)
    asked = factories.begun(owner, QUESTION, process_id=replies.awake(), request_id=uuid4())

    assert end_of(asked).content == answer_to(QUESTION)
