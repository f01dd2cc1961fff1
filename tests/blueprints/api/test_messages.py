"""``/api/v1/conversations/<id>/messages``: asking, reading, waiting, stopping, asking again."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb.blueprints.api.shapes import Message as Shown
from chatweb.models import Conversation, Message
from chatweb.services import messages, owners
from tests import factories
from tests.blueprints.api.program import Program, error
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

FIELDS = {
    "position", "parent", "role", "text", "status", "created_at", "request_id", "metadata",
    "citations",
}  # fmt: skip

SOON, LONG = 0.2, 30


def positions(*pages: list[Any]) -> list[int]:
    return [each["position"] for page in pages for each in page]


def stalled(program: Program, model: ScriptedModel, words: int = 5) -> str:
    """A conversation whose answer has begun and does not end."""
    model.script = Script(do="stall", after=words)
    conversation = program.make()
    program.asked(conversation)
    wait_until(lambda: model.requests and model.requests[-1].sent >= words, seconds=10)
    return conversation


class TestAsking:
    def test_gives_the_question_and_the_answer_that_was_begun(
        self, program: Program, model: ScriptedModel
    ) -> None:
        model.script = Script(do="stall")
        conversation = program.make()
        name = str(uuid4())
        asked = program.asked(conversation, "Why?", request_id=name)
        assert set(asked) == {"question", "answer"}
        question, answer = asked["question"], asked["answer"]
        assert set(question) == set(answer) == FIELDS
        assert question | {"created_at": ""} == {
            "position": 1, "parent": None, "role": "user", "text": "Why?", "status": "complete",
            "created_at": "", "request_id": name, "metadata": {}, "citations": [],
        }  # fmt: skip
        assert (answer["position"], answer["parent"], answer["role"]) == (2, 1, "assistant")
        assert (answer["status"], answer["text"], answer["request_id"]) == ("streaming", "", None)

    def test_the_same_request_gives_the_same_pair(
        self, program: Program, rows: Any, model: ScriptedModel
    ) -> None:
        conversation = program.make()
        name = {"request_id": str(uuid4())}
        first = program.ask(conversation, "Why?", **name)
        program.ended(conversation, 2)
        second = program.ask(conversation, "Why?", **name)
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json["question"] == first.json["question"]  # type: ignore[index]
        assert second.json["answer"] == program.ended(conversation, 2)  # type: ignore[index]
        assert len(rows(Message)) == 2
        assert len(model.requests) == 1

    def test_another_text_under_it_is_refused(self, program: Program, rows: Any) -> None:
        conversation = program.talk()
        name = {"request_id": str(uuid4())}
        program.asked(conversation, "Why?", **name)
        program.ended(conversation, 4)
        error(program.ask(conversation, "Why not?", **name), 422, "invalid")
        error(program.ask(program.make(), "Why?", **name), 422, "invalid")
        error(program.ask(conversation, "Why?", parent=0, **name), 422, "invalid")
        assert len(rows(Message)) == 4

    @pytest.mark.parametrize("key", ["a key of mine", "42", "e" * 255, "caf\u00e9", " "])
    def test_a_key_may_be_any_text(self, program: Program, rows: Any, key: str) -> None:
        conversation = program.make()
        headers = {"Idempotency-Key": key}
        first, second = (program.ask(conversation, headers=headers) for _ in range(2))
        assert first.status_code == 201
        if key.strip():
            assert second.status_code == 200
            assert len(rows(Message)) == 2

    def test_a_key_that_is_a_uuid_is_the_request_id(self, program: Program) -> None:
        conversation = program.make()
        name = str(uuid4())
        asked = program.asked(conversation, headers={"Idempotency-Key": name.upper()})
        assert asked["question"]["request_id"] == name
        assert program.ask(conversation, request_id=name).status_code == 200
        both = program.ask(conversation, request_id=name, headers={"Idempotency-Key": name})
        assert both.status_code == 200

    @pytest.mark.parametrize("key", [str(UUID(int=7)), "a key of mine", "e" * 256])
    def test_a_key_that_says_something_else_is_refused(
        self, program: Program, rows: Any, key: str
    ) -> None:
        asked = program.ask(
            program.make(), request_id=str(uuid4()), headers={"Idempotency-Key": key}
        )
        error(asked, 422, "invalid")
        assert rows(Message) == []

    def test_the_same_key_of_another_is_another(self, program: Program, stranger: Program) -> None:
        headers = {"Idempotency-Key": "the same"}
        for each in (program, stranger):
            assert each.ask(each.make(), headers=headers).status_code == 201

    def test_one_at_a_time(self, program: Program, model: ScriptedModel) -> None:
        conversation = stalled(program, model)
        error(program.ask(conversation, "And?"), 409, "conflict")
        program.send("POST", f"{conversation}/messages/2/stop")

    @pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u2060", "x" * 32_001])
    def test_a_text_that_is_none_or_too_long_is_refused(
        self, program: Program, rows: Any, text: str
    ) -> None:
        error(program.ask(program.make(), text), 422, "invalid")
        assert rows(Message) == []

    def test_the_longest_text_is_kept_whole(self, program: Program) -> None:
        text = "🌍" * 32_000
        assert program.asked(program.make(), text)["question"]["text"] == text

    def test_what_only_the_server_may_say_is_ignored(
        self, program: Program, stranger: Program, rows: Any
    ) -> None:
        conversation = program.make()
        asked = program.asked(
            conversation, owner_id=str(uuid4()), role="system", status="failed", position=99,
            model="another", base_url="http://192.0.2.1", created_at="2001-01-01T00:00:00Z",
            metadata={"x": 1}, citations=[{}], is_admin=True,
        )  # fmt: skip
        program.ended(conversation, 2)
        question = asked["question"]
        assert (question["role"], question["status"], question["position"]) == (
            "user", "complete", 1,
        )  # fmt: skip
        assert (question["metadata"], question["citations"]) == ({}, [])
        assert not question["created_at"].startswith("2001")
        owner = owners.guest(owners.of_session(UUID(program.headers["X-Session-ID"])))
        assert {each.owner_id for each in rows(Message)} == {owner.id}


class TestTheParent:
    def test_is_the_newest_message_shown_unless_named(self, program: Program) -> None:
        conversation = program.talk("One?", "Two?")
        assert program.asked(conversation, parent=None)["question"]["parent"] == 4

    def test_may_be_an_earlier_answer(self, program: Program) -> None:
        conversation = program.talk("One?", "Two?")
        asked = program.asked(conversation, "Other two?", parent=2)
        assert asked["question"]["parent"] == 2
        assert program.get(conversation)["head"] == asked["answer"]["position"] == 6

    def test_zero_is_a_first_question(self, program: Program, model: ScriptedModel) -> None:
        conversation = program.talk("One?")
        asked = program.asked(conversation, "Once more?", parent=0)
        assert asked["question"]["parent"] is None
        program.ended(conversation, 4)
        assert [each["content"] for each in model.requests[-1].messages if
                each["role"] != "system"] == ["Once more?"]  # fmt: skip

    @pytest.mark.parametrize("parent", [1, 3, 99, 2**31 - 1, 2**31, 2**70, -1, 2.5, "2", True, []])
    def test_is_an_answer_that_is_there(self, program: Program, rows: Any, parent: object) -> None:
        conversation = program.talk()
        error(program.ask(conversation, parent=parent), 422, "invalid")
        assert len(rows(Message)) == 2

    def test_is_in_the_same_conversation(self, program: Program) -> None:
        program.talk("One?", "Two?")
        error(program.ask(program.talk(), parent=4), 422, "invalid")


class TestTheList:
    @pytest.fixture
    def seven(self, app: Flask, program: Program) -> str:
        """A conversation of two branches: 1 2 3 4, and from 2 on also 5 6; 7 is another 6."""
        owner = owners.guest(owners.of_session(UUID(program.headers["X-Session-ID"])))
        with app.app_context():
            found = factories.tree(owner, [0, 1, 2, 3, 2, 5, 5])
        return f"/api/v1/conversations/{found}"

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 100])
    def test_its_pages_have_each_once_in_both_orders(
        self, program: Program, seven: str, limit: int
    ) -> None:
        path = f"{seven}/messages"
        newest = list(program.pages(path, limit=limit))
        oldest = list(program.pages(path, "after", limit=limit, order="oldest"))
        assert positions(*newest) == [7, 6, 5, 4, 3, 2, 1]
        assert positions(*oldest) == [1, 2, 3, 4, 5, 6, 7]
        assert len(newest) == len(oldest) == -(-7 // limit)

    def test_between_positions(self, program: Program, seven: str) -> None:
        found = program.get(f"{seven}/messages", after=2, before=6)
        assert (positions(found["items"]), found["next"]) == ([5, 4, 3], None)
        found = program.get(f"{seven}/messages", after=5, before=5)
        assert (positions(found["items"]), found["next"]) == ([], None)

    @pytest.mark.parametrize(
        ("branch", "found"), [(7, [7, 5, 2, 1]), (4, [4, 3, 2, 1]), (1, [1]), (0, [])]
    )
    @pytest.mark.parametrize("limit", [1, 2, 50])
    def test_a_branch_is_what_leads_to_a_message(
        self, program: Program, seven: str, branch: int, found: list[int], limit: int
    ) -> None:
        pages = program.pages(f"{seven}/messages", branch=branch, limit=limit)
        assert positions(*pages) == found

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ({"branch": 99}, 404, "not_found"),
            ({"branch": 4, "before": 99}, 404, "not_found"),
            ({"branch": 4, "after": 1}, 422, "invalid"),
            ({"branch": 4, "order": "oldest"}, 422, "invalid"),
            ({"order": "random"}, 422, "invalid"),
            ({"before": "x"}, 422, "invalid"),
            ({"before": 2**31}, 422, "invalid"),
            ({"after": -1}, 422, "invalid"),
            ({"limit": 101}, 422, "invalid"),
            ({"limit": 0}, 422, "invalid"),
        ],
    )
    def test_refuses_what_it_cannot_do(
        self, program: Program, seven: str, query: Any, status: int, code: str
    ) -> None:
        error(program.send("GET", f"{seven}/messages", query_string=query), status, code)

    def test_has_an_answer_in_progress_as_far_as_it_is(
        self, program: Program, model: ScriptedModel
    ) -> None:
        conversation = stalled(program, model)
        answer = answer_to("Why?")
        wait_until(lambda: program.get(f"{conversation}/messages/2")["text"], seconds=10)
        newest = program.get(f"{conversation}/messages", limit=1)["items"][0]
        assert newest["status"] == "streaming"
        assert newest["text"]
        assert answer.startswith(newest["text"])
        program.send("POST", f"{conversation}/messages/2/stop")


class TestReading:
    def test_a_message_by_its_position(self, program: Program) -> None:
        conversation = program.talk("Why?")
        question, answer = (program.get(f"{conversation}/messages/{each}") for each in (1, 2))
        assert (question["text"], answer["text"]) == ("Why?", answer_to("Why?"))
        assert program.get(f"{conversation}/messages")["items"] == [answer, question]

    @pytest.mark.parametrize("position", ["0", "3", "99", "2147483648", "9" * 30, "-1", "x", "1.0"])
    def test_where_there_is_none(self, program: Program, position: str) -> None:
        path = f"{program.talk()}/messages/{position}"
        for method, ending in (("GET", ""), ("GET", "/stream"), ("POST", "/stop"),
                               ("POST", "/retry"), ("POST", "/continue")):  # fmt: skip
            error(program.send(method, path + ending), 404, "not_found")

    def test_what_is_known_is_not_sent_again(self, program: Program, model: ScriptedModel) -> None:
        conversation = stalled(program, model)
        path = f"{conversation}/messages/2"
        tag = program.send("GET", path).headers["ETag"]
        program.send("POST", f"{path}/stop")
        ended = program.send("GET", path, headers={"If-None-Match": tag})
        assert ended.status_code == 200
        again = program.send("GET", path, headers={"If-None-Match": ended.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


def test_an_answer_that_ended_since_it_was_read_is_told_as_it_ended(
    app: Flask, program: Program, model: ScriptedModel
) -> None:
    conversation = stalled(program, model)
    wait_until(lambda: program.get(f"{conversation}/messages/2")["text"], seconds=10)
    with app.app_context():
        row = messages.read(UUID(conversation.rpartition("/")[2]), [2])[0]
    program.send("POST", f"{conversation}/messages/2/stop")

    with app.app_context():
        found = Shown.of(row)

    assert row.status == "streaming"
    assert found.status == "stopped"
    assert found.text == program.get(f"{conversation}/messages/2")["text"] != ""


class TestWaiting:
    def test_returns_at_the_end(self, program: Program, model: ScriptedModel) -> None:
        model.script = Script(tokens=30, interval=0.01)
        conversation = program.make()
        program.asked(conversation)
        began = time.monotonic()
        found = program.get(f"{conversation}/messages/2", wait=60)
        assert (found["status"], found["text"]) == ("complete", answer_to("Why?", 30))
        assert time.monotonic() - began < LONG

    def test_returns_at_its_time_with_what_there_is(
        self, program: Program, model: ScriptedModel
    ) -> None:
        conversation = stalled(program, model)
        began = time.monotonic()
        found = program.get(f"{conversation}/messages/2", wait=SOON)
        assert SOON / 2 < time.monotonic() - began < LONG
        assert found["status"] == "streaming"
        program.send("POST", f"{conversation}/messages/2/stop")

    def test_is_not_needed_where_it_has_ended(self, program: Program) -> None:
        began = time.monotonic()
        assert program.get(f"{program.talk()}/messages/1", wait=60)["status"] == "complete"
        assert time.monotonic() - began < LONG

    @pytest.mark.parametrize("wait", ["-1", "60.1", "61", "1e9", "nan", "inf", "x", "", "1s"])
    def test_refuses_what_is_no_time(self, program: Program, wait: str) -> None:
        asked = program.send("GET", f"{program.talk()}/messages/2", query_string={"wait": wait})
        assert list(error(asked, 422, "invalid")["fields"]) == ["wait"]

    def test_ends_with_the_conversation(self, program: Program, model: ScriptedModel) -> None:
        conversation = stalled(program, model)
        program.send("DELETE", conversation)
        path = f"{conversation}/messages/2"
        error(program.send("GET", path, query_string={"wait": 20}), 404, "not_found")


class TestStopping:
    def test_keeps_what_was_seen(self, program: Program, model: ScriptedModel) -> None:
        conversation = stalled(program, model)
        seen = len(answer_to("Why?").split()[0]) + 2
        stopped: Any = program.send(
            "POST", f"{conversation}/messages/2/stop", {"seen": seen}
        ).json  # fmt: skip
        assert stopped["status"] == "stopped"
        assert stopped["text"] == answer_to("Why?")[:seen]
        assert stopped == program.get(f"{conversation}/messages/2")
        assert model.wait_for(lambda: model.requests[0].left_early)

    @pytest.mark.parametrize("body", [None, {}, {"seen": None}, {"seen": 100_000}])
    def test_keeps_all_where_nothing_is_said(
        self, program: Program, model: ScriptedModel, body: Any
    ) -> None:
        conversation = stalled(program, model)
        stopped: Any = program.send("POST", f"{conversation}/messages/2/stop", body).json
        assert stopped["status"] == "stopped"
        assert stopped["text"].split() == answer_to("Why?").split()[:5]

    @pytest.mark.parametrize("seen", [-1, "5", 2.5, 2**31, [], True])
    def test_refuses_what_is_no_number_of_characters(
        self, program: Program, model: ScriptedModel, seen: object
    ) -> None:
        conversation = stalled(program, model)
        path = f"{conversation}/messages/2"
        error(program.send("POST", f"{path}/stop", {"seen": seen}), 422, "invalid")
        assert program.get(path)["status"] == "streaming"
        program.send("POST", f"{path}/stop")

    def test_changes_nothing_that_has_ended(self, program: Program) -> None:
        path = f"{program.talk()}/messages/2"
        before = program.get(path)
        stopped = program.send("POST", f"{path}/stop", {"seen": 0})
        assert (stopped.status_code, stopped.json) == (200, before)


class TestAskingAgain:
    def test_another_answer_is_a_sibling(self, program: Program) -> None:
        conversation = program.talk()
        name = {"request_id": str(uuid4())}
        again = program.send("POST", f"{conversation}/messages/2/retry", name)
        assert again.status_code == 201
        body: Any = again.json
        assert (body["question"]["position"], body["answer"]["position"]) == (1, 3)
        assert body["answer"]["request_id"] == name["request_id"]
        assert program.ended(conversation, 3)["parent"] == 1
        same = program.send("POST", f"{conversation}/messages/2/retry", name)
        assert same.status_code == 200
        assert same.json["answer"] == program.ended(conversation, 3)  # type: ignore[index]

    def test_it_goes_on_with_what_was_cut(self, program: Program, model: ScriptedModel) -> None:
        conversation = stalled(program, model)
        stopped: Any = program.send("POST", f"{conversation}/messages/2/stop").json
        model.script = Script()
        on = program.send("POST", f"{conversation}/messages/2/continue")
        assert on.status_code == 201
        assert on.json["answer"]["position"] == 3  # type: ignore[index]
        ended = program.ended(conversation, 3)
        assert ended["status"] == "complete"
        assert ended["text"].startswith(stopped["text"].rstrip())
        assert program.get(f"{conversation}/messages/2") == stopped

    def test_nothing_goes_on_that_was_not_cut(self, program: Program) -> None:
        conversation = program.talk()
        error(program.send("POST", f"{conversation}/messages/2/continue"), 409, "conflict")

    @pytest.mark.parametrize("way", ["retry", "continue"])
    def test_a_question_is_no_answer(self, program: Program, way: str) -> None:
        conversation = program.talk()
        error(program.send("POST", f"{conversation}/messages/1/{way}"), 404, "not_found")

    @pytest.mark.parametrize("way", ["retry", "continue"])
    def test_a_request_of_something_else_is_refused(self, program: Program, way: str) -> None:
        conversation = program.make()
        name = {"request_id": str(uuid4())}
        program.asked(conversation, **name)
        program.ended(conversation, 2)
        path = f"{conversation}/messages/2/{way}"
        error(program.send("POST", path, name), 422, "invalid")


def test_a_strangers_is_as_if_it_were_not_there(
    app: Flask, program: Program, stranger: Program, stored: Any
) -> None:
    """Byte for byte, but for the number of the request."""
    mine = program.talk()
    nowhere = f"/api/v1/conversations/{uuid4()}"
    before = stored()
    ways: list[tuple[str, str, Any]] = [
        ("GET", "", None), ("PATCH", "", {"title": "x"}), ("DELETE", "", None),
        ("GET", "/messages", None), ("GET", "/messages?branch=2", None),
        ("POST", "/messages", {"text": "x"}), ("POST", "/messages", {"text": "x", "parent": 2}),
        ("GET", "/messages/2", None), ("GET", "/messages/2?wait=1", None),
        ("GET", "/messages/2/stream", None), ("POST", "/messages/2/stop", {"seen": 0}),
        ("POST", "/messages/2/retry", {}), ("POST", "/messages/2/continue", {}),
    ]  # fmt: skip
    for method, ending, body in ways:
        found = []
        for address in (mine, nowhere):
            response = stranger.send(method, address + ending, body)
            said = error(response, 404, "not_found")
            found.append(response.data.replace(said["request_id"].encode(), b""))
        assert found[0] == found[1], (method, ending)
    assert stored() == before


def test_a_message_of_another_conversation_is_not_there(program: Program) -> None:
    program.talk("One?", "Two?")
    error(program.send("GET", f"{program.talk()}/messages/4"), 404, "not_found")


def test_titles_and_counts_follow(program: Program, rows: Any) -> None:
    conversation = program.talk("Why is it so?")
    found = program.get(conversation)
    assert (found["message_count"], found["head"]) == (2, 2)
    assert found["last_message_at"] >= found["created_at"]
    assert len(rows(Conversation)) == 1
