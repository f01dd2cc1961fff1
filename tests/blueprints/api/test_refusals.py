"""What is refused: each in the one shape, with the number of the request, and nothing changed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb.models import Conversation, Message
from chatweb.services import owners, tokens
from tests.blueprints.api.program import ALL, Program, error
from tests.scripted_model import Script, ScriptedModel

DEEP = 100_000

BODIES = {
    "not JSON": b"text=x",
    "half": b'{"text": "x"',
    "two": b'{"text": "x"} {}',
    "invalid UTF-8": b'{"text": "\xff\xfe"}',
    "overlong UTF-8": b'{"text": "\xc0\xaf"}',
    "another encoding": '{"text": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"text": "x"}',
    "deep": b"[" * DEEP,
    "deep and closed": b'{"text": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * (DEEP // 2) + b"1" + b"}" * (DEEP // 2),
    "NaN": b'{"text": NaN}',
    "Infinity": b'{"parent": -Infinity, "text": "x"}',
    "a lone surrogate": b'{"text": "\\ud800"}',
    "half a pair": b'{"text": "\\udc00 x"}',
    "a trailing comma": b'{"text": "x",}',
    "single quotes": b"{'text': 'x'}",
    "NUL": b'{"text": "x\x00"}',
    "white space": b"  ",
}
"""What no program can have meant."""

MISSHAPEN = {
    "an array": b'["text"]',
    "a string": b'"text"',
    "a number": b"5",
    "null": b"null",
    "true": b"true",
    "no text": b"{}",
    "text null": b'{"text": null}',
    "text a number": b'{"text": 5}',
    "text a list": b'{"text": ["x"]}',
    "text an object": b'{"text": {"x": "y"}}',
    "a huge number": b'{"text": "x", "parent": ' + b"9" * 5000 + b"}",
    "a huge exponent": b'{"text": "x", "parent": 1e999}',
    "an id that is none": b'{"text": "x", "request_id": "x"}',
    "an id that is a number": b'{"text": "x", "request_id": 5}',
}
"""JSON that is not what is taken here."""


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_cannot_be_read(program: Program, rows: Any, body: bytes) -> None:
    conversation = program.make()
    refused = program.send("POST", f"{conversation}/messages", body)
    assert refused.status_code in {400, 422}, refused.text
    error(refused, refused.status_code, {400: "unreadable", 422: "invalid"}[refused.status_code])
    assert rows(Message) == []


@pytest.mark.parametrize("body", MISSHAPEN.values(), ids=MISSHAPEN.keys())
def test_a_body_of_another_shape(program: Program, rows: Any, body: bytes) -> None:
    conversation = program.make()
    refused = program.send("POST", f"{conversation}/messages", body)
    assert refused.status_code in {400, 422}, refused.text
    error(refused, refused.status_code, {400: "unreadable", 422: "invalid"}[refused.status_code])
    assert rows(Message) == []


def test_every_wrong_field_is_named(program: Program) -> None:
    body = {"request_id": 5, "parent": -1}
    said = error(program.send("POST", f"{program.make()}/messages", body), 422, "invalid")
    assert set(said["fields"]) == {"text", "request_id", "parent"}
    assert all(said["fields"].values())


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "\ufffe\uffff", "\u202e x", "\x1b[31m x"])
def test_odd_characters_are_kept_or_refused_never_broken(program: Program, text: str) -> None:
    asked = program.ask(program.make(), text)
    if asked.status_code == 201:
        kept = asked.json["question"]["text"]  # type: ignore[index]
        assert kept.replace("\ufffd", "\x00").replace("\x00", "") == text.replace("\x00", "")
    else:
        error(asked, 422, "invalid")


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "application/xml",
     "text/json", "", "application/octet-stream"],
)  # fmt: skip
def test_only_json_is_taken(program: Program, rows: Any, kind: str) -> None:
    conversation = program.make()
    for method, path in (("POST", f"{conversation}/messages"), ("PATCH", conversation)):
        refused = program.send(method, path, b'{"text": "x"}', headers={"Content-Type": kind})
        error(refused, 415, "unsupported_media_type")
    assert rows(Message) == []


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/ld+json"])
def test_json_by_any_of_its_names(program: Program, kind: str) -> None:
    path = f"{program.make()}/messages"
    assert (
        program.send("POST", path, {"text": "x"}, headers={"Content-Type": kind}).status_code == 201
    )


def test_a_body_that_is_too_large(program: Program, rows: Any) -> None:
    body = b'{"text": "' + b"x" * 600_000 + b'"}'
    error(program.send("POST", f"{program.make()}/messages", body), 413, "too_large")
    assert rows(Message) == []


def test_a_body_that_does_not_say_how_long_it_is(program: Program, rows: Any) -> None:
    refused = program.send(
        "POST", f"{program.make()}/messages", headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )  # fmt: skip
    error(refused, 400, "unreadable")
    assert rows(Message) == []


NOWHERE = [
    "/api/v1/nothing", "/api/", "/api/v1/conversations/", "/v1/x", "/api/v1/conversations/x",
    f"/api/v1/conversations/{UUID(int=7).hex}", "/api/v1/%00", "/chat/nothing",
]  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE)
def test_an_address_that_is_none_says_so_in_json(program: Program, path: str) -> None:
    refused = program.send("GET", path)
    assert refused.status_code == 404
    assert refused.mimetype == "application/json"
    assert refused.json["error"]["code"] == "not_found"  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "ending", "allowed"),
    [
        ("PUT", "", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("POST", "", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("DELETE", "/messages", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("POST", "/messages/2", {"GET", "HEAD", "OPTIONS"}),
        ("PATCH", "/messages/2", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/messages/2/stop", {"POST", "OPTIONS"}),
        ("GET", "/messages/2/retry", {"POST", "OPTIONS"}),
        ("POST", "/messages/2/stream", {"GET", "HEAD", "OPTIONS"}),
        ("TRACE", "", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("PROPFIND", "", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
    ],
)
def test_what_an_address_cannot_do_it_says(
    program: Program, method: str, ending: str, allowed: set[str]
) -> None:
    conversation = program.talk()
    refused = program.send(method, conversation + ending)
    error(refused, 405, "method_not_allowed")
    assert set(refused.headers["Allow"].split(", ")) == allowed
    assert len(program.get(f"{conversation}/messages")["items"]) == 2


def test_no_method_is_another_in_disguise(program: Program) -> None:
    conversation = program.talk()
    headers = {"X-HTTP-Method-Override": "DELETE"}
    error(program.send("POST", conversation, {"_method": "DELETE"}, headers=headers), 405,
          "method_not_allowed")  # fmt: skip
    assert program.get(conversation)


def test_head_has_no_body_and_no_effect(program: Program) -> None:
    conversation = program.talk()
    for path in (ALL, conversation, f"{conversation}/messages", f"{conversation}/messages/2"):
        response = program.send("HEAD", path)
        assert (response.status_code, response.data) == (200, b"")


class TestTokens:
    @pytest.fixture
    def shown(self, app: Flask) -> Callable[[str], Program]:
        """A program with a token of that scope; all of them are one owner's."""
        owner = owners.guest(owners.new_token())

        def make(scope: str) -> Program:
            with app.app_context():
                secret = tokens.make(owner, "test", scope, None)
            return Program(app.test_client(), {"Authorization": f"Bearer {secret}"})

        return make

    def test_one_that_writes_may_do_all(self, shown: Callable[[str], Program]) -> None:
        program = shown("write")
        conversation = program.talk()
        assert shown("read").get(f"{conversation}/messages/2")["status"] == "complete"
        assert program.send("DELETE", conversation).status_code == 204

    def test_one_that_reads_may_change_nothing(
        self, shown: Callable[[str], Program], rows: Callable[[type[Any]], list[Any]]
    ) -> None:
        conversation = shown("write").talk()
        reader = shown("read")
        before = rows(Conversation), rows(Message)
        for method, path in (
            ("POST", ALL), ("PATCH", conversation), ("DELETE", conversation),
            ("POST", f"{conversation}/messages"), ("POST", f"{conversation}/messages/2/retry"),
            ("POST", f"{conversation}/messages/2/stop"),
            ("POST", f"{conversation}/messages/2/continue"),
        ):  # fmt: skip
            error(reader.send(method, path, {"text": "x"}), 403, "forbidden")
        assert (rows(Conversation), rows(Message)) == before

    def test_one_that_was_revoked_is_none(self, app: Flask) -> None:
        owner = owners.guest(owners.new_token())
        with app.app_context():
            secret = tokens.make(owner, "test", "write", None)
        program = Program(app.test_client(), {"Authorization": f"Bearer {secret}"})
        assert program.get(ALL)
        with app.app_context():
            tokens.revoke(owner, tokens.of(owner)[0].id)
        error(program.send("GET", ALL), 401, "unauthorized")

    def test_it_counts_more_than_a_session_and_a_cookie(
        self, shown: Callable[[str], Program], program: Program
    ) -> None:
        holder = shown("write")
        conversation = holder.make()
        holder.headers |= program.headers
        assert holder.get(conversation)
        error(program.send("GET", conversation), 404, "not_found")


class TestLimits:
    @pytest.fixture(autouse=True)
    def minute(self) -> None:
        """No minute ends while a test runs."""
        left = 60 - time.time() % 60
        if left < 15:
            time.sleep(left)

    def test_what_is_left_is_told_with_each_question(self, serving: Any) -> None:
        app = serving(LIMIT_QUESTIONS_PER_MINUTE="3", LIMIT_QUESTIONS_PER_DAY="9")
        program = Program(app.test_client())
        made = program.send("POST", ALL)
        assert made.headers["RateLimit-Policy"] == '"minute";q=3, "day";q=9'
        minute, day = made.headers["RateLimit"].split(", ")
        assert minute.startswith('"minute";r=2;t=')
        assert day.startswith('"day";r=8;t=')
        assert 0 < int(minute.rpartition("=")[2]) <= 60
        assert "RateLimit" not in program.send("GET", ALL).headers

    def test_one_too_many_is_told_when_to_come_again(self, serving: Any) -> None:
        program = Program(serving(LIMIT_QUESTIONS_PER_MINUTE="2").test_client())
        conversation = program.make()
        name = {"request_id": str(uuid4())}
        program.asked(conversation, **name)
        program.ended(conversation, 2)
        refused = program.ask(conversation, "And?")
        error(refused, 429, "too_many")
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert '"minute";r=0' in refused.headers["RateLimit"]
        # What was asked already is told again, and costs nothing.
        assert program.ask(conversation, **name).status_code == 200
        error(program.send("POST", f"{conversation}/messages/2/retry"), 429, "too_many")
        error(program.send("POST", ALL), 429, "too_many")

    def test_answers_at_once(self, serving: Any, model: ScriptedModel) -> None:
        model.script = Script(do="stall")
        program = Program(serving(LIMIT_ANSWERS_AT_ONCE="1").test_client())
        first, second = program.make(), program.make()
        program.asked(first)
        refused = program.ask(second)
        error(refused, 429, "too_many")
        assert int(refused.headers["Retry-After"]) > 0
        program.send("POST", f"{first}/messages/2/stop")


def test_a_database_that_is_away_is_told_with_when_to_come_again(
    serving: Callable[..., Flask], database_url: str, tmp_path: Any
) -> None:
    """PostgreSQL: nobody listens there; SQLite: the file is no database."""
    program = Program(serving().test_client())
    conversation = program.talk()
    if database_url.startswith("sqlite"):
        (tmp_path / "broken.db").write_bytes(b"no database at all" * 1000)
        away = f"sqlite:///{tmp_path}/broken.db"
    else:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            away = f"postgresql://nobody@127.0.0.1:{closed.getsockname()[1]}/nothing"
    lost = Program(serving(DATABASE_URL=away).test_client(), program.headers)
    for method, path, body in (
        ("GET", ALL, None), ("GET", conversation, None), ("POST", ALL, {}),
        ("POST", f"{conversation}/messages", {"text": "x"}),
        ("GET", f"{conversation}/messages/2/stream", None),
    ):  # fmt: skip
        refused = lost.send(method, path, body)
        said = error(refused, 503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert "nobody" not in said["message"]
