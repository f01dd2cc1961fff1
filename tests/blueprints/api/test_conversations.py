"""``/api/v1/conversations``."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb.models import Conversation
from chatweb.services import owners
from tests import factories
from tests.blueprints.api.program import ALL, Program, error
from tests.blueprints.browser import Browser

FIELDS = {
    "id", "title", "status", "pinned", "message_count", "head", "created_at", "last_message_at",
}  # fmt: skip


def test_a_conversation_is_made_and_read(program: Program) -> None:
    made = program.send("POST", ALL, {"title": "  The\n sky "})
    assert made.status_code == 201
    body: Any = made.json
    assert set(body) == FIELDS
    assert (body["title"], body["status"], body["pinned"]) == ("The sky", "active", False)
    assert (body["message_count"], body["head"]) == (0, 0)
    assert body["created_at"].endswith("Z")
    assert program.get(f"{ALL}/{body['id']}") == body


@pytest.mark.parametrize("body", [None, {}, {"title": None}, {"request_id": None}])
def test_nothing_need_be_said(program: Program, body: Any) -> None:
    assert program.send("POST", ALL, body).status_code == 201


def test_without_a_title_it_has_that_of_its_first_question(program: Program) -> None:
    conversation = program.talk("Why is the sky blue?")
    assert program.get(conversation)["title"] == "Why is the sky blue?"


def test_a_title_of_its_own_stays(program: Program) -> None:
    conversation = program.make("Colours")
    program.asked(conversation, "Why is the sky blue?")
    assert program.get(conversation)["title"] == "Colours"


def test_the_same_request_makes_one(program: Program, rows: Any) -> None:
    name = str(uuid4())
    first = program.send("POST", ALL, {"request_id": name})
    second = program.send("POST", ALL, {}, headers={"Idempotency-Key": name})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json == second.json
    assert len(rows(Conversation)) == 1


def test_a_request_whose_conversation_was_deleted_gives_none(program: Program) -> None:
    name = {"request_id": str(uuid4())}
    made: Any = program.send("POST", ALL, name).json
    assert program.send("DELETE", f"{ALL}/{made['id']}").status_code == 204
    error(program.send("POST", ALL, name), 404, "not_found")


def test_it_is_changed(program: Program) -> None:
    conversation = program.make("Before")
    for change in ({"title": "After"}, {"pinned": True}, {"status": "archived"}):
        changed = program.send("PATCH", conversation, change)
        assert changed.status_code == 200
        assert changed.json == program.get(conversation)
    found = program.get(conversation)
    assert (found["title"], found["pinned"], found["status"]) == ("After", True, "archived")
    assert program.send("PATCH", conversation, {}).json == found


def test_a_closed_one_takes_no_question_until_it_is_active_again(program: Program) -> None:
    conversation = program.make()
    program.send("PATCH", conversation, {"status": "closed"})
    error(program.ask(conversation), 409, "conflict")
    program.send("PATCH", conversation, {"status": "active"})
    assert program.ask(conversation).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "deleted"}, "status"),
        ({"status": None}, "status"),
        ({"pinned": "yes"}, "pinned"),
        ({"pinned": None}, "pinned"),
        ({"title": 5}, "title"),
        ({"title": None}, "title"),
    ],
)
def test_a_change_that_is_none_names_its_field(program: Program, change: Any, field: str) -> None:
    conversation = program.make("As it was")
    before = program.get(conversation)
    said = error(program.send("PATCH", conversation, change), 422, "invalid")
    assert list(said["fields"]) == [field]
    assert field in said["message"]
    assert program.get(conversation) == before


def test_a_deleted_one_is_gone_and_its_owners_page_brings_it_back(
    app: Flask, browser: Browser
) -> None:
    cookie = browser.client.get_cookie("chatweb")
    assert cookie
    program = Program(browser.client, {})
    conversation = program.make("Back again")
    deleted = program.send("DELETE", conversation)
    assert (deleted.status_code, deleted.text) == (204, "")
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"title": "x"})):
        error(program.send(method, conversation, body), 404, "not_found")
    error(program.ask(conversation), 404, "not_found")
    assert program.get(ALL) == {"items": [], "next": None}
    browser.post(conversation.replace(ALL, "/c") + "/restore")
    assert program.get(conversation)["title"] == "Back again"


class TestTheList:
    @pytest.fixture
    def many(self, app: Flask, program: Program) -> list[str]:
        """Seven, the newest first."""
        session = UUID(program.headers["X-Session-ID"])
        with app.app_context():
            owner = owners.guest(owners.of_session(session))
            return [str(each) for each in reversed(factories.conversations(owner, 7))]

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
    def test_its_pages_have_each_once_in_order(
        self, program: Program, many: list[str], limit: int
    ) -> None:
        pages = list(program.pages(ALL, limit=limit))
        assert [each["id"] for page in pages for each in page] == many
        assert all(len(page) == limit for page in pages[:-1])
        assert len(pages) == -(-7 // limit)

    def test_a_cursor_holds_while_new_ones_come(self, program: Program, many: list[str]) -> None:
        first = program.get(ALL, limit=3)
        program.make()
        rest = program.get(ALL, before=first["next"])
        assert [each["id"] for each in first["items"] + rest["items"]] == many

    def test_by_status(self, program: Program, many: list[str]) -> None:
        program.send("PATCH", f"{ALL}/{many[2]}", {"status": "archived"})
        program.send("PATCH", f"{ALL}/{many[4]}", {"status": "closed"})
        program.send("DELETE", f"{ALL}/{many[5]}")

        def ids(**query: str) -> list[str]:
            return [each["id"] for each in program.get(ALL, **query)["items"]]

        assert ids(status="archived") == [many[2]]
        assert ids(status="closed") == [many[4]]
        assert ids(status="active") == [many[0], many[1], many[3], many[6]]
        assert ids() == many[:5] + many[6:]

    def test_is_the_askers_own(self, program: Program, stranger: Program, many: list[str]) -> None:
        assert stranger.get(ALL) == {"items": [], "next": None}

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=101", "limit=x", "limit=", "limit=1.5", "limit=-1",
         f"limit={'9' * 40}", "status=deleted"],
    )  # fmt: skip
    def test_refuses_what_it_cannot_do(self, program: Program, query: str) -> None:
        said = error(program.send("GET", f"{ALL}?{query}"), 422, "invalid")
        assert list(said["fields"]) == [query.partition("=")[0]]

    @pytest.mark.parametrize("before", ["", "x", "%00", "20260101T000000.0-x", "%F0%9F%98%80"])
    def test_a_cursor_that_is_none_is_the_first_page(
        self, program: Program, many: list[str], before: str
    ) -> None:
        found: Any = program.send("GET", f"{ALL}?before={before}").json
        assert [each["id"] for each in found["items"]] == many


class TestTheETag:
    def test_what_is_known_is_not_sent_again(self, program: Program) -> None:
        conversation = program.make()
        tag = program.send("GET", conversation).headers["ETag"]
        known = program.send("GET", conversation, headers={"If-None-Match": tag})
        assert (known.status_code, known.data) == (304, b"")
        assert known.headers["ETag"] == tag

    def test_what_has_changed_is(self, program: Program) -> None:
        conversation = program.make()
        tag = program.send("GET", conversation).headers["ETag"]
        program.send("PATCH", conversation, {"title": "Another"})
        again = program.send("GET", conversation, headers={"If-None-Match": tag})
        assert again.status_code == 200
        assert again.headers["ETag"] != tag

    def test_another_one_is_no_reason_to_refuse(self, program: Program) -> None:
        conversation = program.make()
        found = program.send("GET", conversation, headers={"If-Match": '"x"'})
        assert found.status_code == 200

    def test_any_other_is_no_reason(self, program: Program) -> None:
        conversation = program.make()
        for tag in ('"x"', "x", "W/", ""):
            found = program.send("GET", conversation, headers={"If-None-Match": tag})
            assert found.status_code == 200
        assert program.send("GET", conversation, headers={"If-None-Match": "*"}).status_code == 304


class TestWhoIsAsking:
    def test_a_session_is_another_owner_than_every_other(
        self, program: Program, stranger: Program, browser: Browser
    ) -> None:
        conversation = program.make()
        error(stranger.send("GET", conversation), 404, "not_found")
        error(Program(browser.client, {}).send("GET", conversation), 404, "not_found")

    def test_the_cookie_is_the_pages_owner(self, browser: Browser) -> None:
        conversation = browser.talk()
        program = Program(browser.client, {})
        (found,) = program.get(ALL)["items"]
        assert found["id"] == str(conversation)

    def test_a_session_gets_no_cookie(self, program: Program) -> None:
        assert "Set-Cookie" not in program.send("GET", ALL).headers

    @pytest.mark.parametrize("given", ["", "x", "0" * 31, "null", "1" * 400])
    def test_a_session_that_is_none_is_refused(self, app: Flask, given: str) -> None:
        error(Program(app.test_client(), {"X-Session-ID": given}).send("GET", ALL), 422, "invalid")

    @pytest.mark.parametrize(
        "given",
        ["Bearer", "Bearer ", "Bearer x", "Basi eDp5", "chatweb_x", "Bearer chatweb_" + "x" * 43],
    )
    def test_a_token_that_is_none_is_refused_and_not_passed_over(
        self, program: Program, given: str
    ) -> None:
        refused = program.send("GET", ALL, headers={"Authorization": given})
        error(refused, 401, "unauthorized")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
