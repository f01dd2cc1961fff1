"""Titles that the model gives while the conversation goes on without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb import replies
from chatweb.models import Conversation
from chatweb.replies import titles as title_calls
from chatweb.services import conversations, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import Conflict
from chatweb.services.limits import UNLIMITED
from chatweb.services.owners import Owner
from tests import factories
from tests.replies.writing import PATIENCE, Outage, row
from tests.scripted_model import Script, ScriptedModel
from tests.servers import wait_until

QUESTION = "Why is the sky blue?"
TITLE = Script(pieces=("Colours of ", "the sky"))
SAID = [("user", QUESTION), ("assistant", "Because.")]


@pytest.fixture
def context(
    database_url: str, make_app: Callable[..., Flask], model: ScriptedModel
) -> Iterator[Flask]:
    """An application whose model is asked for titles."""
    model.titles = TITLE
    app = make_app(
        DATABASE_URL=database_url, LLM_BASE_URL=model.base_url, LLM_MODEL="test",
        TITLES_BY_MODEL="true",
    )  # fmt: skip
    with app.app_context():
        yield app


def answered(owner: Owner, question: str = QUESTION) -> Asked:
    """A first question whose answer has come from the model."""
    asked = factories.begun(owner, question, process_id=replies.awake())
    return until_ended(asked)


def until_ended(asked: Asked) -> Asked:
    replies.start(asked)
    wait_until(lambda: row(asked).status != "streaming", seconds=PATIENCE)
    return asked


def title_of(conversation_id: UUID) -> tuple[str, str]:
    found = next(row for row in factories.rows(Conversation) if row.id == conversation_id)
    return found.title, found.title_source


def title_requests(model: ScriptedModel) -> list[Any]:
    return [request for request in model.requests if request.asks_title]


def all_said(model: ScriptedModel, count: int) -> None:
    """Wait until so many requests for a title are over."""
    assert model.wait_for(
        lambda: (
            len(done := title_requests(model)) == count
            and all(each.finished or each.left_early for each in done)
        ),
        PATIENCE,
    )


class TestAfterTheFirstAnswer:
    def test_the_model_gives_a_better_title(
        self, context: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        asked = answered(owner)

        wait_until(
            lambda: title_of(asked.conversation_id) == ("Colours of the sky", "model"),
            seconds=PATIENCE,
        )
        (request,) = title_requests(model)
        assert QUESTION in request.question
        assert row(asked).content.strip() in request.question

    def test_there_is_none_after_the_second(
        self, context: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        first = answered(owner)
        wait_until(lambda: title_of(first.conversation_id)[1] == "model", seconds=PATIENCE)

        until_ended(factories.asked(owner, first.conversation_id, process_id=replies.awake()))

        replies.shut_down(context)
        assert len(title_requests(model)) == 1

    def test_another_try_of_the_first_is_the_first_that_is_whole(
        self, context: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        model.script = Script(do="prose")
        asked = answered(owner)
        assert (row(asked).status, title_requests(model)) == ("failed", [])
        model.script = Script()

        until_ended(
            questions.retry(
                owner, asked.conversation_id, 2, uuid4(), replies.awake(), UNLIMITED
            )
        )  # fmt: skip

        wait_until(lambda: title_of(asked.conversation_id)[1] == "model", seconds=PATIENCE)

    def test_what_a_person_chose_stays_and_the_model_is_not_asked(
        self, context: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        asked = factories.begun(owner, QUESTION, process_id=replies.awake())
        conversations.change(owner, asked.conversation_id, title="Mine")

        until_ended(asked)

        replies.shut_down(context)
        assert title_of(asked.conversation_id) == ("Mine", "person")
        assert title_requests(model) == []

    def test_what_a_person_chooses_while_the_model_thinks_stays(
        self, context: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        model.titles = Script(pieces=("Colours",), first=0.5)
        asked = answered(owner)
        assert model.wait_for(lambda: title_requests(model), PATIENCE)

        conversations.change(owner, asked.conversation_id, title="Mine")

        all_said(model, 1)
        replies.shut_down(context)
        assert title_of(asked.conversation_id) == ("Mine", "person")

    @pytest.mark.parametrize(
        "script",
        [
            Script(status=500), Script(status=429, retry_after="1"), Script(do="cut", after=1),
            Script(do="prose"), Script(pieces=("I'm sorry, no.",)), Script(tokens=300),
            Script(do="flood"), Script(pieces=()),
        ],
        ids=["500", "429", "cut", "no protocol", "refusal", "long", "without end", "empty"],
    )  # fmt: skip
    def test_first_words_stay_when_the_model_gives_none(
        self, context: Flask, owner: Owner, model: ScriptedModel, script: Script
    ) -> None:
        model.titles = script

        asked = answered(owner)

        all_said(model, 1)
        replies.shut_down(context)
        assert row(asked).status == "complete"
        assert title_of(asked.conversation_id) == (QUESTION, "first_words")
        assert len(title_requests(model)) == 1

    def test_first_words_stay_when_the_database_is_away(
        self, context: Flask, owner: Owner, model: ScriptedModel, outage: Outage,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        model.titles = Script(pieces=("Colours",), first=0.5)
        asked = answered(owner)
        assert model.wait_for(lambda: title_requests(model), PATIENCE)

        with outage():
            wait_until(lambda: "no title: the database is away" in caplog.text, seconds=PATIENCE)

        assert title_of(asked.conversation_id) == (QUESTION, "first_words")

    def test_only_a_few_are_asked_for_at_once(
        self, context: Flask, owner: Owner, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(title_calls, "WAITING", 7)
        model.titles = Script(do="stall")
        for number in range(9):
            answered(owner, f"Question {number}")

        assert model.wait_for(lambda: len(title_requests(model)) == 4, PATIENCE)
        replies.shut_down(context)

        assert len(title_requests(model)) == 4

    def test_a_process_that_stops_does_not_wait_for_them(
        self, context: Flask, owner: Owner, model: ScriptedModel
    ) -> None:
        model.titles = Script(do="stall")
        asked = answered(owner)
        assert model.wait_for(lambda: title_requests(model), PATIENCE)

        replies.shut_down(context)

        assert model.wait_for(lambda: title_requests(model)[0].left_early, PATIENCE)
        assert title_of(asked.conversation_id) == (QUESTION, "first_words")


class TestASuggestion:
    @pytest.mark.usefixtures("context")
    def test_is_what_the_model_says(self, model: ScriptedModel) -> None:
        assert replies.suggested_title(SAID) == "Colours of the sky"

    @pytest.mark.usefixtures("context")
    @pytest.mark.parametrize("script", [Script(status=500), Script(pieces=("I cannot do it",))])
    def test_that_does_not_come_is_told(self, model: ScriptedModel, script: Script) -> None:
        model.titles = script

        with pytest.raises(Conflict, match="The old one stays"):
            replies.suggested_title(SAID)

    @pytest.mark.usefixtures("context")
    def test_is_not_waited_for_long(
        self, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(title_calls, "SHORT_PATIENCE", 0.2)
        model.titles = Script(do="stall")

        with pytest.raises(Conflict, match="The old one stays"):
            replies.suggested_title(SAID)

        assert model.wait_for(lambda: title_requests(model)[0].left_early, PATIENCE)

    @pytest.mark.parametrize("settings", [{"TITLES_BY_MODEL": "false"}, {"LLM_BASE_URL": ""}])
    def test_is_refused_where_the_model_is_not_asked(
        self, make_app: Callable[..., Flask], database_url: str, model: ScriptedModel,
        settings: dict[str, str],
    ) -> None:  # fmt: skip
        known = {"LLM_BASE_URL": model.base_url, "LLM_MODEL": "test", "TITLES_BY_MODEL": "true"}
        app = make_app(DATABASE_URL=database_url, **(known | settings))

        with app.app_context(), pytest.raises(Conflict, match="not asked for titles"):
            replies.check_gives_titles()
