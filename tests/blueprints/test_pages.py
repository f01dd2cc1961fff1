"""Every page, every fragment and every way without scripts; an updated page equals a reload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatweb.models import Conversation, Draft, Login, Message, Process, ReplyPiece, User
from tests import factories
from tests.blueprints.browser import HTMX, Browser, stream_of
from tests.blueprints.live_page import LivePage, events, parsed
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

Rows = Callable[[type[Any]], list[Any]]
TABLES = [Conversation, Draft, Login, Message, Process, ReplyPiece, User]


def test_a_look_brings_a_cookie_and_leaves_no_row(client: FlaskClient, rows: Rows) -> None:
    first = client.get("/")
    cookie = client.get_cookie("chatweb")
    assert cookie
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert "Max-Age=34560000" in first.headers["Set-Cookie"]
    client.get("/history")
    assert [rows(table) for table in TABLES if table is not Process] == [[]] * 6


def test_over_https_the_cookie_is_for_this_host_alone(client: FlaskClient) -> None:
    given = client.get("/", base_url="https://localhost").headers["Set-Cookie"]
    assert given.startswith("__Host-chatweb=")
    assert "Secure" in given
    assert "Path=/" in given
    assert "Domain" not in given


def test_a_known_browser_keeps_its_cookie_and_pages_renew_it(browser: Browser) -> None:
    known = browser.client.get_cookie("chatweb")
    response = browser.get("/history")
    assert known
    assert known.value in response.headers["Set-Cookie"]


def test_the_page_has_what_others_rely_on(browser: Browser) -> None:
    page = browser.page()
    for selector in ("#messages", "#composer textarea[name=text]", "#notice", "#conversations"):
        assert page.one(selector)
    conversation = browser.talk()
    page = browser.page(f"/c/{conversation}")
    question, answer = page.one("#message-1"), page.one("#message-2")
    assert (question["data-role"], question["data-status"]) == ("user", "complete")
    assert (answer["data-role"], answer["data-status"]) == ("assistant", "complete")
    assert page.one("#composer")["action"] == f"/c/{conversation}/messages"


def test_the_first_question_makes_a_conversation(browser: Browser, model: ScriptedModel) -> None:
    response = browser.post("/c", {"text": "Why is the sky blue?", "request_id": uuid4()})
    assert response.status_code == 303
    address, _, fragment = response.location.partition("#")
    assert fragment == "message-1"
    conversation = address.rsplit("/", 1)[1]
    browser.ended(UUID(conversation))
    page = browser.page(address)
    assert page.text(1) == "Why is the sky blue?"
    assert page.text(2) == answer_to("Why is the sky blue?").strip()
    assert page.one("title").text == "Why is the sky blue? · chatweb"
    assert page.one(f"#conversation-{conversation}")


def test_the_page_while_an_answer_comes_refreshes_itself_without_scripts(
    browser: Browser, model: ScriptedModel
) -> None:
    model.script = Script(do="stall", after=3)
    conversation = browser.begin()
    page = browser.page(f"/c/{conversation}")
    assert page.one("noscript meta[http-equiv=refresh]")
    assert page.one("#stop")["formaction"] == f"/c/{conversation}/messages/2/stop"
    assert page.one("#message-2")["data-status"] == "streaming"
    browser.post(f"/c/{conversation}/messages/2/stop")
    page = browser.page(f"/c/{conversation}")
    assert not page.tree.select("noscript meta[http-equiv=refresh], #stop")


class TestAPageThatWasUpdatedEqualsAReload:
    def begin(self, browser: Browser, text: str) -> tuple[LivePage, str]:
        page = browser.page()
        form = {"text": text, "request_id": page.one("#composer > [name=request_id]")["value"]}
        response = browser.post("/c", form, htmx=True)
        assert response.status_code == 200
        page.swap("#messages", "innerHTML", response.text)
        return page, response.headers["HX-Push-Url"]

    def test_after_a_first_question(self, browser: Browser) -> None:
        page, address = self.begin(browser, "Why is the sky blue?")
        browser.watch(page)
        assert page.same_as(browser.get(address).text)

    def test_after_a_further_question(self, browser: Browser) -> None:
        address = f"/c/{browser.talk()}"
        page = browser.page(address)
        form = {
            "text": "And *at night*?",
            "request_id": page.one("#composer > [name=request_id]")["value"],
        }
        page.swap(
            "#messages", "beforeend", browser.post(f"{address}/messages", form, htmx=True).text
        )
        browser.watch(page)
        assert page.same_as(browser.get(address).text)

    def test_after_an_answer_that_failed(self, browser: Browser) -> None:
        page, address = self.begin(browser, "Why? [[script: prose]]")
        browser.watch(page)
        assert page.one("#message-2")["data-status"] == "failed"
        assert page.same_as(browser.get(address).text)

    def test_after_another_try(self, browser: Browser) -> None:
        page, address = self.begin(browser, 'Why? [[script: {"do": "prose", "times": 1}]]')
        browser.watch(page)
        retry = page.one("#message-2 form")
        form = {"request_id": retry.select_one("input")["value"]}  # type: ignore[index]
        page.swap("#messages", "innerHTML", browser.post(retry["action"], form, htmx=True).text)
        browser.watch(page)
        assert page.one("#message-3")["data-status"] == "complete"
        assert page.same_as(browser.get(address).text)

    def test_after_a_stop(self, browser: Browser, model: ScriptedModel) -> None:
        model.script = Script(tokens=6, do="stall", after=6)
        page, address = self.begin(browser, "Why?")
        wait_until(lambda: model.requests and model.requests[0].sent == 6, seconds=10)
        stopped = browser.post(f"{address}/messages/2/stop", {"seen": "100"}, htmx=True)
        browser.watch(page)
        assert page.one("#message-2")["data-status"] == "stopped"
        page.swap("#stop", "none", stopped.text)
        assert page.same_as(browser.get(address).text)

    def test_after_a_new_title(self, browser: Browser) -> None:
        address = f"/c/{browser.talk()}"
        page = browser.page(address)
        renamed = browser.post(f"{address}/rename", {"title": "The <b>sky</b>"}, htmx=True)
        page.swap("body", "none", renamed.text)
        fresh = browser.page(address)
        for selector in ("#title", "#conversations"):
            assert str(page.one(selector)) == str(fresh.one(selector))

    def test_after_a_new_title_in_the_history(self, browser: Browser) -> None:
        conversation = browser.talk()
        page = browser.page("/history")
        renamed = browser.post(f"/c/{conversation}/rename", {"title": "The sky"}, htmx=True)
        page.swap("body", "none", renamed.text)
        fresh = browser.page("/history")
        assert str(page.one("#history")) == str(fresh.one("#history"))

    def test_after_a_deletion_and_its_undo_in_the_history(self, browser: Browser) -> None:
        conversation = browser.talk()
        page = browser.page("/history")
        entry = f"#history-{conversation}"
        page.swap(entry, "outerHTML", browser.post(f"/c/{conversation}/delete", htmx=True).text)
        undo = page.one(f"{entry} form")
        page.swap(entry, "outerHTML", browser.post(str(undo["action"]), htmx=True).text)
        fresh = browser.page("/history")
        assert str(page.one("#history")) == str(fresh.one("#history"))

    def test_after_older_messages_came(self, app: Flask, browser: Browser) -> None:
        with app.app_context():
            conversation = factories.conversation(factories.owner_of(browser.client), 120)
        page = browser.page(f"/c/{conversation}")
        assert len(page.tree.select(".message")) == 50
        while link := page.tree.select_one("#older a"):
            more = browser.get(str(link["hx-get"]), headers=HTMX).text
            page.swap("#older", "outerHTML", more)
        assert [each["id"] for each in page.tree.select(".message")] == [
            f"message-{position}" for position in range(1, 121)
        ]


def test_a_page_of_older_messages_opens_by_itself(app: Flask, browser: Browser) -> None:
    with app.app_context():
        conversation = factories.conversation(factories.owner_of(browser.client), 120)
    page = browser.page(f"/c/{conversation}/messages?before=71")
    positions = [each["id"] for each in page.tree.select(".message")]
    assert positions == [f"message-{position}" for position in range(21, 71)]
    assert page.one("#composer")


@pytest.mark.parametrize("before", ["", "x", "-1", "0", "1", "9" * 30, "²", "1e3", "٣", "1 or 1"])
def test_a_malformed_cursor_of_messages_is_no_fault(browser: Browser, before: str) -> None:
    conversation = browser.talk()
    response = browser.get(f"/c/{conversation}/messages", query_string={"before": before})
    assert response.status_code in {200, 404}


@pytest.mark.parametrize(
    "before", ["x", "20260101T000000.0-zz", "-", "99999999T999999.9-" + "0" * 32, "\0", "0" * 5000]
)
def test_a_malformed_cursor_of_conversations_is_the_first_page(
    browser: Browser, before: str
) -> None:
    conversation = browser.talk()
    assert (
        f"history-{conversation}" in browser.get("/history", query_string={"before": before}).text
    )
    answer = browser.get("/c", query_string={"before": before}, headers=HTMX)
    assert f"conversation-{conversation}" in answer.text


def test_the_side_list_grows_by_pages(app: Flask, browser: Browser) -> None:
    with app.app_context():
        factories.conversations(factories.owner_of(browser.client), 120)
    page = browser.page()
    while link := page.tree.select_one("#conversations-more a"):
        more = browser.get(str(link["hx-get"]), headers=HTMX)
        page.swap("#conversations-more", "outerHTML", more.text)
    titles = [each.text for each in page.tree.select("#conversations .row-title")]
    assert titles == [f"Talk {number}" for number in range(119, -1, -1)]
    assert browser.get("/c").location == "/history"


def test_the_history_grows_by_pages(app: Flask, browser: Browser) -> None:
    with app.app_context():
        factories.conversations(factories.owner_of(browser.client), 120)
    seen: list[str] = []
    address: str | None = "/history"
    while address:
        page = browser.page(address)
        seen += [each.text for each in page.tree.select("#history .entry-link")]
        link = page.tree.select_one("#history-more a")
        address = str(link["href"]) if link else None
    assert seen == [f"Talk {number}" for number in range(119, -1, -1)]


def test_an_empty_history_says_how_to_begin(browser: Browser) -> None:
    assert browser.page("/history").one("#history a")["href"] == "/"


class TestWithoutScripts:
    def test_a_further_question(self, browser: Browser) -> None:
        conversation = browser.talk()
        response = browser.post(f"/c/{conversation}/messages", {"text": "And at night?"})
        assert response.status_code == 303
        assert response.location == f"/c/{conversation}#message-3"

    def test_a_stop(self, browser: Browser, model: ScriptedModel) -> None:
        model.script = Script(do="stall", after=2)
        conversation = browser.begin()
        response = browser.post(f"/c/{conversation}/messages/2/stop")
        assert (response.status_code, response.location) == (303, f"/c/{conversation}#message-2")

    def test_another_try(self, browser: Browser) -> None:
        conversation = browser.begin("Why? [[script: prose]]")
        browser.ended(conversation)
        response = browser.post(f"/c/{conversation}/messages/2/retry", {"request_id": uuid4()})
        assert (response.status_code, response.location) == (303, f"/c/{conversation}#message-3")

    def test_rename_delete_undo(self, browser: Browser) -> None:
        conversation = browser.talk()
        renamed = browser.post(f"/c/{conversation}/rename", {"title": " The\n sky "})
        assert (renamed.status_code, renamed.location) == (303, f"/c/{conversation}")
        assert browser.page(renamed.location).one("#title").text == "The sky"
        deleted = browser.post(f"/c/{conversation}/delete")
        assert deleted.status_code == 303
        page = browser.page(deleted.location)
        assert not page.tree.select(f"#conversation-{conversation}")
        assert browser.get(f"/c/{conversation}").status_code == 404
        restored = browser.post(str(page.one("#deleted form")["action"]))
        assert (restored.status_code, restored.location) == (303, f"/c/{conversation}")
        assert browser.page(restored.location).one("#title").text == "The sky"


@pytest.mark.parametrize("deleted", ["", "x", "e7095102-52f3-41a6-b7f1-08849fc4ec74", "0" * 4000])
def test_an_unknown_deletion_is_not_offered_back(browser: Browser, deleted: str) -> None:
    response = browser.get("/", query_string={"deleted": deleted})
    assert response.status_code == 200
    assert not parsed(response.text).select("#deleted")


def test_another_persons_deletion_is_not_offered_back(
    browser: Browser, stranger_browser: Browser
) -> None:
    conversation = browser.talk()
    address = browser.post(f"/c/{conversation}/delete").location
    assert browser.page(address).one("#deleted")
    assert not stranger_browser.page(address).tree.select("#deleted")


def test_health_says_how_the_database_is(browser: Browser) -> None:
    response = browser.get("/health")
    assert response.status_code == 200
    report = response.get_json()
    assert report["status"] == report["database"]["status"] == "pass"
    assert set(report["database"]) <= {"status", "kind", "milliseconds", "reason"}
    assert browser.get("/livez").get_json() == {"status": "pass"}


def test_a_thousand_looks_at_health_are_one_at_the_database(
    browser: Browser, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look = app.extensions["look"]
    original = look._look
    monkeypatch.setattr(look, "_look", lambda: (looks.append(1), original())[1])
    for _ in range(50):
        assert browser.get("/health").status_code == 200
    assert len(looks) <= 2


def test_the_stream_of_an_ended_answer_is_its_end(browser: Browser) -> None:
    conversation = browser.talk()
    *unnamed, done = events(browser.get(stream_of(conversation)).text)
    assert done == {"event": "done", "data": ""}
    assert len(unnamed) == 1


def test_an_answer_to_a_question_brings_what_another_tab_asked(browser: Browser) -> None:
    conversation = browser.talk("First?")
    tab = browser.page(f"/c/{conversation}")
    browser.ask(conversation, "Asked in another tab?")
    browser.ended(conversation, 4)

    form = {
        "text": "And in this one?", "request_id": uuid4(),
        "shown": tab.one("#composer [name=shown]")["value"],
    }  # fmt: skip
    answer = browser.post(f"/c/{conversation}/messages", form, htmx=True)
    tab.swap("#messages", "beforeend", answer.text)

    shown = [each["id"] for each in tab.tree.select("#messages .message")]
    assert shown == [f"message-{position}" for position in range(1, 7)]
    assert tab.one("#composer [name=shown]")["value"] == "6"
