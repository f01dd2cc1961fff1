"""From where a browser's page may use the interface: nowhere else than here, unless it is named,
and never by its visitor's cookie."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from chatweb.models import Conversation
from tests.blueprints.api.program import ALL, Program, error
from tests.blueprints.browser import Browser

FRIEND = "https://app.example.org"
FOE = "https://evil.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
}
CROSS = {"Sec-Fetch-Site": "cross-site"}


def allowed(response: Any) -> dict[str, str]:
    return {
        name: value
        for name, value in response.headers.items()
        if name.lower().startswith("access-control-")
    }


@pytest.fixture
def friendly(serving: Any) -> Flask:
    app: Flask = serving(API_ORIGINS=f"{FRIEND}, https://other.example.org:8443")
    return app


def test_unless_it_is_asked_for_there_is_none(program: Program, rows: Any) -> None:
    for headers in ({"Origin": FRIEND}, {"Origin": FRIEND} | CROSS):
        assert allowed(program.send("GET", ALL, headers=headers)) == {}
        assert allowed(program.send("OPTIONS", ALL, headers=headers | PREFLIGHT)) == {}
        refused = program.send("POST", ALL, {}, headers=headers)
        error(refused, 403, "forbidden")
        assert allowed(refused) == {}
    assert rows(Conversation) == []


def test_a_preflight_is_answered_to_who_shows_nothing(friendly: Flask, rows: Any) -> None:
    program = Program(friendly.test_client(), {})
    for path in (ALL, f"{ALL}/00000000-0000-4000-8000-000000000000/messages", "/v1/models"):
        asked = program.send("OPTIONS", path, headers={"Origin": FRIEND} | CROSS | PREFLIGHT)
        assert asked.status_code == 200
        told = allowed(asked)
        assert told["Access-Control-Allow-Origin"] == FRIEND
        assert "Access-Control-Allow-Credentials" not in told
        assert "POST" in told["Access-Control-Allow-Methods"]
        named = told["Access-Control-Allow-Headers"].lower()
        assert all(each in named for each in ("authorization", "content-type", "idempotency-key"))
        assert "Set-Cookie" not in asked.headers


def test_a_page_that_is_named_may_use_openais_own_client(friendly: Flask) -> None:
    """It says with each request what it is, names its conversation, and is told of it."""
    sent = (
        "authorization, content-type, openai-organization, user-agent, x-conversation-id, "
        "x-stainless-arch, x-stainless-lang, x-stainless-retry-count, x-stainless-timeout"
    )
    program = Program(friendly.test_client(), {})
    asked = program.send(
        "OPTIONS", "/v1/chat/completions",
        headers={"Origin": FRIEND, "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": f"{sent}, x-anything"},
    )  # fmt: skip
    assert allowed(asked)["Access-Control-Allow-Headers"] == sent

    told = allowed(program.send("GET", "/v1/models", headers={"Origin": FRIEND}))
    exposed = told["Access-Control-Expose-Headers"]
    assert {"X-Conversation-ID", "X-Should-Retry"} <= set(exposed.split(", "))


def test_a_page_that_is_named_asks_as_what_it_shows(friendly: Flask) -> None:
    program = Program(friendly.test_client())
    program.headers |= {"Origin": FRIEND} | CROSS
    made = program.send("POST", ALL, {"title": "From afar"})
    assert made.status_code == 201
    told = allowed(made)
    assert told["Access-Control-Allow-Origin"] == FRIEND
    assert "Access-Control-Allow-Credentials" not in told
    assert "X-Request-ID" in told["Access-Control-Expose-Headers"]
    assert "Origin" in made.headers["Vary"]
    assert program.get(ALL)["items"]


@pytest.mark.parametrize("headers", [{"Origin": FRIEND}, {"Origin": FRIEND} | CROSS])
def test_never_by_the_cookie(friendly: Flask, rows: Any, headers: dict[str, str]) -> None:
    browser = Browser(friendly.test_client())
    browser.get()
    program = Program(browser.client, {})
    assert program.get(ALL) == {"items": [], "next": None}
    for method, body in (("GET", None), ("POST", {})):
        error(program.send(method, ALL, body, headers=headers), 401, "unauthorized")
    assert rows(Conversation) == []


@pytest.mark.parametrize(
    "origin",
    [FOE, "null", f"{FRIEND}.evil.example", "http://app.example.org", f"{FRIEND}:444",
     "https://APP.example.org.evil.example", f"{FOE}/{FRIEND}"],
)  # fmt: skip
def test_one_that_is_not_named_is_refused(friendly: Flask, rows: Any, origin: str) -> None:
    program = Program(friendly.test_client())
    headers = {"Origin": origin} | CROSS
    for method, body in (("POST", {}), ("PATCH", {}), ("DELETE", None)):
        refused = program.send(method, ALL, body, headers=headers)
        assert refused.status_code in {403, 405}
        assert "Access-Control-Allow-Origin" not in refused.headers
    assert "Access-Control-Allow-Origin" not in program.send("GET", ALL, headers=headers).headers
    assert rows(Conversation) == []


def test_pages_are_nobody_elses(friendly: Flask) -> None:
    """What is named may use the interface, not the pages."""
    browser = Browser(friendly.test_client())
    page = browser.get("/", headers={"Origin": FRIEND})
    assert allowed(page) == {}
    posted = browser.post("/c", {"text": "x"}, headers={"Origin": FRIEND} | CROSS)
    assert posted.status_code == 403


def test_our_own_pages_use_it_by_the_cookie(browser: Browser) -> None:
    program = Program(browser.client, {})
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}):
        assert program.send("POST", ALL, {}, headers=headers).status_code == 201
