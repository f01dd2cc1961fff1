"""The page of tokens: made by form, told once, revoked, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from chatweb.models import Token
from chatweb.services import tokens
from tests import factories
from tests.blueprints.browser import Browser, anonymous
from tests.blueprints.live_page import LivePage, parsed

Rows = Callable[[type[Any]], list[Any]]
Log = Callable[[], list[str]]

WORDS = "canary-in-a-name"
WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["form", "htmx"])


def form(**fields: Any) -> dict[str, Any]:
    usual = {"name": "Backup", "scope": "read", "days": "30", "request_id": str(uuid4())}
    return {**usual, **fields}


def make(browser: Browser, *, htmx: bool = False, **fields: Any) -> str:
    """Make a token; its secret, as the answer shows it."""
    response = browser.post("/tokens", form(**fields), htmx=htmx)
    assert response.status_code == 201, response.text
    (secret,) = parsed(response.text).select("#secret")
    return str(secret["value"])


def listed(html: str) -> list[str]:
    return [each.get_text() for each in parsed(html).select(".token-name")]


def filled_in(html: str) -> dict[str, str]:
    """What the form on a page would send."""
    tree = parsed(html)
    (scope,) = tree.select("[name=scope][checked]") or [{"value": ""}]
    (days,) = tree.select("[name=days] [selected]") or [{"value": ""}]
    name, request_id = tree.select_one("[name=name]"), tree.select_one("[name=request_id]")
    assert name
    assert request_id
    return {
        "name": str(name["value"]), "scope": str(scope["value"]), "days": str(days["value"]),
        "request_id": str(request_id["value"]),
    }  # fmt: skip


def id_of(rows: Rows, name: str = "Backup") -> int:
    (found,) = [row.id for row in rows(Token) if row.name == name]
    return int(found)


class TestThePage:
    def test_is_led_to_from_every_page_and_says_where_one_is(self, browser: Browser) -> None:
        here = browser.page("/tokens").one('.side-foot a[href="/tokens"]')
        there = browser.page("/").one('.side-foot a[href="/tokens"]')

        assert here["aria-current"] == "page"
        assert "aria-current" not in there.attrs

    def test_without_any_invites(self, browser: Browser) -> None:
        page = browser.page("/tokens")

        assert "None yet" in page.one("#token-list").get_text()
        assert filled_in(str(page.tree)) | {"request_id": ""} == {
            "name": "", "scope": "read", "days": "90", "request_id": "",
        }  # fmt: skip

    def test_leaves_nothing_in_the_database(
        self, browser: Browser, stored: Callable[[], list[Any]]
    ) -> None:
        before = stored()
        browser.page("/tokens")
        assert stored() == before

    def test_tells_of_each_what_it_may_and_how_it_is(self, app: Flask, browser: Browser) -> None:
        secret = make(browser, name="used", scope="write", days="never")
        make(browser, name="not used")
        with app.app_context():
            tokens.recognise(secret)

        facts = [
            each.get_text(" ") for each in parsed(browser.get("/tokens").text).select(".facts")
        ]

        assert ["not used yet" in each for each in facts] == [True, False]
        assert ["may read and write" in each for each in facts] == [False, True]
        assert ["good until it is revoked" in each for each in facts] == [False, True]

    def test_says_which_has_expired(self, app: Flask, browser: Browser) -> None:
        make(browser)
        make(browser, name="later")
        with app.app_context():
            factories.set_token("Backup", expires_at=factories.LONG_AGO)

        page = browser.page("/tokens")

        assert listed(str(page.tree)) == ["later", "Backup"]
        assert len(page.tree.select(".expired")) == 1
        assert page.one(".token:last-child .expired")

    def test_shows_names_as_they_are(self, browser: Browser) -> None:
        name = """"><script>alert(1)</script>{{7*7}}'&amp;"""

        response = browser.post("/tokens", form(name=name))

        assert listed(response.text) == [name]
        assert name in parsed(response.text).select_one("#made-title").get_text()  # type: ignore[union-attr]
        assert not parsed(response.text).select("main script")


@pytest.fixture
def talkative(make_app: Callable[..., Flask], database_url: str) -> Browser:
    """An application that logs all it can."""
    app = make_app(DATABASE_URL=database_url, LOG_LEVEL="DEBUG", DATABASE_ECHO="true")
    browser = Browser(app.test_client())
    browser.get()
    return browser


class TestASecret:
    @WAYS
    def test_stands_for_whoever_made_it(self, app: Flask, browser: Browser, htmx: bool) -> None:
        secret = make(browser, htmx=htmx, scope="write")

        with app.app_context():
            holder = tokens.recognise(secret)
        assert holder
        assert holder.may_write
        assert holder.owner.id == factories.owner_of(browser.client).id

    @WAYS
    def test_is_shown_once(self, browser: Browser, htmx: bool) -> None:
        secret = make(browser, htmx=htmx)
        other = browser.post("/tokens", form(name="another"), htmx=htmx).text

        for page in (browser.get("/tokens").text, browser.get("/").text, other):
            assert secret not in page
        assert not parsed(browser.get("/tokens").text).select("#made, #secret")

    def test_can_be_selected_and_copied(self, browser: Browser) -> None:
        page = LivePage(browser.post("/tokens", form()).text)

        assert "readonly" in page.one("#secret").attrs
        assert "not be shown again" in page.one("label[for=secret]").get_text()
        assert page.one(".copy")["data-copy"] == "secret"

    @pytest.mark.parametrize(
        ("days", "life"), [("30", 30), ("90", 90), ("365", 365), ("never", None)]
    )
    def test_is_good_for_as_long_as_was_chosen(
        self, browser: Browser, rows: Rows, days: str, life: int | None
    ) -> None:
        make(browser, days=days)

        (row,) = rows(Token)
        assert (row.expires_at and (row.expires_at - row.created_at).days) == life

    def test_and_its_name_are_in_no_log(self, talkative: Browser, log: Log) -> None:
        secret = make(talkative, name=WORDS, scope="write")
        program = talkative.client.application.test_client()
        shown = {"Authorization": f"Bearer {secret}"}

        answers = [
            program.get("/api/v1/conversations", headers=shown),
            program.post("/api/v1/conversations", json=[], headers=shown),
            program.get("/api/v1/conversations?limit=x", headers=shown),
            talkative.post("/tokens", form(name=WORDS, scope=secret)),
            talkative.post("/tokens/1/revoke"),
            program.get("/api/v1/conversations", headers=shown),
        ]

        assert [each.status_code for each in answers] == [200, 422, 422, 422, 303, 401]
        lines = log()
        assert [line for line in lines if "INSERT INTO token" in line]
        for line in lines:
            assert isinstance(json.loads(line), dict)
        for hidden in (secret, secret.removeprefix("chatweb_"), WORDS):
            assert hidden not in "\n".join(lines)


class TestTheSameForm:
    """A reload of the answer sends it again."""

    def test_makes_no_second_one_and_says_so(self, browser: Browser, rows: Rows) -> None:
        sent = form()
        browser.post("/tokens", sent)

        again = browser.post("/tokens", sent)

        assert again.status_code == 422
        assert not parsed(again.text).select("#secret")
        said = parsed(again.text).select_one("#refused")
        assert said
        assert "“Backup” already" in said.get_text()
        assert len(rows(Token)) == 1

    def test_can_be_sent_on_purpose_from_where_that_is_said(
        self, browser: Browser, rows: Rows
    ) -> None:
        sent = form()
        browser.post("/tokens", sent)
        offered = filled_in(browser.post("/tokens", sent).text)

        assert offered["request_id"] != sent["request_id"]
        assert offered | {"request_id": ""} == sent | {"request_id": ""}
        assert browser.post("/tokens", offered).status_code == 201
        assert len(rows(Token)) == 2

    def test_can_be_sent_on_purpose_with_htmx_too(self, browser: Browser, rows: Rows) -> None:
        page = browser.page("/tokens")
        sent = form(request_id=filled_in(str(page.tree))["request_id"])
        browser.post("/tokens", sent)

        refused = browser.post("/tokens", sent, htmx=True)
        page.swap("#notice", "innerHTML", refused.text)

        assert refused.status_code == 422
        assert refused.headers["HX-Retarget"] == "#notice"
        assert "already" in page.one(".notice-text").get_text()
        fresh = filled_in(str(page.tree))["request_id"]
        assert fresh != sent["request_id"]
        assert browser.post("/tokens", sent | {"request_id": fresh}).status_code == 201

    @pytest.mark.parametrize("request_id", ["x", "0" * 400])
    def test_has_an_id_that_is_one(self, browser: Browser, rows: Rows, request_id: str) -> None:
        response = browser.post("/tokens", form(request_id=request_id))

        assert response.status_code == 422
        offered = filled_in(response.text)
        assert offered["name"] == "Backup"
        assert browser.post("/tokens", offered).status_code == 201
        assert len(rows(Token)) == 1


REFUSED = [
    ({"name": " \u200b"}, "Give the token a name"),
    ({"scope": "admin"}, "may read, or read and write"),
    ({"scope": ""}, "may read, or read and write"),
    ({"days": "0"}, "1 to 3660 days"),
    ({"days": ""}, "1 to 3660 days"),
    ({"days": "9" * 400}, "1 to 3660 days"),
    ({"days": "-30"}, "1 to 3660 days"),
    ({"days": "Never"}, "1 to 3660 days"),
]


class TestAFormThatIsRefused:
    @pytest.mark.parametrize(("fields", "sentence"), REFUSED, ids=str)
    def test_says_why_and_is_kept_as_it_was(
        self, browser: Browser, rows: Rows, fields: dict[str, str], sentence: str
    ) -> None:
        typed = form(scope="write", days="365") | fields

        response = browser.post("/tokens", typed)

        assert response.status_code == 422
        assert sentence in parsed(response.text).select_one("#refused").get_text()  # type: ignore[union-attr]
        assert filled_in(response.text)["name"] == typed["name"]
        assert filled_in(response.text)["request_id"] == typed["request_id"]
        for chosen, offered in (("scope", {"read", "write"}), ("days", {"365"})):
            kept = typed[chosen] if typed[chosen] in offered else ""
            assert filled_in(response.text)[chosen] == kept
        assert rows(Token) == []

    @pytest.mark.parametrize(("fields", "sentence"), REFUSED[:2], ids=str)
    def test_is_left_alone_by_htmx(
        self, browser: Browser, rows: Rows, fields: dict[str, str], sentence: str
    ) -> None:
        response = browser.post("/tokens", form() | fields, htmx=True)

        assert response.status_code == 422
        assert response.headers["HX-Retarget"] == "#notice"
        assert sentence in response.text
        assert not parsed(response.text).select("form, hx-partial")
        assert rows(Token) == []

    def test_with_fields_left_out_makes_nothing(self, browser: Browser, rows: Rows) -> None:
        for left_out in ("name", "scope", "days"):
            fields = form()
            del fields[left_out]
            assert browser.post("/tokens", fields).status_code == 422
        assert rows(Token) == []

    @WAYS
    def test_for_there_are_too_many_says_so(self, app: Flask, browser: Browser, htmx: bool) -> None:
        with app.app_context():
            for number in range(tokens.MOST):
                tokens.make(factories.owner_of(browser.client), f"number {number}", "read", 1)

        response = browser.post("/tokens", form(), htmx=htmx)

        assert response.status_code == 409
        assert "50 tokens already" in response.text
        assert htmx or filled_in(response.text)["name"] == "Backup"


class TestRevoking:
    @WAYS
    def test_ends_it(self, app: Flask, browser: Browser, rows: Rows, htmx: bool) -> None:
        secret = make(browser)

        response = browser.post(f"/tokens/{id_of(rows)}/revoke", htmx=htmx)

        assert response.status_code == (200 if htmx else 303)
        assert htmx or response.location == "/tokens"
        assert listed(browser.get("/tokens").text) == []
        with app.app_context():
            assert tokens.recognise(secret) is None

    def test_says_so_in_place_of_the_list(self, browser: Browser, rows: Rows) -> None:
        make(browser)
        make(browser, name="another")
        page = browser.page("/tokens")

        page.swap(
            "#token-list", "outerHTML",
            browser.post(f"/tokens/{id_of(rows)}/revoke", htmx=True).text,
        )  # fmt: skip

        assert "Revoked “Backup”" in page.one("#revoked").get_text()
        page.one("#revoked").decompose()
        assert page.same_as(browser.get("/tokens").text)

    @WAYS
    def test_of_anothers_is_as_of_none(
        self, app: Flask, browser: Browser, stranger_browser: Browser, rows: Rows, htmx: bool
    ) -> None:
        secret = make(stranger_browser, name="theirs")
        token_id = id_of(rows, "theirs")

        theirs = browser.post(f"/tokens/{token_id}/revoke", htmx=htmx)
        none = browser.post(f"/tokens/{token_id + 1}/revoke", htmx=htmx)

        assert theirs.status_code == none.status_code == 404
        assert anonymous(theirs.text) == anonymous(none.text)
        with app.app_context():
            assert tokens.recognise(secret)

    def test_happens_once(self, browser: Browser, rows: Rows) -> None:
        make(browser)
        address = f"/tokens/{id_of(rows)}/revoke"

        assert [browser.post(address).status_code for _ in range(2)] == [303, 404]

    @pytest.mark.parametrize("token_id", ["0", "2147483647", "2147483648", "9" * 30, "-1", "x"])
    def test_of_what_cannot_be_is_as_of_none(self, browser: Browser, token_id: str) -> None:
        assert browser.post(f"/tokens/{token_id}/revoke").status_code == 404

    def test_is_no_matter_of_looking(self, browser: Browser, rows: Rows) -> None:
        make(browser)

        assert browser.get(f"/tokens/{id_of(rows)}/revoke").status_code == 405
        assert len(listed(browser.get("/tokens").text)) == 1


def test_a_page_after_making_one_with_htmx_is_as_after_a_reload(browser: Browser) -> None:
    page = browser.page("/tokens")

    page.swap("#tokens", "outerHTML", browser.post("/tokens", form(), htmx=True).text)

    page.one("#made").decompose()
    assert page.same_as(browser.get("/tokens").text)


def test_others_tokens_are_not_listed(browser: Browser, stranger_browser: Browser) -> None:
    make(stranger_browser, name="theirs")
    make(browser)

    assert listed(browser.get("/tokens").text) == ["Backup"]
