"""``/chat/agent`` and ``/chat/history``: the book assistant's addresses on our conversations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from chatweb.database import writing
from chatweb.models import Conversation, Login, Message, User
from chatweb.services import answers, chapters, owners, tokens
from chatweb.services.limits import UNLIMITED
from chatweb.services.owners import Owner
from tests import factories
from tests.blueprints.browser import Browser
from tests.blueprints.places import no_place_to_wait
from tests.blueprints.test_citations import ANNOTATIONS, SKY, cites
from tests.scripted_model import Script, ScriptedModel, answer_to

Rows = Callable[[type[Any]], list[Any]]
Stored = Callable[[], list[Any]]
AGENT, HISTORY, STATUS = "/chat/agent", "/chat/history", "/chat/history/status"
QUESTION = "What does a sensor do?"
SENSORS = "3. Sensors"


class Reader:
    """Somebody's browser with the book: a session, named in the header or as ``named`` says."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.id = uuid4()
        self.owner: Owner = owners.guest(owners.of_session(self.id))
        self.named: dict[str, Any] = {"headers": {"X-Session-ID": str(self.id)}}

    def ask(self, method: str, address: str, status: int = 200, **options: Any) -> Any:
        sent = dict(self.named)
        for name, value in options.items():
            both = isinstance(value, dict) and name in sent
            sent[name] = sent[name] | value if both else value
        response = self.app.test_client().open(address, method=method, **sent)
        assert response.status_code == status, response.text
        self.headers = response.headers
        return response.json

    def agent(
        self, text: str = QUESTION, chapter: str | None = None, status: int = 200, key: str = ""
    ) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        body = {"message": text, "chapter": chapter}
        return self.ask("POST", AGENT, status, json=body, headers=headers)

    def said(self, **query: Any) -> list[str]:
        found = self.ask("GET", HISTORY, query_string=query)["messages"]
        return [each["content"] for each in found]


@pytest.fixture
def reader(app: Flask) -> Reader:
    return Reader(app)


@pytest.fixture
def other(app: Flask) -> Reader:
    return Reader(app)


def answered(reader: Reader, chapter: str = "", text: str = QUESTION, **details: Any) -> UUID:
    """A question about a chapter that has an answer."""
    with reader.app.app_context():
        asked = chapters.ask(
            reader.owner, chapter, text, 100, uuid4(), factories.process(), UNLIMITED
        )
        return factories.ended(asked, f"{text} Indeed.", **details).conversation_id


class TestAQuestion:
    def test_is_answered_whole(self, reader: Reader, model: ScriptedModel, rows: Rows) -> None:
        model.script = Script(tokens=30, interval=0.005)

        found = reader.agent(chapter=SENSORS)

        answer = answer_to(QUESTION, 30)
        assert set(found) == {"session_id", "chapter", "message", "answer", "citations"}
        assert (found["session_id"], found["chapter"]) == (str(reader.id), SENSORS)
        assert (found["answer"], found["citations"]) == (answer, [])
        message = found["message"]
        (talk,) = rows(Conversation)
        assert (message["id"], message["role"]) == (f"{talk.id}/2", "assistant")
        assert (message["content"], message["status"]) == (answer, "complete")
        assert reader.said() == [QUESTION, answer]

    @pytest.mark.parametrize("name", ["message", "question", "query"])
    def test_may_be_called_by_three_names(self, reader: Reader, name: str) -> None:
        reader.ask("POST", AGENT, json={name: QUESTION})

        assert reader.said()[0] == QUESTION

    def test_goes_on_with_its_chapter(self, reader: Reader, model: ScriptedModel) -> None:
        reader.agent(chapter=SENSORS)
        reader.agent("And a motor?", "4. Motors")
        reader.agent("Why so?", f" {SENSORS} ")

        assert [each["content"] for each in model.requests[2].messages[1:]] == [
            QUESTION, answer_to(QUESTION), "Why so?",
        ]  # fmt: skip
        assert reader.said(chapter="4. Motors") == ["And a motor?", answer_to("And a motor?")]

    def test_about_nothing_is_about_no_chapter(self, reader: Reader, rows: Rows) -> None:
        for chapter in (None, "", "  "):
            assert reader.agent(chapter=chapter)["chapter"] is None

        assert [row.chapter for row in rows(Conversation)] == [""]

    @pytest.mark.parametrize(
        "body",
        [{}, None, [], "text", {"message": ""}, {"message": " \u200b"}, {"message": 1},
         {"message": "x" * 32_001}, {"message": "a", "chapter": "x" * 201},
         {"message": "a", "chapter": 3}, {"message": "a", "chapter": []}],
        ids=lambda body: str(body)[:30],
    )  # fmt: skip
    def test_is_one_or_nothing_is_kept(self, reader: Reader, stored: Stored, body: Any) -> None:
        before = stored()

        told = reader.ask("POST", AGENT, 422, json=body)

        assert told["detail"] == told["error"]["message"]
        assert stored() == before

    def test_and_a_chapter_are_kept_as_both_databases_can(self, reader: Reader) -> None:
        found = reader.agent("a\x00b", "c\x00d")

        assert found["chapter"] == "c\ufffdd"
        assert reader.said(chapter="c\x00d")[0] == "a\ufffdb"

    def test_of_half_a_letter_cannot_be_read(self, reader: Reader, stored: Stored) -> None:
        before = stored()

        body = {"data": b'{"message": "\\ud800"}', "content_type": "application/json"}
        reader.ask("POST", AGENT, 400, **body)
        assert stored() == before

    def test_is_answered_with_citations(self, reader: Reader, model: ScriptedModel) -> None:
        model.script = cites(*ANNOTATIONS)

        found = reader.agent(chapter=SENSORS)

        assert found["answer"] == "Blue."
        assert found["citations"] == found["message"]["citations"] == [SKY]
        question, answer = reader.ask("GET", HISTORY)["messages"]
        assert (question["citations"], answer["citations"]) == ([], [SKY])


class TestAnAnswerThatFailed:
    def test_is_a_bad_gateway_and_kept(
        self, reader: Reader, model: ScriptedModel, rows: Rows
    ) -> None:
        model.script = Script(status=400, message="no")

        told = reader.agent(chapter=SENSORS, status=502, key="a")

        (_, answer) = rows(Message)
        assert answer.status == "failed"
        assert told["error"]["code"] == "model_failed"
        assert told["error"]["message"] == told["detail"] == answer.metadata["reason"]
        assert reader.said() == [QUESTION, answer.content]
        assert reader.agent(chapter=SENSORS, status=502, key="a")["detail"] == told["detail"]
        assert len(model.requests) == 1

    def test_lets_the_next_question_through(self, reader: Reader, model: ScriptedModel) -> None:
        model.script = Script(status=400)
        reader.agent(status=502)
        model.script = Script()

        answer = reader.agent("Again?")["answer"]

        asked = model.requests[-1].question  # both: nobody has answered the first one
        assert asked.endswith("Again?")
        assert answer == answer_to(asked)

    def test_in_the_middle_tells_what_there_is(self, reader: Reader, model: ScriptedModel) -> None:
        model.script = Script(do="cut", after=5)

        found = reader.agent()

        assert found["message"]["status"] == "interrupted"
        assert found["answer"] == answer_to(QUESTION, 5)


class TestWhereTooManyWait:
    def test_a_question_is_kept_and_its_key_waits_for_it(
        self, app: Flask, reader: Reader, model: ScriptedModel
    ) -> None:
        model.script = Script(first=0.5)
        with no_place_to_wait(app):
            told = reader.agent(status=503, key="mine")
            assert int(reader.headers["Retry-After"]) > 0
            assert "kept" in told["detail"]
            assert told["error"]["code"] == "unavailable"
            assert reader.said()[0] == QUESTION

        assert reader.agent(key="mine")["answer"] == answer_to(QUESTION)
        assert len(model.requests) == 1

    def test_an_answer_that_has_ended_needs_no_place(self, app: Flask, reader: Reader) -> None:
        found = reader.agent(key="mine")

        with no_place_to_wait(app):
            assert reader.agent(key="mine") == found

    def test_the_place_is_given_back(self, app: Flask, reader: Reader, model: Any) -> None:
        for status in (200, 400) * 20:
            model.script = Script(status=status)
            reader.agent(status=200 if status == 200 else 502)

        assert reader.agent("?", status=502)


class TestTheSameKey:
    def test_twice_is_one_question(self, reader: Reader, rows: Rows) -> None:
        first = reader.agent(chapter=SENSORS, key="a")

        assert reader.agent(chapter=SENSORS, key="a") == first
        assert len(rows(Message)) == 2

    def test_for_another_chapter_is_refused(self, reader: Reader, rows: Rows) -> None:
        reader.agent(chapter=SENSORS, key="a")

        reader.agent(chapter="4. Motors", key="a", status=422)
        assert len(rows(Message)) == 2

    def test_eight_times_at_once_is_one_question(
        self, reader: Reader, model: ScriptedModel, rows: Rows
    ) -> None:
        model.script = Script(first=0.2)

        def ask(_: int) -> Any:
            return reader.agent(chapter=SENSORS, key="a")

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(8)))

        assert all(each == found[0] for each in found)
        assert len(rows(Message)) == 2
        assert len(model.requests) == 1

    def test_after_clearing_is_not_there(self, reader: Reader) -> None:
        reader.agent(key="a")
        reader.ask("DELETE", HISTORY)

        reader.agent(key="a", status=404)


def test_an_answer_that_takes_longer_than_it_may_is_not_waited_for(
    make_app: Callable[..., Flask], database_url: str, model: ScriptedModel
) -> None:
    """The engine ends its own answers by then; this one is another process's, which goes on."""
    reader = Reader(
        make_app(DATABASE_URL=database_url, LLM_BASE_URL=model.base_url, LLM_TIMEOUT="1")
    )
    with reader.app.app_context():
        request_id = uuid4()
        process_id = factories.process()
        chapters.ask(reader.owner, "", QUESTION, 100, request_id, process_id, UNLIMITED)
    over = threading.Event()

    def beat() -> None:
        with reader.app.app_context():
            while not over.wait(0.3):
                answers.beat(process_id)

    with ThreadPoolExecutor(1) as pool:
        beating = pool.submit(beat)
        try:
            told = reader.agent(status=503, key=str(request_id))
        finally:
            over.set()
        beating.result()
    assert "same Idempotency-Key" in told["detail"]


def test_an_answer_is_waited_for_while_its_talk_is_deleted(
    reader: Reader, model: ScriptedModel
) -> None:
    model.script = Script(tokens=400, interval=0.05)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.agent, status=404)
        assert model.wait_for(lambda: model.requests and model.requests[0].sent)
        assert reader.ask("DELETE", HISTORY) == {"deleted": 2}
        assert waiting.result(15)["error"]["code"] == "not_found"


class TestTheHistory:
    def test_is_of_a_chapter_or_of_all(self, reader: Reader) -> None:
        talk = answered(reader, SENSORS)
        answered(reader, "", "And then?")

        found = reader.ask("GET", HISTORY, query_string={"chapter": SENSORS})

        assert (found["session_id"], found["chapter"]) == (str(reader.id), SENSORS)
        for each in found["messages"]:
            assert each.pop("created_at")
        common = {"chapter": SENSORS, "citations": [], "status": "complete"}
        assert found["messages"] == [
            {"id": f"{talk}/1", "role": "user", "content": QUESTION, **common},
            {"id": f"{talk}/2", "role": "assistant", "content": f"{QUESTION} Indeed.", **common},
        ]
        everything = reader.ask("GET", HISTORY)["messages"]
        assert [each["chapter"] for each in everything] == [SENSORS, SENSORS, None, None]
        assert reader.said(chapter="") == ["And then?", "And then? Indeed."]
        assert reader.said(chapter="none such") == []

    def test_has_a_limit(self, reader: Reader) -> None:
        for text in "123":
            answered(reader, SENSORS, text)

        assert reader.said(limit=3) == ["2 Indeed.", "3", "3 Indeed."]
        for limit in ("0", "101", "x", "-1"):
            reader.ask("GET", HISTORY, 422, query_string={"limit": limit})

    def test_shows_what_is_being_written(self, reader: Reader, model: ScriptedModel) -> None:
        model.script = Script(do="stall", after=2)
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(reader.agent)
            assert model.wait_for(lambda: model.requests and model.requests[0].sent == 2)
            _, answer = reader.ask("GET", HISTORY)["messages"]
            assert answer["status"] == "streaming"
            model.refuse()
            asking.result(15)

    def test_of_too_long_a_chapter_is_refused(self, reader: Reader, stored: Stored) -> None:
        before = stored()

        for method in ("GET", "DELETE"):
            told = reader.ask(method, HISTORY, 422, query_string={"chapter": "x" * 201})
            assert set(told["error"]["fields"]) == {"chapter"}
        assert stored() == before


class TestClearing:
    def test_a_chapter_leaves_the_others(self, reader: Reader) -> None:
        answered(reader, SENSORS)
        answered(reader, SENSORS, "More?")
        answered(reader, "4. Motors", "And then?")

        assert reader.ask("DELETE", HISTORY, query_string={"chapter": SENSORS}) == {"deleted": 4}

        assert reader.said() == ["And then?", "And then? Indeed."]

    def test_all_leaves_nothing(self, reader: Reader) -> None:
        for chapter in (SENSORS, ""):
            answered(reader, chapter)

        assert reader.ask("DELETE", HISTORY) == {"deleted": 4}

        assert reader.said() == []
        assert reader.ask("DELETE", HISTORY) == {"deleted": 0}


CALLS = [
    ("POST", AGENT, {"json": {"message": QUESTION}}), ("GET", HISTORY, {}),
    ("DELETE", HISTORY, {}),
]  # fmt: skip


class TestWhoIsAsking:
    def test_may_be_said_in_the_query_alone(self, reader: Reader) -> None:
        answered(reader)
        reader.named = {"query_string": {"session_id": str(reader.id)}}

        assert reader.ask("GET", HISTORY)["session_id"] == str(reader.id)
        assert len(reader.said()) == 2
        assert reader.agent("More?")["session_id"] == str(reader.id)
        assert reader.ask("DELETE", HISTORY) == {"deleted": 4}

    def test_may_be_said_twice(self, reader: Reader) -> None:
        answered(reader)

        # Another way to write the same UUID.
        assert len(reader.said(session_id=reader.id.hex.upper())) == 2

    @pytest.mark.parametrize(("method", "address", "options"), CALLS)
    def test_cannot_be_two(
        self, reader: Reader, other: Reader, stored: Stored, method: str, address: str,
        options: Any,
    ) -> None:  # fmt: skip
        answered(reader)
        answered(other)
        before = stored()

        told = reader.ask(
            method, address, 404, query_string={"session_id": str(other.id)}, **options
        )

        assert told["error"]["code"] == "not_found"
        assert stored() == before

    @pytest.mark.parametrize(("method", "address", "options"), CALLS)
    @pytest.mark.parametrize("name", ["x", "", "0", "null", "{{7*7}}", "1" * 500])
    def test_is_a_uuid(
        self, reader: Reader, stored: Stored, method: str, address: str, options: Any, name: str
    ) -> None:
        before = stored()

        reader.ask(method, address, 422, query_string={"session_id": name}, **options)
        reader.ask(method, address, 422, headers={"X-Session-ID": name}, **options)
        assert stored() == before

    def test_is_each_for_themselves(self, reader: Reader, other: Reader) -> None:
        answered(reader, SENSORS)

        assert other.said() == other.said(chapter=SENSORS) == []
        assert other.ask("DELETE", HISTORY) == {"deleted": 0}
        assert len(reader.said()) == 2

    def test_with_a_token_must_be_its_owner(self, app: Flask, reader: Reader) -> None:
        answered(reader)
        with app.app_context():
            own = tokens.make(reader.owner, "mine", "write", None)
            foreign = tokens.make(factories.guest(), "theirs", "write", None)
        reader.named = {"query_string": {"session_id": str(reader.id)}}

        assert len(reader.said()) == 2
        bearer = {"Authorization": f"Bearer {own}"}
        assert len(reader.ask("GET", HISTORY, headers=bearer)["messages"]) == 2
        reader.ask("GET", HISTORY, 404, headers={"Authorization": f"Bearer {foreign}"})
        reader.ask("DELETE", HISTORY, 404, headers={"Authorization": f"Bearer {foreign}"})
        reader.ask("GET", HISTORY, 401, headers={"Authorization": "Bearer chatweb_none"})

    def test_with_a_token_alone_has_no_session(self, app: Flask, reader: Reader) -> None:
        answered(reader)
        with app.app_context():
            own = tokens.make(reader.owner, "mine", "read", None)
        reader.named = {"headers": {"Authorization": f"Bearer {own}"}}

        assert reader.ask("GET", HISTORY)["session_id"] is None
        assert len(reader.said()) == 2
        reader.ask("DELETE", HISTORY, 403)

    @pytest.mark.parametrize("way", ["header", "query"])
    def test_of_an_ended_session_is_nobody(self, app: Flask, reader: Reader, way: str) -> None:
        answered(reader)
        with app.app_context(), writing() as connection:
            connection.execute(update(Login).values(revoked_at=factories.LONG_AGO))
            connection.commit()
        if way == "query":
            reader.named = {"query_string": {"session_id": str(reader.id)}}

        for method, address, options in CALLS:
            reader.ask(method, address, 401, **options)

    def test_may_be_a_browser_with_its_cookie(self, browser: Browser) -> None:
        answer = browser.client.post(AGENT, json={"message": QUESTION})

        assert (answer.status_code, answer.json["session_id"]) == (200, None)
        assert len(browser.get(HISTORY).json["messages"]) == 2
        assert browser.page("/history").tree.select_one(f'a[href*="{talk_of(answer)}"]')

    def test_named_in_the_query_is_not_the_cookies(self, browser: Browser, reader: Reader) -> None:
        browser.client.post(AGENT, json={"message": "by cookie"})

        found = browser.get(f"{HISTORY}?session_id={reader.id}").json

        assert found["messages"] == []

    def test_in_the_query_counts_nowhere_else(
        self, app: Flask, client: FlaskClient, reader: Reader
    ) -> None:
        talk = answered(reader)
        query = {"session_id": str(reader.id)}

        for address in ("/api/sessions", "/api/v1/conversations"):
            found = client.get(address, query_string=query).json
            assert not any(found.get(name) for name in ("sessions", "items"))
        for address in (f"/api/v1/conversations/{talk}", f"/c/{talk}"):
            assert client.get(address, query_string=query).status_code == 404

    def test_on_a_page_of_another_site_is_not_the_cookies_owner(
        self, browser: Browser, stored: Stored
    ) -> None:
        before = stored()
        elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}

        assert browser.get(HISTORY, headers=elsewhere).status_code == 401
        for method, address, options in CALLS:
            response = browser.client.open(address, method=method, headers=elsewhere, **options)
            assert response.status_code in {401, 403}
        assert stored() == before

    def test_leaves_no_rows_by_looking(self, reader: Reader, rows: Rows) -> None:
        reader.said()
        reader.ask("DELETE", HISTORY)

        assert rows(User) == rows(Login) == []


def talk_of(answer: Any) -> str:
    return str(answer.json["message"]["id"]).partition("/")[0]


def test_the_log_does_not_tell_the_session(reader: Reader, log: Callable[[], list[str]]) -> None:
    reader.named = {"query_string": {"session_id": str(reader.id)}}
    reader.agent()
    reader.ask("GET", HISTORY)

    lines = "\n".join(log())
    assert "/chat/history" in lines
    assert str(reader.id) not in lines


class TestTheStatus:
    def test_says_that_all_is_well_to_anyone(self, client: FlaskClient, database_url: str) -> None:
        found = client.get(STATUS)

        kind = "sqlite" if database_url.startswith("sqlite") else "postgresql"
        assert found.status_code == 200
        assert found.json == {"available": True, "database": kind, "reason": None}
        assert "Set-Cookie" not in found.headers

    def test_says_what_is_wrong(self, make_app: Callable[..., Flask], empty_url: str) -> None:
        """A database that nobody has set up."""
        found = make_app(DATABASE_URL=empty_url).test_client().get(STATUS)

        assert found.status_code == 200
        assert found.json["available"] is False
        reason = {
            "sqlite": "The database cannot be reached right now.",
            "postgresql": "The database is not set up yet: whoever runs this site has to run "
            "`flask db upgrade`.",
        }
        assert found.json["reason"] == reason[found.json["database"]]


def test_the_description_tells_of_them(browser: Browser) -> None:
    document = browser.get("/api/v1/openapi.json").json

    told = {(path, method) for path in document["paths"] for method in document["paths"][path]}
    assert told >= {(address, method.lower()) for method, address, _ in CALLS} | {(STATUS, "get")}
    agent = document["paths"][AGENT]["post"]
    assert {"session_in_query": []} in agent["security"]
    assert document["components"]["securitySchemes"]["session_in_query"]["name"] == "session_id"
    assert {"200", "404", "409", "422", "429", "502", "503"} <= set(agent["responses"])
    assert "session_id" in {
        each["name"] for each in document["paths"][HISTORY]["get"]["parameters"]
    }
