"""Sources that the model's server names are kept with the answer, and shown with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chatweb.models import Message
from tests.blueprints.browser import Browser
from tests.scripted_model import Script, ScriptedModel

SKY = {"url": "https://example.org/sky", "title": "The <b>sky</b>"}
Rows = Callable[[type[Any]], list[Any]]

ANNOTATIONS = [{"type": "url_citation", "url_citation": SKY}]


def cites(*annotations: object) -> Script:
    delta = {"content": "Blue.", "annotations": list(annotations)}
    event = {"choices": [{"delta": delta, "finish_reason": "stop"}]}
    return Script(do="raw", pieces=(f"data: {json.dumps(event)}\n\n", "data: [DONE]\n\n"))


def test_they_are_links_below_the_answer(browser: Browser, model: ScriptedModel) -> None:
    model.script = cites(*ANNOTATIONS)
    conversation = browser.begin()
    told = browser.ended(conversation)

    link = browser.page(f"/c/{conversation}").one("#message-2 .citations a")
    assert (link["href"], link.text) == (SKY["url"], SKY["title"])
    assert link["rel"] == ["noopener", "noreferrer", "nofollow"]
    assert "1 source" in told
    assert ">example.org<" in told


def test_an_answer_without_shows_none(browser: Browser) -> None:
    conversation = browser.begin()
    browser.ended(conversation)

    assert not browser.page(f"/c/{conversation}").tree.select(".citations")


def test_programs_get_them_beside_the_text(browser: Browser, model: ScriptedModel) -> None:
    model.script = cites(*ANNOTATIONS, {"type": "other"})
    conversation = browser.begin()
    browser.ended(conversation)

    answer = browser.get(f"/api/v1/conversations/{conversation}/messages/2").json

    assert answer["citations"] == [SKY]
    assert "citations" not in answer["metadata"]


def test_what_leads_nowhere_is_not_shown(
    browser: Browser, model: ScriptedModel, rows: Rows
) -> None:
    model.script = cites({"type": "url_citation", "url_citation": {"url": "javascript:alert(1)"}})
    conversation = browser.begin()
    browser.ended(conversation)

    assert not browser.page(f"/c/{conversation}").tree.select(".citations")
    (_, answer) = rows(Message)
    assert "citations" not in answer._mapping["metadata"]
