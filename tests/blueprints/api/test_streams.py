"""Following an answer: from any moment on, the pieces are the text, and the end is the message."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest
from flask import Flask

from chatweb import replies
from tests.blueprints.api.program import Program, error, told
from tests.blueprints.browser import Browser, stream_of
from tests.blueprints.live_page import events
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

TEXT = "A first line.\n\n- é\n- 日本 😀\n\n```\ndata: x\n\nid: 7\r\n```\n\u2028 The \x85 end."
PIECES = tuple(TEXT[at : at + 3] for at in range(0, len(TEXT), 3))


@pytest.fixture
def growing(program: Program, model: ScriptedModel) -> str:
    """A conversation whose answer grows slowly enough to be followed as it comes."""
    model.script = Script(pieces=PIECES, interval=0.03)
    conversation = program.make()
    program.asked(conversation)
    return conversation


@pytest.fixture
def stalled(program: Program, model: ScriptedModel) -> str:
    """One whose answer has begun and does not end."""
    model.script = Script(do="stall", after=5)
    conversation = program.make()
    program.asked(conversation)
    wait_until(lambda: model.requests and model.requests[0].sent == 5, seconds=10)
    return conversation


def test_an_answer_is_followed_as_it_comes(program: Program, growing: str) -> None:
    found = program.follow(growing, 2)
    text, message = told(found)
    assert text == TEXT
    assert len(found) > 3
    assert message == program.get(f"{growing}/messages/2")
    assert (message["status"], message["text"]) == ("complete", TEXT)


def test_one_that_has_ended_is_told_at_once(program: Program) -> None:
    conversation = program.talk()
    (whole, done) = program.follow(conversation, 2)
    assert msgspec.json.decode(whole["data"]) == {"offset": 0, "text": answer_to("Why?")}
    assert msgspec.json.decode(done["data"]) == program.get(f"{conversation}/messages/2")


def test_a_question_has_a_stream_that_ends_at_once(program: Program) -> None:
    assert told(program.follow(program.talk("So?"), 1))[0] == "So?"


def test_it_is_an_event_stream_that_nobody_keeps_or_packs(program: Program) -> None:
    path = f"{program.talk()}/messages/2/stream"
    response = program.send("GET", path, headers={"Accept-Encoding": "gzip"})
    assert response.mimetype == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in response.headers


def test_after_every_event_the_rest_is_the_rest(program: Program, growing: str) -> None:
    """Whether the place is told as browsers do or in the address."""
    first = program.follow(growing, 2)
    known = ""
    for each in first[:-1]:
        known += msgspec.json.decode(each["data"])["text"]
        for options in (
            {"headers": {"Last-Event-ID": each["id"]}},
            {"query_string": {"after": each["id"]}},
            {"headers": {"Last-Event-ID": each["id"]}, "query_string": {"after": "0"}},
        ):
            text, message = told(program.follow(growing, 2, **options), known)
            assert (text, message["text"]) == (TEXT, TEXT)


def test_who_comes_back_in_the_middle_hears_the_rest_as_it_comes(
    program: Program, growing: str
) -> None:
    path = f"{growing}/messages/2"
    wait_until(lambda: program.get(path)["text"], seconds=10)
    known = program.get(path)["text"]
    found = program.follow(growing, 2, query_string={"after": len(known)})
    assert told(found, known)[0] == TEXT


def test_who_knows_more_than_this_process_is_told_nothing_twice(
    program: Program, stalled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror of an answer that another process writes grows from nothing."""
    mirror = replies.LiveText(0, TEXT[:3])
    monkeypatch.setattr(replies, "watching", lambda answer_id: nullcontext(mirror))
    growth = (mirror.append, TEXT[3:7]), (mirror.append, TEXT[7:12]), (mirror.finish, TEXT)
    growing = [
        threading.Timer(0.3 * number, *each[:1], each[1:]) for number, each in enumerate(growth, 1)
    ]
    for each in growing:
        each.start()

    found = program.follow(stalled, 2, query_string={"after": 10})

    assert told(found, TEXT[:10])[0] == TEXT
    assert len(found) > 2


def test_where_there_is_no_place_to_follow_it_what_there_is_is_told(
    serving: Any, model: ScriptedModel
) -> None:
    """The threads are for all: who follows by HTTP/1.0 takes one."""
    model.script = Script(do="stall", after=5)
    app = serving(THREADS="4")
    program = Program(app.test_client())
    conversation = program.make()
    program.asked(conversation)
    path = f"{conversation}/messages/2/stream"
    so_far = answer_to("Why?", 5)
    wait_until(lambda: program.get(path.removesuffix("/stream"))["text"] == so_far, seconds=10)
    first = Program(app.test_client(), program.headers)
    stream = first.client.get(path, headers=first.headers, buffered=False)
    assert next(iter(stream.response))

    (piece,) = program.follow(conversation, 2)
    assert msgspec.json.decode(piece["data"]) == {"offset": 0, "text": so_far}
    assert program.follow(conversation, 2, query_string={"after": piece["id"]}) == []

    stream.close()
    other = Program(app.test_client(), program.headers)
    stopping = threading.Timer(0.3, other.send, ("POST", f"{conversation}/messages/2/stop"))
    stopping.start()
    assert told(program.follow(conversation, 2))[1]["status"] == "stopped"


def test_a_place_behind_the_end_is_the_end(program: Program) -> None:
    (done,) = program.follow(program.talk(), 2, query_string={"after": 10_000})
    assert done["event"] == "done"


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "", "²", "9" * 40, "2147483648"])
def test_a_place_that_is_none(program: Program, after: str) -> None:
    """In the address it is refused, as every parameter; in the header it is no place: browsers
    send there whatever an event was called."""
    conversation = program.talk()
    path = f"{conversation}/messages/2/stream"
    error(program.send("GET", path, query_string={"after": after}), 422, "invalid")
    if after.isascii():
        found = program.follow(conversation, 2, headers={"Last-Event-ID": after})
        assert told(found)[0] == answer_to("Why?")


def test_a_page_and_a_program_follow_one_answer_each_in_its_way(
    app: Flask, browser: Browser, model: ScriptedModel
) -> None:
    model.script = Script(pieces=PIECES, interval=0.03)
    conversation = browser.begin("Why?")
    cookie = browser.client.get_cookie("chatweb")
    assert cookie
    heard: dict[str, str] = {}

    def follow(kind: str, path: str) -> None:
        client = app.test_client()
        client.set_cookie("chatweb", cookie.value)
        heard[kind] = client.get(path).text

    address = f"/api/v1/conversations/{conversation}/messages/2/stream"
    ways = {"page": stream_of(conversation), "program": address, "program 2": address}
    followers = [threading.Thread(target=follow, args=each) for each in ways.items()]
    for each in followers:
        each.start()
    for each in followers:
        each.join(30)
    for kind in ("program", "program 2"):
        text, message = told([each for each in events(heard[kind]) if "data" in each])
        assert (text, message["status"]) == (TEXT, "complete")
    page = list(events(heard["page"]))
    assert page[-1]["event"] == "done"
    assert all("hx-partial" in each["data"] for each in page if "event" not in each)
    fresh = browser.page(f"/c/{conversation}")
    assert fresh.one("#message-2")["data-status"] == "complete"


def test_a_stop_is_told(program: Program, stalled: str) -> None:
    heard: list[Any] = []
    follower = threading.Thread(target=lambda: heard.append(program.follow(stalled, 2)))
    follower.start()
    program.send("POST", f"{stalled}/messages/2/stop")
    follower.join(30)
    text, message = told(heard[0])
    assert message["status"] == "stopped"
    assert text == message["text"]


def test_a_stop_at_less_than_was_told_is_in_the_last_event(
    app: Flask, program: Program, stalled: str
) -> None:
    stream = program.client.get(
        f"{stalled}/messages/2/stream", headers=program.headers, buffered=False
    )
    parts = (bytes(each).decode() for each in stream.response)
    heard = ""
    while '"text"' not in heard:
        heard += next(parts)
    other = Program(app.test_client(), program.headers)
    other.send("POST", f"{stalled}/messages/2/stop", {"seen": 3})
    heard += "".join(parts)
    stream.close()
    *_, done = events(heard)
    message = msgspec.json.decode(done["data"])
    assert (message["status"], message["text"]) == ("stopped", answer_to("Why?")[:3])


def test_a_deleted_conversation_ends_its_streams(
    app: Flask, program: Program, stalled: str
) -> None:
    stream = program.client.get(
        f"{stalled}/messages/2/stream", headers=program.headers, buffered=False
    )
    parts = (bytes(each).decode() for each in stream.response)
    heard = next(parts)
    other = Program(app.test_client(), program.headers)
    assert other.send("DELETE", stalled).status_code == 204
    heard += "".join(parts)
    stream.close()
    *_, done = (each for each in events(heard) if "data" in each)
    assert (done["event"], done["data"]) == ("done", "null")
    error(other.send("GET", f"{stalled}/messages/2/stream"), 404, "not_found")


def test_who_leaves_is_counted_out_and_ends_nothing(program: Program, model: ScriptedModel) -> None:
    model.script = Script(tokens=30, interval=0.02)
    conversation = program.make()
    program.asked(conversation)
    before = replies.LiveText.readers
    response = program.client.get(
        f"{conversation}/messages/2/stream", headers=program.headers, buffered=False
    )
    assert next(iter(response.response))
    assert replies.LiveText.readers == before + 1
    response.close()
    assert replies.LiveText.readers == before
    assert program.ended(conversation, 2)["text"] == answer_to("Why?", 30)
    assert not model.requests[0].left_early


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (Script(status=500), "failed"), (Script(status=401), "failed"),
        (Script(do="cut", after=3), "interrupted"), (Script(do="html"), "failed"),
        (Script(do="error", after=2), "interrupted"),
    ],
)  # fmt: skip
def test_how_an_answer_ended_is_told(
    program: Program, model: ScriptedModel, script: Script, status: str
) -> None:
    model.script = script
    conversation = program.make()
    program.asked(conversation)
    text, message = told(program.follow(conversation, 2))
    assert (message["status"], message["text"]) == (status, text)
    assert answer_to("Why?").startswith(text)
