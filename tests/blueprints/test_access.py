"""Programs: known by a token or by the id of their session, and refused where it is not good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatweb.services import tokens
from tests import factories
from tests.blueprints.browser import Browser

Stored = Callable[[], list[Any]]
Make = Callable[..., dict[str, str]]

LIST = "/api/v1/conversations"
ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}


@pytest.fixture
def token(app: Flask, browser: Browser) -> Make:
    """Makes tokens of the browser's owner; each as the header that shows it."""

    def make(scope: str = "write", name: str = "Backup") -> dict[str, str]:
        with app.app_context():
            secret = tokens.make(factories.owner_of(browser.client), name, scope, 30)
        return bearing(secret)

    return make


@pytest.fixture
def program(app: Flask) -> FlaskClient:
    """A program, which keeps no cookie."""
    return app.test_client(use_cookies=False)


def bearing(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def listed(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json["items"]]


class TestAToken:
    def test_opens_what_is_its_owners(
        self, program: FlaskClient, token: Make, mine: UUID, theirs: UUID
    ) -> None:
        shown = token()

        assert listed(program.get(LIST, headers=shown)) == [str(mine)]
        assert program.get(f"{LIST}/{mine}", headers=shown).status_code == 200
        assert program.get(f"{LIST}/{theirs}", headers=shown).status_code == 404

    def test_stands_for_its_owner_also_in_anothers_browser(
        self, stranger_browser: Browser, token: Make, mine: UUID, theirs: UUID
    ) -> None:
        """A token and a cookie: it is the token that was shown on purpose."""
        assert listed(stranger_browser.get(LIST, headers=token())) == [str(mine)]
        assert listed(stranger_browser.get(LIST)) == [str(theirs)]

    def test_gives_no_cookie(self, program: FlaskClient, token: Make) -> None:
        assert "Set-Cookie" not in program.get(LIST, headers=token()).headers

    def test_that_may_write_writes(self, program: FlaskClient, token: Make) -> None:
        shown = token("write")

        made = program.post(LIST, json={"title": "By a program"}, headers=shown)

        assert made.status_code == 201
        assert listed(program.get(LIST, headers=shown)) == [made.json["id"]]

    def test_that_may_read_changes_nothing(
        self, program: FlaskClient, token: Make, mine: UUID, stored: Stored
    ) -> None:
        shown = token("read")
        assert listed(program.get(LIST, headers=shown)) == [str(mine)]
        before = stored()

        answers = [
            program.post(LIST, json={"title": "x"}, headers=shown),
            program.patch(f"{LIST}/{mine}", json={"title": "x"}, headers=shown),
            program.delete(f"{LIST}/{mine}", headers=shown),
            program.post(f"{LIST}/{mine}/messages", json={"text": "x"}, headers=shown),
            program.post(f"{LIST}/{mine}/messages/2/stop", headers=shown),
        ]

        assert [each.status_code for each in answers] == [403] * 5
        assert {each.json["error"]["message"] for each in answers} == {"This token may only read."}
        assert stored() == before

    @pytest.mark.parametrize("way", ["bearer", "BEARER", "Bearer  "])
    def test_is_taken_however_its_kind_is_written(
        self, program: FlaskClient, token: Make, way: str
    ) -> None:
        secret = token()["Authorization"].removeprefix("Bearer ")

        assert listed(program.get(LIST, headers={"Authorization": f"{way} {secret} "})) == []

    def test_notes_when_it_was_used(
        self, app: Flask, browser: Browser, program: FlaskClient, token: Make
    ) -> None:
        program.get(LIST, headers=token())

        with app.app_context():
            (found,) = tokens.of(factories.owner_of(browser.client))
        assert found.last_used_at


class TestAPasswordOfAProxys:
    """Browsers send it with each request to a site that stands behind one."""

    @pytest.mark.parametrize(
        "shown", ["Basic dXNlcjpwYXNz", "basic x", "Digest a=b", "Negotiate x"]
    )
    def test_is_passed_over(self, browser: Browser, mine: UUID, shown: str) -> None:
        password = {"Authorization": shown}

        assert listed(browser.get(LIST, headers=password)) == [str(mine)]
        assert listed(browser.get(LIST, headers={"X-Session-ID": str(uuid4()), **password})) == []
        assert browser.get("/v1/models", headers=password).status_code == 401
        assert browser.get(LIST, headers=password | ELSEWHERE).status_code == 401


class TestATokenThatIsNotGood:
    def refused(self, client: Any, headers: dict[str, str]) -> None:
        """Whatever else says who is asking."""
        for response in (client.get(LIST, headers=headers), client.post(LIST, headers=headers)):
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert response.json["error"]["code"] == "unauthorized"
            assert "not known here" in response.json["error"]["message"]

    @pytest.mark.parametrize(
        "shown",
        [
            "", "Bearer", "Bearer ", "Bearer x", "Basi dXNlcjpwYXNz", "chatweb_x",
            f"Bearer chatweb_{'x' * 43}", f"Bearer {'x' * 8000}", "Bearer ÿ", "Bearer a b",
        ],
        ids=lambda shown: ascii(shown[:20]),
    )  # fmt: skip
    def test_is_refused_and_nobody_elses(
        self, browser: Browser, mine: UUID, stored: Stored, shown: str
    ) -> None:
        before = stored()
        session = {"X-Session-ID": str(uuid4())}

        self.refused(browser.client, {"Authorization": shown})
        self.refused(browser.client, {"Authorization": shown, **session})

        assert stored() == before

    @pytest.mark.parametrize("other", ["{0}x", "{0}=", "{0} {0}", "x{0}"])
    def test_is_one_that_is_almost_right(self, browser: Browser, token: Make, other: str) -> None:
        secret = token()["Authorization"].removeprefix("Bearer ")

        self.refused(browser.client, bearing(other.format(secret)))
        self.refused(browser.client, bearing(secret[:-1]))

    def test_is_one_that_has_expired(self, app: Flask, browser: Browser, token: Make) -> None:
        shown = token()
        with app.app_context():
            factories.set_token("Backup", expires_at=factories.LONG_AGO)

        self.refused(browser.client, shown)

    def test_is_one_that_was_revoked(self, app: Flask, browser: Browser, token: Make) -> None:
        shown, other = token(), token(name="another")
        owner = factories.owner_of(browser.client)
        with app.app_context():
            tokens.revoke(owner, tokens.of(owner)[1].id)

        self.refused(browser.client, shown)
        assert browser.get(LIST, headers=other).status_code == 200

    def test_is_a_browsers_cookie(self, browser: Browser, mine: UUID) -> None:
        cookie = browser.client.get_cookie("chatweb")
        assert cookie

        self.refused(browser.client, bearing(cookie.value))


class TestAPage:
    """A50: knows its owner by the cookie alone."""

    def test_is_not_opened_by_a_token(
        self, stranger_browser: Browser, token: Make, mine: UUID, theirs: UUID
    ) -> None:
        shown = token()

        assert stranger_browser.get(f"/c/{mine}", headers=shown).status_code == 404
        assert stranger_browser.get(f"/c/{theirs}", headers=shown).status_code == 200
        for page in ("/tokens", "/history", "/"):
            text = stranger_browser.get(page, headers=shown).text
            assert str(mine) not in text
            assert "Backup" not in text

    def test_is_not_changed_by_a_token(
        self, program: FlaskClient, token: Make, mine: UUID, stored: Stored
    ) -> None:
        """Not even to make or revoke tokens: a program cannot outlive its own."""
        shown = token()
        before = stored()

        assert program.post("/tokens/1/revoke", headers=shown).status_code == 404
        assert program.post(f"/c/{mine}/delete", headers=shown).status_code == 404

        assert stored() == before

    def test_does_not_mind_what_is_shown(self, browser: Browser, token: Make, mine: UUID) -> None:
        """Neither what is not good, as where a proxy has a password of its own, nor what is."""
        for shown in ("Basic dXNlcjpwYXNz", "Bearer x", token("read")["Authorization"]):
            headers = {"Authorization": shown, "X-Session-ID": "x"}
            assert browser.get(f"/c/{mine}", headers=headers).status_code == 200
            renamed = browser.post(f"/c/{mine}/rename", {"title": "New"}, headers=headers)
            assert renamed.status_code == 303


class TestASession:
    def test_is_an_owner_of_its_own(self, program: FlaskClient, mine: UUID) -> None:
        mine_too, another = ({"X-Session-ID": str(uuid4())} for _ in range(2))

        made = program.post(LIST, json={"title": "By a session"}, headers=mine_too)

        assert made.status_code == 201
        assert listed(program.get(LIST, headers=mine_too)) == [made.json["id"]]
        assert listed(program.get(LIST, headers=another)) == []
        assert program.get(f"{LIST}/{mine}", headers=mine_too).status_code == 404

    def test_is_not_the_browsers_that_shows_it(self, browser: Browser, mine: UUID) -> None:
        assert listed(browser.get(LIST, headers={"X-Session-ID": str(uuid4())})) == []

    @pytest.mark.parametrize("shown", ["", "x", "1", "0" * 31, "0" * 33, "null", "ÿ" * 32])
    def test_without_a_uuid_is_refused(self, browser: Browser, mine: UUID, shown: str) -> None:
        response = browser.get(LIST, headers={"X-Session-ID": shown})

        assert response.status_code == 422
        assert response.json["error"]["message"] == "X-Session-ID must be a UUID."

    def test_that_was_ended_is_refused(self, app: Flask, program: FlaskClient) -> None:
        shown = {"X-Session-ID": str(uuid4())}
        program.post(LIST, json={}, headers=shown)
        with app.app_context():
            factories.end_logins()

        response = program.get(LIST, headers=shown)

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"


class TestFromAnotherSite:
    def test_a_cookie_is_not_enough(self, browser: Browser, mine: UUID) -> None:
        response = browser.get(LIST, headers=ELSEWHERE)

        assert response.status_code == 401
        assert response.json["error"]["message"].startswith("Show a token")

    def test_a_token_reads(self, program: FlaskClient, token: Make, mine: UUID) -> None:
        assert listed(program.get(LIST, headers=ELSEWHERE | token())) == [str(mine)]
