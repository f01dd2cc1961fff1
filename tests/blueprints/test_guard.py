"""Who may ask, under which name, and what every answer carries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.test import EnvironBuilder, run_wsgi_app

from chatweb.blueprints import guard
from chatweb.database import writing
from chatweb.models import Login
from tests import factories
from tests.blueprints.browser import HTMX, Browser, stream_of
from tests.blueprints.live_page import parsed

Stored = Callable[[], list[Any]]
FORM = {"text": "a question from elsewhere", "title": "a"}


OURS = [
    {}, {"Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
    # Browsers send it with our own forms under some referrer policies.
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
]  # fmt: skip
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""}, {"Sec-Fetch-Site": "Same-Origin, cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    *({"Origin": each} for each in (
        "null", "", "http://evil.example", "http://localhost:8080", "https://localhost",
        "http://localhost.evil.example", "http://sub.localhost", "http://user@localhost",
        "http://localhost@evil.example", "http://localhost/", "http://localhost/c",
        "http://localhost?", "http://localhost, http://evil.example", "localhost",
        "http://localhost http://evil.example", "file://", "chrome-extension://abc",
    )),
]  # fmt: skip


class TestAChange:
    """A40 to A42: comes from our own pages, or from a program that is no browser."""

    @pytest.mark.parametrize("headers", OURS, ids=str)
    def test_from_here_is_made(self, browser: Browser, mine: UUID, headers: dict[str, str]) -> None:
        response = browser.post(f"/c/{mine}/rename", {"title": "Renamed"}, headers=headers)

        assert response.status_code == 303
        assert browser.page(f"/c/{mine}").one("#title").text == "Renamed"

    def test_from_elsewhere_is_refused(
        self, browser: Browser, stored: Stored, posts: list[str]
    ) -> None:
        before = stored()

        for headers in FOREIGN:
            for address in posts:
                for htmx in (False, True):
                    response = browser.post(address, FORM, headers=headers, htmx=htmx)
                    assert response.status_code == 403, (address, headers)
        assert stored() == before

    def test_from_elsewhere_is_not_offered_to_be_sent_again(self, browser: Browser) -> None:
        response = browser.post("/c", FORM, headers={"Origin": "http://evil.example"})

        assert FORM["text"] not in response.text
        assert not parsed(response.text).select("main form")

    def test_is_not_needed_to_read(self, browser: Browser, mine: UUID) -> None:
        """A link on another site leads here; what it reads there is up to the browser."""
        for headers in FOREIGN:
            assert browser.get(f"/c/{mine}", headers=headers).status_code == 200

    def test_under_another_name_is_compared_with_that_name(self, browser: Browser) -> None:
        here = {"base_url": "http://127.0.0.1:8000"}
        ours, foreign = {"Origin": "http://127.0.0.1:8000"}, {"Origin": "http://localhost:8000"}

        assert browser.post("/c", FORM, headers=ours, **here).status_code == 303
        assert browser.post("/c", FORM, headers=foreign, **here).status_code == 403


class TestTheName:
    """A51."""

    @pytest.fixture
    def named(self, make_app: Callable[..., Flask], database_url: str) -> Browser:
        app = make_app(DATABASE_URL=database_url, TRUSTED_HOSTS="Chat.example.org, .wild.example")
        return Browser(app.test_client())

    @pytest.mark.parametrize(
        "host",
        ["chat.example.org", "chat.example.org:8000", "a.wild.example"],
    )
    def test_is_one_of_ours(self, named: Browser, host: str) -> None:
        assert named.get("/", headers={"Host": host}).status_code == 200

    def test_that_is_not_ours_is_refused_in_plain_words(self, named: Browser) -> None:
        hosts = [
            "evil.example", "localhost", "127.0.0.1", "chat.example.org.evil.example",
            "evilchat.example.org", "chat.example.org@evil.example", "user@chat.example.org",
            "evil.example:chat.example.org", "chat.example.org/evil", "", " ", "[", "::1", "\xff",
            "chat.example.org, evil.example", "chat.example.org:evil",
        ]  # fmt: skip
        for host in hosts:
            for path in ("/", "/c/x", "/static/chatweb.css", "/health"):
                response = named.get(path, headers={"Host": host})
                assert response.status_code == 400, (host, path)
                assert "evil" not in response.text
                assert "could not make sense" in response.text

    def test_is_needed(self, browser: Browser, named: Browser) -> None:
        for each in (browser, named):
            environ = EnvironBuilder("/").get_environ()
            del environ["HTTP_HOST"]
            _, status, _ = run_wsgi_app(each.client.application, environ)
            assert status.startswith("400")

    def test_may_be_any_while_none_is_set(self, browser: Browser) -> None:
        """Only on loopback, as the settings say; and no page and no redirect repeats it."""
        for host in ("evil.example", "localhost:8000", "[::1]:8000"):
            for path in ("/", "/nothing"):
                response = browser.get(path, headers={"Host": host})
                assert response.status_code in {200, 404}
                assert host not in response.text
            asked = browser.post("/c", FORM, headers={"Host": host})
            assert asked.location.startswith("/c/")

    def test_that_is_nonsense_is_no_fault_of_ours(self, browser: Browser) -> None:
        for host in (
            "a b",
            "\xff",
            "[",
            "::1",
            "x" * 5000,
            "a:b:c",
            "a/b?c#d",
            "a\\b",
            "@",
            ":",
            "%00",
        ):
            assert browser.get("/", headers={"Host": host}).status_code in {200, 400}, host


FORGED = {
    "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "chat.example.org", "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": "/evil", "Forwarded": "for=203.0.113.7;proto=https;host=evil.example",
    "X-Scheme": "https", "X-Forwarded-Ssl": "on", "X-Real-IP": "203.0.113.7",
    "X-Original-URL": "/health", "X-Rewrite-URL": "/health", "X-Script-Name": "/evil",
}  # fmt: skip
THROUGH = {"Origin": "https://chat.example.org"}


class TestAProxy:
    """A52."""

    @pytest.fixture
    def proxied(self, make_app: Callable[..., Flask], database_url: str) -> Browser:
        app = make_app(
            DATABASE_URL=database_url, TRUSTED_PROXIES="1", TRUSTED_HOSTS="chat.example.org"
        )
        return Browser(app.test_client())

    def test_that_is_not_set_is_not_believed(self, app: Flask) -> None:
        newcomer = Browser(app.test_client())

        page = newcomer.get("/", headers=FORGED)

        assert page.headers["Set-Cookie"].startswith("chatweb=")
        assert "Secure" not in page.headers["Set-Cookie"]
        assert "Strict-Transport-Security" not in page.headers
        assert parsed(page.text).select_one("#composer")["action"] == "/c"  # type: ignore[index]
        refused = newcomer.post("/c", FORM, headers=FORGED | THROUGH)
        assert refused.status_code == 403

    def test_that_is_set_is_believed(self, proxied: Browser) -> None:
        page = proxied.get("/", headers=FORGED)

        assert page.status_code == 200
        assert page.headers["Set-Cookie"].startswith("__Host-chatweb=")
        assert "Secure" in page.headers["Set-Cookie"]
        assert page.headers["Strict-Transport-Security"]
        assert parsed(page.text).select_one("#composer")["action"] == "/c"  # type: ignore[index]
        assert proxied.post("/c", FORM, headers=FORGED | THROUGH).status_code == 303

    def test_is_believed_only_as_far_as_it_is_ours(self, proxied: Browser) -> None:
        """What came before the last value was written by whoever asked."""
        chained = {"X-Forwarded-Host": "chat.example.org, evil.example"}

        assert proxied.get("/", headers=FORGED | chained).status_code == 400
        assert proxied.get("/", headers={"X-Forwarded-Host": "evil.example"}).status_code == 400
        assert proxied.get("/").status_code == 400  # as localhost, past the proxy


class TestACookie:
    """A47, A48, A50: a browser is who its cookie says, and nothing else says who it is."""

    def visit(self, app: Flask, mine: UUID, cookie: str, **options: Any) -> tuple[Any, Any]:
        """Somebody with this cookie header: their page, and what they see of ``mine``."""
        headers = {"Cookie": cookie}
        client = app.test_client(use_cookies=False)
        return (
            client.get("/", headers=headers, **options),
            client.get(f"/c/{mine}", headers=headers, **options),
        )

    def test_that_is_not_whole_is_a_new_guest(
        self, app: Flask, browser: Browser, mine: UUID, rows: Callable[[Any], list[Any]]
    ) -> None:
        cookie = browser.client.get_cookie("chatweb")
        assert cookie
        token, (login,) = cookie.value, rows(Login)
        other = "A" if token[0] != "A" else "B"
        assert self.visit(app, mine, f"chatweb={token}")[1].status_code == 200

        for value in (
            other + token[1:], token[:-1], token + "A", token[:20], "", "x", "=" * 43, "A" * 43,
            token + "\xff", f'"{token}', token.swapcase(), "x" * 8192, f"{token}.{token}",
            "%00" * 43, "ÿ" * 43, str(login.user_id), login.token_hash.hex(), "{{7*7}}",
        ):  # fmt: skip
            sent = f"chatweb={value}".encode().decode("latin-1")
            page, conversation = self.visit(app, mine, sent)
            assert (page.status_code, conversation.status_code) == (200, 404), value
            given = re.match(r"chatweb=([A-Za-z0-9_-]{43});", page.headers["Set-Cookie"])
            assert given
            assert given[1] != token

    def test_that_was_revoked_is_a_new_guest(
        self, app: Flask, browser: Browser, mine: UUID
    ) -> None:
        before = browser.client.get_cookie("chatweb")
        with app.app_context(), writing() as connection:
            connection.execute(update(Login).values(revoked_at=factories.LONG_AGO))
            connection.commit()

        assert browser.get(f"/c/{mine}").status_code == 404
        after = browser.client.get_cookie("chatweb")
        assert before
        assert after
        assert before.value != after.value

    def test_of_plain_http_is_not_taken_over_https(
        self, app: Flask, browser: Browser, mine: UUID
    ) -> None:
        """Another host of the same domain could have planted it."""
        cookie = browser.client.get_cookie("chatweb")
        assert cookie
        https = {"base_url": "https://localhost"}

        planted = self.visit(app, mine, f"chatweb={cookie.value}", **https)
        own = self.visit(app, mine, f"__Host-chatweb={cookie.value}", **https)

        assert [each.status_code for each in planted] == [200, 404]
        assert [each.status_code for each in own] == [200, 200]

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_is_small_and_out_of_reach_of_scripts_and_other_sites(
        self, app: Flask, scheme: str
    ) -> None:
        given = app.test_client().get("/", base_url=f"{scheme}://localhost").headers["Set-Cookie"]

        name, *attributes = given.split("; ")
        assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"} <= set(attributes)
        assert not [each for each in attributes if each.startswith("Domain")]
        assert ("Secure" in attributes) is name.startswith("__Host-") is (scheme == "https")
        assert len(given) < 250

    def test_is_not_outdone_by_what_a_header_claims(
        self, browser: Browser, stranger_browser: Browser, mine: UUID
    ) -> None:
        cookie = browser.client.get_cookie("chatweb")
        assert cookie
        owner, token = factories.owner_of(browser.client), cookie.value
        names = [
            "X-Forwarded-User", "X-Forwarded-Email", "Remote-User", "X-Remote-User", "X-User-Id",
            "X-Lobe-User", "X-Authenticated-User", "X-Session-ID", "X-Chatweb", "X-Owner-Id",
        ]  # fmt: skip
        for value in (str(owner.id), token):
            headers = dict.fromkeys(names, value)
            for scheme in ("Bearer", "Basic", "Digest"):
                headers["Authorization"] = f"{scheme} {value}"
                response = stranger_browser.get(f"/c/{mine}", headers=headers)
                assert response.status_code == 404


@pytest.fixture
def broken(app: Flask) -> str:
    """An address with a fault of ours behind it."""
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)
    return "/broken"


def answers(browser: Browser, mine: UUID, broken: str) -> dict[str, Any]:
    """One of every kind."""
    missing, elsewhere = "/c/x", {"Origin": "http://evil.example"}
    found = {
        "page": browser.get("/"),
        "conversation": browser.get(f"/c/{mine}"),
        "fragment": browser.get("/c", headers=HTMX),
        "stream": browser.get(stream_of(mine)),
        "redirect": browser.post(f"/c/{mine}/rename", {"title": "a"}),
        "400": browser.get("/", headers={"Host": ""}),
        "403": browser.post("/c", FORM, headers=elsewhere),
        "404": browser.get(missing),
        "404 fragment": browser.get(missing, headers=HTMX),
        "405": browser.post("/history"),
        "413": browser.post("/c", {"text": "x" * 600_000}),
        "415": browser.client.post("/c", json={}),
        "422": browser.post("/c", {"text": ""}),
        "500": browser.get(broken),
        "500 fragment": browser.get(broken, headers=HTMX),
        "health": browser.get("/health"),
        "livez": browser.get("/livez"),
        "options": browser.client.options("/"),
        "static": browser.get("/static/chatweb.css"),
        "static 304": browser.get("/static/chatweb.css", headers={"If-None-Match": "*"}),
        "static 404": browser.get("/static/x.css"),
    }
    assert found["stream"].text  # read to its end
    return found


def test_every_kind_of_answer_is_guarded(broken: str, browser: Browser, mine: UUID) -> None:
    """A87, A88: nothing inline or from elsewhere, no framing, no cache, a number to ask about."""
    found = answers(browser, mine, broken)

    for kind, response in found.items():
        headers = response.headers
        assert {name: headers[name] for name in guard.HEADERS} == guard.HEADERS, kind
        assert re.fullmatch("[0-9a-f]{12}", headers["X-Request-ID"]), kind
        assert "Server" not in headers
        assert "Strict-Transport-Security" not in headers
        if kind not in {"static", "static 304", "static 404"}:
            assert headers["Cache-Control"] == "no-store", kind
            assert {"HX-Request", "Cookie"} <= set(re.split(", *", headers["Vary"])), kind
    assert len({response.headers["X-Request-ID"] for response in found.values()}) == len(found)
    assert {kind: each.status_code for kind, each in found.items() if kind[:3].isdecimal()} == {
        kind: int(kind[:3]) for kind in found if kind[:3].isdecimal()
    }
    assert "max-age=31536000" in found["static"].headers["Cache-Control"]


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = dict(each.partition(" ")[::2] for each in guard.POLICY.split("; "))

    assert policy.pop("default-src") == "'none'"
    assert policy.pop("frame-ancestors") == policy.pop("base-uri") == "'none'"
    assert set(policy.values()) == {"'self'"}
    assert set(policy) >= {"script-src", "style-src", "form-action", "connect-src"}


def test_over_https_browsers_are_told_to_stay_there(browser: Browser) -> None:
    response = browser.get("/", base_url="https://localhost")

    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_number_of_a_request_is_on_its_error_page_and_in_no_hands_but_ours(
    broken: str, browser: Browser, mine: UUID
) -> None:
    """Not on a 404: what is not theirs and what is not there must look the same to the byte."""
    for kind, response in answers(browser, mine, broken).items():
        if "fragment" in kind and response.status_code >= 400:
            numbered = f"Number {response.headers['X-Request-ID']}" in response.text
            assert numbered == (response.status_code == 500)
        elif response.status_code == 404:
            assert response.headers["X-Request-ID"] not in response.text
        elif response.status_code >= 400 and response.mimetype == "text/html" and kind != "400":
            number = parsed(response.text).select_one("main code")
            assert number, kind
            assert number.text == response.headers["X-Request-ID"]
    claimed = browser.get("/", headers={"X-Request-ID": "0123456789ab"})
    assert claimed.headers["X-Request-ID"] != "0123456789ab"


def test_a_fault_of_ours_tells_nothing_about_itself(broken: str, browser: Browser) -> None:
    for headers in ({}, HTMX):
        response = browser.get(broken, headers=headers)

        assert response.status_code == 500
        assert "The fault is ours" in response.text
        for secret in ("ZeroDivision", "Traceback", "lambda", ".py", "flask"):
            assert secret.lower() not in response.text.lower()
