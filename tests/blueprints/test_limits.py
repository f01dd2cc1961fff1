"""A82: whoever asks too much is told so kindly, by 429, and loses nothing that was typed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from flask import Flask

from chatweb.blueprints.limits import network
from chatweb.models import Draft, Message, QuestionCount, User
from tests.blueprints.browser import Browser, box
from tests.blueprints.live_page import parsed
from tests.scripted_model import Script, ScriptedModel

Rows = Callable[[type[Any]], list[Any]]


@pytest.fixture(autouse=True)
def minute() -> None:
    """No minute ends while a test runs."""
    left = 60 - time.time() % 60
    if left < 15:
        time.sleep(left)


@pytest.fixture
def limited(make_app: Callable[..., Flask], database_url: str, model: ScriptedModel) -> Any:
    """Makes an application with limits, on the test's database."""

    def make(**settings: str) -> Flask:
        return make_app(
            DATABASE_URL=database_url, LLM_BASE_URL=model.base_url, LLM_MODEL="test", **settings
        )

    return make


def new_browser(app: Flask, address: str = "192.0.2.1", **headers: str) -> Browser:
    """One that has no cookie yet."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    for name, value in headers.items():
        client.environ_base[f"HTTP_{name}"] = value
    return Browser(client)


def begin(browser: Browser) -> int:
    """The status of a question."""
    status: int = browser.post("/c", {"text": "Why?", "request_id": uuid4()}).status_code
    return status


def type_in(browser: Browser) -> int:
    """The status of a draft."""
    form = {"text": "Wh", "request_id": uuid4()}
    status: int = browser.post("/draft", form, htmx=True).status_code
    return status


class TestOneTooMany:
    def test_is_told_with_what_was_typed(self, limited: Any, rows: Rows, app: Flask) -> None:
        browser = new_browser(limited(LIMIT_QUESTIONS_PER_MINUTE="1"))
        browser.talk()
        form = {"text": "So much typed\nfor nothing?", "request_id": uuid4()}

        page = browser.post("/c", form)
        fragment = browser.post("/c", form, htmx=True)

        for response in (page, fragment):
            assert response.status_code == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 60
            assert "The limit here is 1 question a minute for each person." in response.text
        assert box(page) == form["text"]
        kept = parsed(page.text).select_one("main form [name=request_id]")
        assert kept
        assert kept["value"] == str(form["request_id"])
        assert fragment.headers["HX-Retarget"] == "#notice"
        assert len(rows(Message)) == 2

    def test_can_be_sent_when_there_is_room_again(self, limited: Any, model: ScriptedModel) -> None:
        model.script = Script(tokens=1000, interval=0.05)
        browser = new_browser(limited(LIMIT_ANSWERS_AT_ONCE="1"))
        first = browser.begin()
        form = {"text": "And this one?", "request_id": uuid4()}
        refused = browser.post("/c", form)
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "5"

        browser.post(f"/c/{first}/messages/2/stop")

        assert browser.post("/c", form).status_code == 303

    @pytest.mark.parametrize("way", ["retry", "edit"])
    def test_is_one_in_whatever_way(self, limited: Any, way: str, rows: Rows, app: Flask) -> None:
        browser = new_browser(limited(LIMIT_QUESTIONS_PER_DAY="1"))
        talk = browser.talk()
        position = {"retry": 2, "edit": 1}[way]

        response = browser.post(f"/c/{talk}/messages/{position}/{way}", {"text": "Otherwise?"})

        assert response.status_code == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 86_400
        assert len(rows(Message)) == 2

    def test_is_one_in_a_conversation_too(self, limited: Any) -> None:
        browser = new_browser(limited(LIMIT_QUESTIONS_PER_DAY="1"))
        talk = browser.talk()

        response = browser.post(f"/c/{talk}/messages", {"text": "And then?"}, htmx=True)

        assert response.status_code == 429

    def test_is_none_where_there_is_no_limit(self, app: Flask) -> None:
        browser = new_browser(app)

        assert {begin(browser) for _ in range(25)} == {303}


class TestAnAddress:
    def test_is_limited_when_the_cookie_is_dropped_each_time(
        self, limited: Any, rows: Rows, app: Flask
    ) -> None:
        served = limited(LIMIT_QUESTIONS_PER_MINUTE="3")

        statuses = [begin(new_browser(served)) for _ in range(6)]

        assert statuses == [303] * 3 + [429] * 3
        assert len(rows(User)) == 3
        assert begin(new_browser(served, "192.0.2.2")) == 303

    def test_is_limited_in_those_who_begin_to_type(
        self, limited: Any, rows: Rows, app: Flask
    ) -> None:
        served = limited(LIMIT_QUESTIONS_PER_MINUTE="3")
        browsers = [new_browser(served) for _ in range(5)]

        first = [type_in(browser) for browser in browsers]
        next_ones = [type_in(browser) for browser in browsers]

        assert first == next_ones == [204] * 3 + [429] * 2
        assert len(rows(User)) == len(rows(Draft)) == 3
        assert type_in(new_browser(served, "192.0.2.2")) == 204

    def test_counts_who_types_first_and_then_asks_as_one_who_asks(self, limited: Any) -> None:
        served = limited(LIMIT_QUESTIONS_PER_MINUTE="2")
        browsers = [new_browser(served) for _ in range(2)]

        assert [type_in(browser) for browser in browsers] == [204] * 2
        assert [begin(browser) for browser in browsers] == [303] * 2

    def test_of_who_is_refused_to_type_is_told_how_long(self, limited: Any) -> None:
        served = limited(LIMIT_QUESTIONS_PER_MINUTE="1")
        type_in(new_browser(served))

        response = new_browser(served).post("/draft", {"text": "Why", "request_id": uuid4()})

        assert response.status_code == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert "The limit here is 1 new visitor a minute from one network." in response.text
        assert box(response) == "Why"

    def test_is_nowhere_to_be_read(self, limited: Any, rows: Rows, app: Flask) -> None:
        begin(new_browser(limited(LIMIT_QUESTIONS_PER_MINUTE="5")))

        kept = b"".join(row.asker for row in rows(QuestionCount))

        assert len(rows(QuestionCount)) == 3
        assert b"192.0.2.1" not in kept
        assert bytes([192, 0, 2, 1]) not in kept

    def test_is_not_what_somebody_says_it_is(self, limited: Any) -> None:
        """A52: nothing is believed without a proxy that is trusted."""
        served = limited(LIMIT_QUESTIONS_PER_MINUTE="1")

        statuses = [
            begin(new_browser(served, X_FORWARDED_FOR=f"198.51.100.{number}"))
            for number in range(3)
        ]

        assert statuses == [303, 429, 429]

    def test_is_what_a_trusted_proxy_says(self, limited: Any) -> None:
        """The last one: what stands before it came from the visitor."""
        served = limited(LIMIT_QUESTIONS_PER_MINUTE="1", TRUSTED_PROXIES="1")

        def through_the_proxy(chain: str) -> int:
            return begin(new_browser(served, "127.0.0.1", X_FORWARDED_FOR=chain))

        assert through_the_proxy("198.51.100.1") == 303
        assert through_the_proxy("198.51.100.2") == 303
        assert through_the_proxy("203.0.113.9, 198.51.100.1") == 429

    @pytest.mark.parametrize(
        ("text", "counted"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:49152", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("::1", "::/64"),
            ("unknown", "unknown"),
            ("", ""),
        ],
    )  # fmt: skip
    def test_counts_as_a_household(self, text: str, counted: str) -> None:
        assert network(text) == counted

    @pytest.mark.parametrize("address", ["", "unknown", "a b", "1.2.3", "[", "::%", "é"])
    def test_that_is_none_stops_nobody(self, limited: Any, address: str) -> None:
        served = limited(LIMIT_QUESTIONS_PER_MINUTE="1")

        assert begin(new_browser(served, address)) == 303


def test_the_page_that_refuses_leads_on(limited: Any) -> None:
    browser = new_browser(limited(LIMIT_QUESTIONS_PER_MINUTE="1"))
    talk = browser.talk()
    page = browser.post(f"/c/{talk}/messages", {"text": "And then?"})

    form = parsed(page.text).select_one("main form")

    assert form
    assert urlsplit(str(form["action"])).path == f"/c/{talk}/messages"
    assert browser.get(f"/c/{talk}").status_code == 200
