"""A title that somebody asks the model for: the button, the page, and what is said without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from chatweb.models import Conversation, QuestionCount
from tests.blueprints.browser import Browser
from tests.scripted_model import Script, ScriptedModel
from tests.servers import wait_until


@pytest.fixture
def app(database_url: str, make_app: Callable[..., Flask], model: ScriptedModel) -> Flask:
    """One whose model is asked for titles."""
    model.titles = Script(pieces=("Colours <b>of</b> the sky",))
    return make_app(
        DATABASE_URL=database_url, LLM_BASE_URL=model.base_url, LLM_MODEL="test",
        TITLES_BY_MODEL="true", DATABASE_POOL_TIMEOUT="20",
    )  # fmt: skip


def title_of(rows: Any) -> tuple[str, str]:
    (row,) = rows(Conversation)
    return row.title, row.title_source


def test_without_scripts_leads_back_to_the_page(browser: Browser, mine: UUID, rows: Any) -> None:
    form = browser.page(f"/c/{mine}").one("#menu .suggest")
    assert form["method"] == "post"

    response = browser.post(str(form["action"]))

    assert (response.status_code, response.location) == (303, f"/c/{mine}")
    assert title_of(rows) == ("Colours <b>of</b> the sky", "model")


def test_a_page_that_was_updated_equals_a_reload(browser: Browser, mine: UUID) -> None:
    page = browser.page(f"/c/{mine}")

    suggested = browser.post(f"/c/{mine}/suggest-title", htmx=True)

    page.swap("body", "none", suggested.text)
    assert page.one("#menu-title")["value"] == "Colours <b>of</b> the sky"
    assert page.same_as(browser.get(f"/c/{mine}").text)


@pytest.mark.parametrize("htmx", [False, True])
def test_when_the_model_fails_it_is_said_and_the_title_stays(
    browser: Browser, mine: UUID, model: ScriptedModel, rows: Any, htmx: bool
) -> None:
    before = title_of(rows)
    model.titles = Script(status=500)

    response = browser.post(f"/c/{mine}/suggest-title", htmx=htmx)

    assert response.status_code == 409
    assert "The model gave no title just now. The old one stays" in response.text
    assert title_of(rows) == before


def test_somebody_elses_is_not_there_and_the_model_not_asked(
    browser: Browser, theirs: UUID, model: ScriptedModel
) -> None:
    assert browser.post(f"/c/{theirs}/suggest-title").status_code == 404
    assert model.requests == []


def test_a_new_conversation_gets_a_better_title_by_itself(browser: Browser, rows: Any) -> None:
    conversation = browser.talk()

    wait_until(lambda: title_of(rows)[1] == "model", seconds=10)

    page = browser.page(f"/c/{conversation}")
    assert page.one("#title").text == "Colours <b>of</b> the sky"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"LLM_BASE_URL": "http://127.0.0.1:9/v1"}, True),
        ({"LLM_BASE_URL": "http://127.0.0.1:9/v1", "TITLES_BY_MODEL": "false"}, False),
        ({"LLM_BASE_URL": ""}, False),
    ],
    ids=["a real model", "switched off", "the demonstration model"],
)
def test_the_button_is_there_where_the_model_is_asked(
    make_app: Callable[..., Flask], database_url: str, settings: dict[str, str], shown: bool
) -> None:
    app = make_app(DATABASE_URL=database_url, **({"TITLES_BY_MODEL": "true"} | settings))
    browser = Browser(app.test_client())
    browser.get()
    conversation = browser.begin()

    assert bool(browser.page(f"/c/{conversation}").tree.select("#menu .suggest")) is shown


def test_where_the_model_is_not_asked_it_is_said_and_nothing_counted(
    make_app: Callable[..., Flask], database_url: str, model: ScriptedModel, rows: Any
) -> None:
    app = make_app(
        DATABASE_URL=database_url, LLM_BASE_URL=model.base_url, LLM_MODEL="test",
        TITLES_BY_MODEL="false", LIMIT_QUESTIONS_PER_DAY="2",
    )  # fmt: skip
    browser = Browser(app.test_client())
    conversation = browser.talk()
    asked = len(model.requests)

    responses = [browser.post(f"/c/{conversation}/suggest-title") for _ in range(3)]

    assert {response.status_code for response in responses} == {409}
    assert "not asked for titles" in responses[0].text
    assert len(model.requests) == asked
    assert {row.questions for row in rows(QuestionCount)} == {1}
