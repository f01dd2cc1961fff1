"""Addresses and methods that are not there, not yours, or not meant for this.

A refusal stores nothing. Behind each test is its row in the list of bad input (A30 and so on).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb.models import Conversation
from tests import factories
from tests.blueprints.browser import HTMX, Browser, anonymous, stream_of
from tests.scripted_model import Script, ScriptedModel

Stored = Callable[[], list[Any]]

READS = ["/c/{c}", "/c/{c}/messages?before=2", "/c/{c}/messages/{n}/stream"]
WRITES = [
    "/c/{c}/messages", "/c/{c}/messages/{n}/stop", "/c/{c}/messages/{n}/retry", "/c/{c}/rename",
    "/c/{c}/delete", "/c/{c}/restore",
]  # fmt: skip
FORM = {"text": "a", "title": "a", "seen": "0", "request_id": str(uuid4())}


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_what_is_somebody_elses_is_nothing(
    browser: Browser, theirs: UUID, stored: Stored, headers: dict[str, str]
) -> None:
    """A30: it looks as what is not there, byte for byte."""
    before = stored()

    def answers(conversation: UUID) -> list[tuple[Any, ...]]:
        found = []
        for template in READS + WRITES:
            way = {"method": "POST", "data": FORM} if template in WRITES else {"method": "GET"}
            address = template.format(c=conversation, n=2)
            response = browser.client.open(address, headers=headers, **way)
            body = anonymous(response.text.replace(str(conversation), "…"))
            cookie = response.headers.get("Set-Cookie", "").split("; ")
            own = {
                "X-Request-ID": "…",
                "Set-Cookie": [each for each in cookie if "Exp" not in each],
            }
            found.append((response.status_code, body, dict(response.headers) | own))
        return found

    there, nowhere = answers(theirs), answers(uuid4())

    assert there == nowhere
    assert {status for status, *_ in there} == {404}
    assert stored() == before


def test_an_id_that_is_malformed_is_nothing(browser: Browser, mine: UUID, stored: Stored) -> None:
    before = stored()
    malformed = [
        "x", "0", "-1", "%00", mine.hex, f"{mine}0", f"{mine}%20", f"{{{mine}}}",
        f"urn:uuid:{mine}", "1" * 5000, "²", "*", "{{7*7}}",
    ]  # fmt: skip

    for id in malformed:
        for template in READS:
            assert browser.get(template.format(c=id, n=2)).status_code == 404, id
        for template in WRITES:
            assert browser.post(template.format(c=id, n=2), FORM).status_code == 404, id
    assert stored() == before


def test_a_message_that_is_not_there_is_nothing(
    app: Flask, browser: Browser, mine: UUID, stored: Stored
) -> None:
    """A32: even where another conversation of the same person has one at that position."""
    with app.app_context():
        factories.conversation(factories.owner_of(browser.client), 120)
    before = stored()
    numbers = [0, -1, 3, 99, 2**31 - 1, 2**31, 2**63, 2**200]

    for position in [*map(str, numbers), "9" * 5000, "1.5", "²", "٣", "x", "%00", "1e0"]:
        assert browser.get(f"/c/{mine}/messages/{position}/stream").status_code == 404, position
        for act in ("stop", "retry"):
            address = f"/c/{mine}/messages/{position}/{act}"
            assert browser.post(address, FORM).status_code == 404, position
            assert browser.post(address, FORM, htmx=True).status_code == 404, position
    assert stored() == before


def test_a_question_cannot_be_tried_again(browser: Browser, mine: UUID, stored: Stored) -> None:
    before = stored()

    assert browser.post(f"/c/{mine}/messages/1/retry", FORM).status_code == 404
    assert stored() == before


TRAVERSALS = [
    "../wsgi.py", "../../etc/passwd", "..%2fwsgi.py", "%2e%2e/wsgi.py", "%252e%252e/wsgi.py",
    "..\\wsgi.py", "..;/wsgi.py", "\xc0\xae\xc0\xae/wsgi.py", "/etc/passwd", "//etc/passwd",
    "chatweb.css\x00.js", "", ".", "..", "vendor", "vendor/", "vendor/../../wsgi.py",
    "....//wsgi.py", "a/" * 3000, "a" * 300, "C:\\x", "~root/x", "\ud800",
]  # fmt: skip


def test_a_file_that_is_not_for_everybody_is_nothing(browser: Browser) -> None:
    """A59: as a server hands paths over, unquoted, and what was quoted twice."""
    assert browser.get("/static/chatweb.css").status_code == 200
    for path in TRAVERSALS:
        raw = f"/static/{path}".encode(errors="surrogatepass").decode("latin-1")
        response = browser.get("/", environ_overrides={"PATH_INFO": raw})
        if response.status_code == 308:  # slashes are merged, on this site
            assert response.location.startswith("http://localhost/static/")
            response = browser.get(response.location)
        assert response.status_code == 404, path
        assert "create_app" not in response.text
        assert "root:" not in response.text


def test_nothing_changes_by_a_get(
    browser: Browser, mine: UUID, stored: Stored, posts: list[str]
) -> None:
    """A39; what only changes something says that it is there for a POST."""
    before = stored()
    both = {"/c", f"/c/{mine}/messages", "/tokens"}
    no_question = f"/c/{mine}/messages/2/edit"
    assert len(posts) >= 7

    for address in posts:
        for method in ("GET", "HEAD"):
            response = browser.client.open(address, method=method, query_string=FORM)
            if address in both:
                assert response.status_code in {200, 303}
            elif address == no_question:
                assert response.status_code == 404
            else:
                assert response.status_code == 405
                assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    assert stored() == before


def test_other_methods_are_refused(
    browser: Browser, mine: UUID, stored: Stored, posts: list[str]
) -> None:
    """A38; in the words of the page, and saying what is possible."""
    before = stored()

    for address in ("/", "/history", f"/c/{mine}", stream_of(mine), "/health", *posts):
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "CONNECT", "BREW"):
            response = browser.client.open(address, method=method)
            assert response.status_code == 405, (method, address)
            assert response.headers["Allow"]
    assert stored() == before


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}},
        {"data": {"_method": "DELETE", "title": "a"}},
        {"query_string": {"_method": "DELETE", "method": "DELETE"}},
    ],
    ids=["header", "field", "parameter"],
)
def test_a_method_is_what_it_says(
    browser: Browser, mine: UUID, rows: Callable[[type[Any]], list[Any]], options: dict[str, Any]
) -> None:
    """A38: a rename that claims to be something else is a rename."""
    response = browser.client.post(f"/c/{mine}/rename", **options)

    assert response.status_code == 303
    assert [row.status for row in rows(Conversation)] == ["active"]
    assert browser.client.get(f"/c/{mine}", **options).status_code == 200
    assert [row.status for row in rows(Conversation)] == ["active"]


def test_a_head_is_a_page_without_its_body(
    app: Flask, browser: Browser, mine: UUID, stored: Stored
) -> None:
    before = stored()

    for address in ("/", "/history", f"/c/{mine}", "/livez", "/health", "/static/chatweb.css"):
        head, page = browser.client.head(address), browser.get(address)
        assert (head.status_code, head.data) == (page.status_code, b"")
        assert set(head.headers.keys()) == set(page.headers.keys())
    assert stored() == before


def test_a_head_of_a_stream_does_not_wait_for_the_answer(
    browser: Browser, model: ScriptedModel
) -> None:
    model.script = Script(do="stall")
    conversation = browser.begin()

    head = browser.client.head(stream_of(conversation))

    assert (head.status_code, head.data) == (200, b"")
    assert head.mimetype == "text/event-stream"
    browser.post(f"/c/{conversation}/messages/2/stop")
