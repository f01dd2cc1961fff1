"""Somebody's program: what it sends to the interface, as whom, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.blueprints.live_page import events

ALL = "/api/v1/conversations"


class Program:
    """One that shows ``headers`` with each request; a session of its own unless they say else."""

    def __init__(self, client: FlaskClient, headers: dict[str, str] | None = None) -> None:
        self.client = client
        self.headers = {"X-Session-ID": str(uuid4())} if headers is None else headers

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        """``body`` goes out as JSON, unless it is bytes."""
        headers = self.headers | options.pop("headers", {})
        if body is not None:
            headers = {"Content-Type": "application/json"} | headers
            options["data"] = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.client.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        """What a GET gives, which must succeed."""
        response = self.send("GET", path, query_string=query)
        assert response.status_code == 200, response.text
        return response.json

    def make(self, title: str | None = None) -> str:
        """The address of a new conversation."""
        response = self.send("POST", ALL, {"title": title} if title else {})
        assert response.status_code == 201, response.text
        return f"{ALL}/{response.json['id']}"  # type: ignore[index]

    def ask(self, conversation: str, text: str = "Why?", **more: Any) -> TestResponse:
        options = {"headers": more.pop("headers", {})}
        return self.send("POST", f"{conversation}/messages", {"text": text, **more}, **options)

    def asked(self, conversation: str, text: str = "Why?", **more: Any) -> Any:
        """A question and the answer that was begun."""
        response = self.ask(conversation, text, **more)
        assert response.status_code == 201, response.text
        return response.json

    def ended(self, conversation: str, position: int) -> Any:
        """An answer, when it has ended."""
        return self.get(f"{conversation}/messages/{position}", wait=20)

    def talk(self, *texts: str) -> str:
        """A conversation of these questions, all of them answered."""
        conversation = self.make()
        for text in texts or ("Why?",):
            answer = self.asked(conversation, text)["answer"]
            assert self.ended(conversation, answer["position"])["status"] == "complete"
        return conversation

    def follow(self, conversation: str, position: int, **options: Any) -> list[dict[str, str]]:
        """All events of a stream, to its end."""
        response = self.send("GET", f"{conversation}/messages/{position}/stream", **options)
        assert response.status_code == 200, response.text
        assert response.mimetype == "text/event-stream"
        return [each for each in events(response.text) if "data" in each]

    def pages(self, path: str, place: str = "before", **query: Any) -> Iterator[list[Any]]:
        """All pages of a list."""
        page = self.get(path, **query)
        yield page["items"]
        while page["next"]:
            page = self.get(path, **query | {place: page["next"]})
            yield page["items"]


def told(found: list[dict[str, str]], begins_with: str = "") -> tuple[str, Any]:
    """The text that events lead to, and the message in the last one."""
    text = begins_with
    *pieces, last = found
    for each in pieces:
        piece = msgspec.json.decode(each["data"])
        assert piece["offset"] == len(text)
        text += piece["text"]
        assert each["id"] == str(len(text))
    assert last["event"] == "done"
    return text, msgspec.json.decode(last["data"])


def error(response: TestResponse, status: int, code: str) -> Any:
    """What is wrong, which must be said in the one shape."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    body = response.json
    assert set(body) == {"error"}  # type: ignore[arg-type]
    said = body["error"]  # type: ignore[index]
    assert set(said) - {"fields"} == {"code", "message", "request_id"}
    assert said["code"] == code
    assert said["message"].strip()
    assert said["request_id"] == response.headers["X-Request-ID"]
    return said
