"""``/api/sessions``: the chat bot's addresses on our conversations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatweb.models import Conversation, Message
from chatweb.services import owners, questions
from chatweb.services.limits import UNLIMITED
from chatweb.services.owners import Owner
from tests import factories
from tests.blueprints.browser import Browser
from tests.scripted_model import Script, ScriptedModel, answer_to

Stored = Callable[[], list[Any]]
ADDRESS = "/api/sessions"
BAD_IDS = ["x", "0", "-1", "1" * 5000, "{{7*7}}", "²", "*", "' OR 1=1--"]


class Program:
    """A program that keeps the secret id of a session."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.id = uuid4()
        self.owner: Owner = owners.guest(owners.of_session(self.id))

    def ask(self, method: str, path: str = "", status: int = 200, **options: Any) -> Any:
        headers = {"X-Session-ID": str(self.id)} | options.pop("headers", {})
        response = self.client.open(ADDRESS + path, method=method, headers=headers, **options)
        assert response.status_code == status, response.text
        return response.json if response.data else None

    def refused(self, code: int, method: str, path: str = "", **options: Any) -> dict[str, Any]:
        """What it was told, both as chatweb and as the chat bot said what is wrong."""
        body: dict[str, Any] = self.ask(method, path, code, **options)
        assert body["detail"] == body["error"]["message"]
        return body


@pytest.fixture
def program(app: Flask) -> Program:
    return Program(app.test_client())


@pytest.fixture
def stranger_program(app: Flask) -> Program:
    return Program(app.test_client())


@pytest.fixture
def talk(app: Flask, program: Program) -> UUID:
    """The program's conversation of ten messages."""
    with app.app_context():
        return factories.conversation(program.owner, 10)


class TestTheList:
    def test_is_newest_first_and_counts_all(self, app: Flask, program: Program) -> None:
        with app.app_context():
            ids = factories.conversations(program.owner, 5, title="Talk")[::-1]

        page = program.ask("GET", query_string={"limit": 2, "offset": 1})

        assert [each["id"] for each in page.pop("sessions")] == [str(id) for id in ids[1:3]]
        assert page == {"total": 5, "limit": 2, "offset": 1}

    def test_behind_its_end_is_empty(self, program: Program, talk: UUID) -> None:
        for offset in (1, 100_000):
            page = program.ask("GET", query_string={"offset": offset})
            assert (page["sessions"], page["total"]) == ([], 1)

    def test_of_nobody_yet_is_empty(self, program: Program) -> None:
        assert program.ask("GET") == {"sessions": [], "total": 0, "limit": 50, "offset": 0}

    def test_has_what_is_archived_and_not_what_is_deleted(
        self, app: Flask, program: Program, talk: UUID
    ) -> None:
        with app.app_context():
            factories.set_all(status="archived")
            factories.conversation(program.owner)
        assert program.ask("GET")["total"] == 2

        program.ask("DELETE", f"/{talk}", 204)

        page = program.ask("GET")
        assert (len(page["sessions"]), page["total"]) == (1, 1)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("limit", each) for each in ("0", "101", "-1", "x", "", "1.5", "9" * 400)),
            *(("offset", each) for each in ("-1", "100001", "x", "", "9" * 400)),
        ],
    )
    def test_is_asked_for_with_numbers_that_can_be(
        self, program: Program, name: str, value: str
    ) -> None:
        body = program.refused(422, "GET", query_string={name: value})

        assert set(body["error"]["fields"]) == {name}


class TestASession:
    def test_is_made_read_renamed_and_deleted(self, program: Program) -> None:
        made = program.ask("POST", status=201, json={"title": "  The\nsky "})
        assert set(made) == {"id", "title", "metadata", "created_at", "updated_at"}
        assert (made["title"], made["metadata"]) == ("The sky", {})

        address = f"/{made['id']}"
        assert program.ask("GET", address) == made
        renamed = program.ask("PATCH", address, json={"title": "x" * 10_000})
        assert renamed == made | {"title": "x" * 120}
        assert program.ask("DELETE", address, 204) is None
        program.refused(404, "GET", address)
        program.refused(404, "DELETE", address)

    @pytest.mark.parametrize("body", [{}, {"title": None}, None], ids=str)
    def test_without_a_title_gets_its_first_words(self, program: Program, body: Any) -> None:
        made = program.ask("POST", status=201, **({} if body is None else {"json": body}))
        assert made["title"] == "Untitled chat"

        program.ask("POST", f"/{made['id']}/messages", 201, json={"content": "Why blue?"})

        assert program.ask("GET", f"/{made['id']}")["title"] == "Why blue?"

    def test_is_made_once_by_one_key(self, program: Program) -> None:
        key = {"Idempotency-Key": "my first"}

        made = program.ask("POST", status=201, json={}, headers=key)

        assert program.ask("POST", json={}, headers=key) == made
        assert program.ask("GET")["total"] == 1

    @pytest.mark.parametrize("title", [1, [], {}, True], ids=str)
    def test_has_a_title_of_words(
        self, program: Program, talk: UUID, stored: Stored, title: Any
    ) -> None:
        before = stored()

        for method, path in (("POST", ""), ("PATCH", f"/{talk}")):
            body = program.refused(422, method, path, json={"title": title})
            assert set(body["error"]["fields"]) == {"title"}
        assert stored() == before

    @pytest.mark.parametrize("body", [{}, {"title": None}, [], "title", None], ids=str)
    def test_is_renamed_to_something(self, program: Program, talk: UUID, body: Any) -> None:
        program.refused(422, "PATCH", f"/{talk}", json=body)

        assert program.ask("GET", f"/{talk}")["title"] == "A long talk"

    @pytest.mark.parametrize("title", ["", " \n", "\u200b", "\x00"])
    def test_always_has_a_title(self, program: Program, talk: UUID, title: str) -> None:
        renamed = program.ask("PATCH", f"/{talk}", json={"title": title})

        assert renamed["title"] == ("\ufffd" if title == "\x00" else "Untitled chat")

    def test_sent_as_a_form_is_refused(self, program: Program, stored: Stored) -> None:
        before = stored()

        program.refused(415, "POST", data={"title": "a"})
        program.refused(400, "POST", data=b"{", content_type="application/json")
        assert stored() == before


class TestMessages:
    def test_are_paged_oldest_first(self, program: Program, talk: UUID) -> None:
        page = program.ask("GET", f"/{talk}/messages", query_string={"limit": 3, "offset": 4})

        assert {name: page[name] for name in ("session_id", "total", "limit", "offset")} == {
            "session_id": str(talk), "total": 10, "limit": 3, "offset": 4,
        }  # fmt: skip
        assert [(each["id"], each["sender"], each["content"]) for each in page["messages"]] == [
            (f"{talk}/5", "user", "question 5"), (f"{talk}/6", "bot", "answer 6"),
            (f"{talk}/7", "user", "question 7"),
        ]  # fmt: skip
        assert set(page["messages"][0]) == {
            "id", "session_id", "sender", "content", "metadata", "created_at",
        }  # fmt: skip

    def test_all_come_once_by_paging(self, program: Program, talk: UUID) -> None:
        pages = [
            program.ask("GET", f"/{talk}/messages", query_string={"limit": 4, "offset": offset})
            for offset in (0, 4, 8, 12)
        ]

        assert [each["content"] for page in pages for each in page["messages"]] == [
            factories.said(position) for position in range(1, 11)
        ]

    def test_say_how_they_ended(self, app: Flask, program: Program) -> None:
        with app.app_context():
            asked = factories.ended(
                factories.begun(program.owner), "Partly", "interrupted", reason="Cut.", model="m",
                citations=[{"page": 3}],
            )  # fmt: skip

        (_, answer) = program.ask("GET", f"/{asked.conversation_id}/messages")["messages"]

        assert answer["content"] == "Partly"
        assert answer["metadata"] == {
            "status": "interrupted", "reason": "Cut.", "model": "m", "citations": [{"page": 3}],
        }  # fmt: skip

    def test_are_all_tries_while_the_history_is_what_is_shown(
        self, app: Flask, program: Program
    ) -> None:
        with app.app_context():
            first = factories.answered(program.owner, "Why?", "One")
            again = questions.retry(
                program.owner, first.conversation_id, 2, uuid4(), factories.process(), UNLIMITED
            )
            factories.ended(again, "Two")
        address = f"/{first.conversation_id}"

        all_of_them = program.ask("GET", f"{address}/messages")["messages"]
        shown = program.ask("GET", f"{address}/history")["messages"]

        assert [each["content"] for each in all_of_them] == ["Why?", "One", "Two"]
        assert [each["content"] for each in shown] == ["Why?", "Two"]


class TestTheHistory:
    def test_is_the_newest_oldest_first(self, program: Program, talk: UUID) -> None:
        found = program.ask("GET", f"/{talk}/history", query_string={"limit": 2})

        assert found == {
            "session_id": str(talk),
            "messages": [
                {"type": "message", "sender": "user", "content": "question 9"},
                {"type": "message", "sender": "bot", "content": "answer 10"},
            ],
            "count": 2,
        }

    def test_of_an_empty_session_is_empty(self, program: Program) -> None:
        made = program.ask("POST", status=201)

        found = program.ask("GET", f"/{made['id']}/history")

        assert found == {"session_id": made["id"], "messages": [], "count": 0}

    @pytest.mark.parametrize("limit", ["0", "101", "x", "-1"])
    def test_has_a_limit_that_can_be(self, program: Program, talk: UUID, limit: str) -> None:
        assert len(program.ask("GET", f"/{talk}/history?limit=100")["messages"]) == 10

        program.refused(422, "GET", f"/{talk}/history", query_string={"limit": limit})


class TestSending:
    def test_keeps_the_message_and_begins_the_answer(
        self, program: Program, model: ScriptedModel
    ) -> None:
        made = program.ask("POST", status=201)
        model.script = Script(tokens=7)

        sent = program.ask("POST", f"/{made['id']}/messages", 201, json={"content": "Why?"})

        assert (sent["message"]["sender"], sent["message"]["content"]) == ("user", "Why?")
        assert (sent["answer"]["sender"], sent["position"]) == ("bot", 2)
        assert sent["answer"]["id"] == f"{made['id']}/2"
        stream = program.client.get(sent["stream"], headers={"X-Session-ID": str(program.id)})
        assert stream.mimetype == "text/event-stream"
        assert "event: done" in stream.text
        history = program.ask("GET", f"/{made['id']}/history")["messages"]
        assert [each["content"] for each in history] == ["Why?", answer_to("Why?", 7)]

    def test_again_with_one_key_is_one_message(
        self, program: Program, talk: UUID, rows: Callable[[type[Any]], list[Any]]
    ) -> None:
        key = {"Idempotency-Key": "abc"}
        send = {"path": f"/{talk}/messages", "json": {"content": "More?"}, "headers": key}

        first = program.ask("POST", status=201, **send)
        again = program.ask("POST", **send)

        assert again["message"] == first["message"]
        assert again["position"] == first["position"] == 12
        assert len(rows(Message)) == 12
        program.refused(422, "POST", **(send | {"json": {"content": "Other"}}))

    def test_while_an_answer_is_written_waits_its_turn(
        self, program: Program, talk: UUID, model: ScriptedModel
    ) -> None:
        model.script = Script(do="stall")
        program.ask("POST", f"/{talk}/messages", 201, json={"content": "One"})

        program.refused(409, "POST", f"/{talk}/messages", json={"content": "Two"})

    @pytest.mark.parametrize(
        "body",
        [{}, {"content": None}, {"content": 1}, {"content": ""}, {"content": " \u200b"},
         {"content": "x" * 32_001}, [], "text"],
        ids=lambda body: str(body)[:20],
    )  # fmt: skip
    def test_takes_a_text_that_is_one(
        self, program: Program, talk: UUID, stored: Stored, body: Any
    ) -> None:
        before = stored()

        program.refused(422, "POST", f"/{talk}/messages", json=body)
        assert stored() == before

    def test_takes_no_values_of_the_server(
        self, program: Program, talk: UUID, rows: Callable[[type[Any]], list[Any]]
    ) -> None:
        """A34."""
        sent = {"content": "Hi", "sender": "system", "status": "failed", "owner_id": str(uuid4())}

        program.ask("POST", f"/{talk}/messages", 201, json=sent)

        row = next(row for row in rows(Message) if row.position == 11)
        assert (row.role, row.status, row.owner_id) == ("user", "complete", program.owner.id)


WAYS = [
    ("GET", "", {}), ("PATCH", "", {"json": {"title": "a"}}), ("DELETE", "", {}),
    ("GET", "/messages", {}), ("GET", "/history", {}),
    ("POST", "/messages", {"json": {"content": "a"}}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "options"), WAYS)
class TestAnAddress:
    def test_of_somebody_else_is_as_one_of_nobody(
        self, stranger_program: Program, talk: UUID, stored: Stored, method: str, path: str,
        options: Any,
    ) -> None:  # fmt: skip
        before = stored()

        told = [
            stranger_program.refused(404, method, f"/{id}{path}", **options)
            for id in (talk, uuid4())
        ]

        for each in told:
            del each["error"]["request_id"]
        assert told[0] == told[1]
        assert stored() == before

    def test_without_a_uuid_is_invalid(
        self, program: Program, stored: Stored, method: str, path: str, options: Any
    ) -> None:
        before = stored()

        for id in BAD_IDS:
            body = program.refused(422, method, f"/{id}{path}", **options)
            assert set(body["error"]["fields"]) == {"session_id"}, id
        assert stored() == before


def test_a_browser_sees_what_its_pages_show(
    browser: Browser, mine: UUID, theirs: UUID, rows: Callable[[type[Any]], list[Any]]
) -> None:
    """The cookie says whose: nothing is copied for these addresses."""
    (session,) = browser.get(ADDRESS).json["sessions"]

    assert session["id"] == str(mine)
    response = browser.client.patch(f"{ADDRESS}/{mine}", json={"title": "Renamed here"})
    assert response.status_code == 200
    assert browser.page(f"/c/{mine}").one("#title").text == "Renamed here"
    assert {row.title for row in rows(Conversation)} == {"Renamed here", "Why is the sky blue?"}


def test_a_page_of_another_site_cannot_use_the_cookie(
    browser: Browser, mine: UUID, stored: Stored
) -> None:
    before = stored()
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}

    assert browser.get(ADDRESS, headers=elsewhere).status_code == 401
    for method, path, options in WAYS:
        response = browser.client.open(
            f"{ADDRESS}/{mine}{path}", method=method, headers=elsewhere, **options
        )
        assert response.status_code in {401, 403}, (method, path)
    assert stored() == before


def test_the_description_tells_of_them(browser: Browser) -> None:
    paths = browser.get("/api/v1/openapi.json").json["paths"]

    told = {(path, method) for path in paths for method in paths[path]}
    assert told >= {
        (ADDRESS, "get"), (ADDRESS, "post"),
        *((f"{ADDRESS}/{{session_id}}{path}", method.lower()) for method, path, _ in WAYS),
    }  # fmt: skip
