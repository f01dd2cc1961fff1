"""Titles by the model, where people see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests import browsers
from tests.browser.chats import answered, ask
from tests.scripted_model import Script, ScriptedModel
from tests.servers import Server


@pytest.fixture
def naming(model: ScriptedModel) -> Iterator[Server]:
    """A server whose model is asked for titles."""
    model.titles = Script(status=500)
    with Server(workers=1, LLM_BASE_URL=model.base_url, TITLES_BY_MODEL="true") as server:
        yield server
    model.titles = None


def test_a_title_comes_by_itself_and_another_one_when_asked_for(
    naming: Server, model: ScriptedModel, open_page: Callable[..., Page]
) -> None:
    model.titles = Script(pieces=("Colours of the sky",))
    page = open_page(naming)
    ask(page, "Why is the sky blue?")
    answered(page)
    expect(page.locator("#conversations .row-title")).to_have_text("Colours of the sky")

    model.titles = Script(pieces=('"Blue <i>light</i>"',))
    page.reload()
    page.get_by_role("button", name="Rename or delete this conversation").click()
    page.get_by_role("button", name="Suggest a title").click()

    for place in ("#title", "#conversations .row-title"):
        expect(page.locator(place)).to_have_text("Blue <i>light</i>")
    expect(page.get_by_label("Title", exact=True)).to_have_value("Blue <i>light</i>")
    expect(page).to_have_title("Blue <i>light</i> · chatweb")


def test_when_none_comes_the_page_says_so(naming: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(naming)
    ask(page, "Why is the sky blue?")
    answered(page)
    page.reload()
    page.get_by_role("button", name="Rename or delete this conversation").click()
    page.get_by_role("button", name="Suggest a title").click()

    expect(page.locator("#notice")).to_contain_text("The model gave no title just now.")
    expect(page.locator("#title")).to_have_text("Why is the sky blue?")
    # Chromium complains of any answer that is not a 200: here that is what is wanted.
    (complaint,) = browsers.heard(page).console
    assert "409" in complaint
    browsers.heard(page).console.clear()
