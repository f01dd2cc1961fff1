"""What is typed and not sent: saved by itself, on every page, in nobody's log."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb.models import Conversation, Draft, Message
from tests.blueprints.browser import Browser, box
from tests.blueprints.live_page import LivePage, parsed
from tests.scripted_model import Script, ScriptedModel

Rows = Callable[[type[Any]], list[Any]]


@pytest.fixture(params=["a conversation", "a new chat"])
def page(request: pytest.FixtureRequest, browser: Browser) -> str:
    """The address of a page with a box."""
    return f"/c/{browser.talk()}" if request.param == "a conversation" else "/"


def saves_to(page: LivePage) -> str:
    return str(page.one("#text")["hx-post"])


def typed(page: LivePage) -> tuple[str, str]:
    """What is in the box, and the id it will be sent with."""
    text = page.one("#composer textarea[name=text]").text.removeprefix("\n")
    return text, str(page.one("#composer input[name=request_id]")["value"])


def form(page: LivePage, text: str) -> dict[str, str]:
    return {"text": text, "request_id": typed(page)[1]}


def test_it_is_saved_without_a_word_and_on_the_next_page(browser: Browser, page: str) -> None:
    here = browser.page(page)

    response = browser.post(saves_to(here), form(here, "  Why is\r\nthe s"), htmx=True)

    assert (response.status_code, response.text) == (204, "")
    assert typed(browser.page(page)) == ("  Why is\nthe s", typed(here)[1])


def test_a_form_without_scripts_leads_back(browser: Browser, page: str) -> None:
    here = browser.page(page)

    response = browser.post(saves_to(here), form(here, "Why is the s"))

    assert (response.status_code, response.location) == (303, page)
    assert typed(browser.page(page))[0] == "Why is the s"


def test_other_pages_have_their_own(browser: Browser, page: str, mine: UUID) -> None:
    here = browser.page(page)

    browser.post(saves_to(here), form(here, "Why is the s"), htmx=True)

    elsewhere = {"/", f"/c/{mine}"} - {page}
    assert all(typed(browser.page(other))[0] == "" for other in elsewhere)


def test_the_same_draft_sent_from_two_tabs_is_one_message(
    browser: Browser, page: str, rows: Rows
) -> None:
    first = browser.page(page)
    browser.post(saves_to(first), form(first, "Why is the sky blue?"), htmx=True)
    before = len(rows(Message))

    for tab in (first, browser.page(page)):
        response = browser.post(
            str(tab.one("#composer")["action"]), form(tab, "Why is the sky blue?"), htmx=True
        )
        assert response.status_code == 200

    assert len(rows(Message)) == before + 2
    assert len(rows(Conversation)) == 1
    assert rows(Draft) == []
    assert typed(browser.page(page))[0] == ""


def test_a_tab_that_has_not_heard_of_the_send_goes_on_with_a_fresh_id(
    browser: Browser, mine: UUID, rows: Rows
) -> None:
    page = f"/c/{mine}"
    first = browser.page(page)
    browser.post(saves_to(first), form(first, "And then?"), htmx=True)
    other = browser.page(page)
    used = typed(other)[1]
    browser.post(f"{page}/messages", {"text": "And then?", "request_id": used})
    browser.ended(mine, 4)

    response = browser.post(saves_to(other), form(other, "And then? Or before?"), htmx=True)

    assert response.status_code == 200
    other.swap("#text", "none", response.text)
    assert typed(other)[1] != used
    assert typed(browser.page(page)) == ("And then? Or before?", typed(other)[1])
    sent = browser.post(f"{page}/messages", form(other, "And then? Or before?"), htmx=True)
    assert sent.status_code == 200
    assert rows(Draft) == []


def test_without_scripts_the_button_that_stops_an_answer_saves_it(
    browser: Browser, mine: UUID, model: ScriptedModel
) -> None:
    model.script = Script(tokens=300, interval=0.05)
    browser.ask(mine)
    here = browser.page(f"/c/{mine}")

    response = browser.post(here.one("#stop")["formaction"], form(here, "Half a thought"))

    assert response.status_code == 303
    assert typed(browser.page(f"/c/{mine}"))[0] == "Half a thought"


def test_a_stop_that_fails_does_not_offer_to_send_it_to_the_stop(
    browser: Browser, mine: UUID
) -> None:  # fmt: skip
    here = browser.page(f"/c/{mine}")

    refused = browser.post(f"/c/{mine}/messages/99/stop", form(here, "Half a thought"))

    assert refused.status_code == 404
    assert box(refused) == "Half a thought"
    assert parsed(refused.text).select_one("form.kept")["action"] == f"/c/{mine}/messages"


def test_a_send_that_is_refused_keeps_it(browser: Browser) -> None:
    conversation = browser.talk()
    here = browser.page(f"/c/{conversation}")
    browser.post(saves_to(here), form(here, "And then?"), htmx=True)

    response = browser.post(
        f"/c/{conversation}/messages", form(here, "And then?") | {"request_id": "no id"}, htmx=True
    )

    assert response.status_code == 422
    assert typed(browser.page(f"/c/{conversation}")) == ("And then?", typed(here)[1])


def test_twice_as_much_as_can_be_sent_is_kept_and_no_more(
    make_app: Callable[..., Flask], database_url: str, rows: Rows
) -> None:
    app = make_app(DATABASE_URL=database_url, MAX_MESSAGE_CHARS="10")
    browser = Browser(app.test_client())
    here = browser.page("/")
    browser.post(saves_to(here), form(here, "x" * 20), htmx=True)

    refused = browser.post(saves_to(here), form(here, "y" * 21), htmx=True)

    assert refused.status_code == 422
    assert "21 characters" in refused.text
    assert [row.text for row in rows(Draft)] == ["x" * 20]


def test_a_strangers_conversation_is_not_there(
    browser: Browser, theirs: UUID, rows: Rows
) -> None:  # fmt: skip
    values = {"text": "Mine", "request_id": uuid4()}

    refused = browser.post(f"/c/{theirs}/draft", values)

    assert refused.status_code == 404
    assert box(refused) == "Mine"
    assert browser.post(f"/c/{uuid4()}/draft", values, htmx=True).status_code == 404
    assert rows(Draft) == []


def test_text_that_looks_like_html_stays_text(browser: Browser, page: str) -> None:
    here = browser.page(page)
    text = "\n</textarea><script>alert(1)</script>&amp;"

    browser.post(saves_to(here), form(here, text), htmx=True)

    assert typed(browser.page(page))[0] == text


def test_it_is_in_no_log(browser: Browser, page: str, log: Callable[[], list[str]]) -> None:
    here = browser.page(page)

    browser.post(saves_to(here), form(here, "my secret thought"), htmx=True)
    browser.get(page)

    assert any("/draft 204" in line for line in log())
    assert "secret" not in "\n".join(log())
