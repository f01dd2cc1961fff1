"""People who ask by a program of theirs: through ``/api/v1``, and through the other interfaces.

It shows the cookie of its person's browser: so the pages that are looked at afterwards, and the one
checker, see what it has asked.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import replace
from functools import partial
from uuid import UUID, uuid4, uuid5

from tests.faults.histories import Send
from tests.faults.people import Answer, Line, Person, Reading

ALL = "/api/v1/conversations"


class Program(Person):
    """It asks, asks again and follows; for pages it is its person."""

    def begin(self, text: str, request_id: UUID | None = None) -> Send:
        """An empty conversation first; its request id follows from the question's, so that it is
        the same one when both are sent again."""
        return self._told(None, "/messages", text, request_id)

    def ask(self, conversation: UUID, text: str, request_id: UUID | None = None) -> Send:
        return self._told(conversation, "/messages", text, request_id)

    def retry(self, conversation: UUID, position: int, request_id: UUID | None = None) -> Send:
        return self._told(conversation, f"/messages/{position}/retry", "", request_id, position)

    def go_on(self, conversation: UUID, position: int, request_id: UUID | None = None) -> Send:
        ending = f"/messages/{position}/continue"
        return self._told(conversation, ending, "", request_id, position, goes_on=True)

    def status(self, conversation: UUID, position: int) -> str:
        answer = self.get(f"{ALL}/{conversation}/messages/{position}")
        return str(json.loads(answer.text)["status"]) if answer.status == 200 else ""

    def reading(
        self, conversation: UUID, position: int, leave_after: int | None = None, after: int = 0
    ) -> Following:
        """``after``: as many characters of the text as are known already."""
        line = self.line or Line(self.port)
        path = f"{ALL}/{conversation}/messages/{position}/stream?after={after}"
        headers = {"Cookie": self.cookie} | ({} if self.line else {"Connection": "close"})
        return Following(line, path, headers, position, leave_after)

    def _told(
        self, conversation: UUID | None, ending: str, text: str, request_id: UUID | None,
        sibling_of: int | None = None, *, goes_on: bool = False,
    ) -> Send:  # fmt: skip
        """Note what came of it. A program keeps what it could not send: so its box is the text."""
        request_id, began = request_id or uuid4(), time.monotonic()
        told = partial(
            Send, self.cookie, request_id, text, box=text, sibling_of=sibling_of, goes_on=goes_on,
            began=began,
        )  # fmt: skip
        try:
            answer, conversation = self._asked(conversation, ending, text, request_id)
        except (OSError, http.client.HTTPException):
            send = told(status=None)
        else:
            send = told(answer.status)
            if send.acknowledged:
                asked = json.loads(answer.text)["question" if text else "answer"]
                send = replace(send, conversation=conversation, position=asked["position"])
        send = replace(send, told=time.monotonic())
        self.sends.append(send)
        return send

    def _asked(
        self, conversation: UUID | None, ending: str, text: str, request_id: UUID
    ) -> tuple[Answer, UUID | None]:
        if conversation is None:
            made = self._post(ALL, {"request_id": str(uuid5(request_id, "conversation"))})
            if made.status not in {200, 201}:
                return made, None
            conversation = UUID(json.loads(made.text)["id"])
        body = {"request_id": str(request_id)} | ({"text": text} if text else {})
        return self._post(f"{ALL}/{conversation}{ending}", body), conversation

    def _post(self, path: str, body: object, more: dict[str, str] | None = None) -> Answer:
        headers = {"Content-Type": "application/json"} | (more or {})
        return self._ask("POST", path, json.dumps(body), headers)


class Other(Program):
    """A program of another interface, which begins a conversation in its own way."""

    def begin(self, text: str, request_id: UUID | None = None) -> Send:
        request_id, began = request_id or uuid4(), time.monotonic()
        told = partial(Send, self.cookie, request_id, text, box=text, began=began)
        try:
            status, place = self._begun(text, request_id)
        except (OSError, http.client.HTTPException):
            send = told(status=None)
        else:
            send = told(status, *place)
        self.sends.append(replace(send, told=time.monotonic()))
        return self.sends[-1]

    def _begun(self, text: str, request_id: UUID) -> tuple[int, tuple[UUID, int]]:
        """The status, and where the question is kept, whatever became of its answer."""
        raise NotImplementedError


class Bot(Other):
    """The chat bot's front end, at ``/api/sessions``."""

    def _begun(self, text: str, request_id: UUID) -> tuple[int, tuple[UUID, int]]:
        session = json.loads(self._post("/api/sessions", {}).text)["id"]
        key = {"Idempotency-Key": str(request_id)}
        answer = self._post(f"/api/sessions/{session}/messages", {"content": text}, key)
        return answer.status, place_of(json.loads(answer.text)["message"]["id"])


class Reader(Other):
    """The book assistant's front end, at ``/chat/agent``: it waits, and is told where only in the
    history."""

    def _begun(self, text: str, request_id: UUID) -> tuple[int, tuple[UUID, int]]:
        chapter, key = str(uuid4()), {"Idempotency-Key": str(request_id)}
        answer = self._post("/chat/agent", {"message": text, "chapter": chapter}, key)
        history = json.loads(self.get(f"/chat/history?chapter={chapter}").text)
        return answer.status, place_of(history["messages"][0]["id"])


class Client(Other):
    """One of OpenAI's protocol, at ``/v1``, with a token of its person's; it reads the stream."""

    token = ""

    def _begun(self, text: str, request_id: UUID) -> tuple[int, tuple[UUID, int]]:
        if not self.token:
            form = {"name": "client", "scope": "write", "days": "30", "request_id": uuid4()}
            self.token = str(self.post("/tokens", **form).page.select("#secret")[0]["value"])
        body = {
            "model": json.loads(self._shown_by_token("/v1/models").text)["data"][0]["id"],
            "messages": [{"role": "user", "content": text}], "stream": True,
        }  # fmt: skip
        more = {"Idempotency-Key": str(request_id), "Authorization": f"Bearer {self.token}"}
        answer = self._post("/v1/chat/completions", body, more)
        return answer.status, (UUID(answer.headers["X-Conversation-ID"]), 1)

    def _shown_by_token(self, path: str) -> Answer:
        return self._ask("GET", path, None, {"Authorization": f"Bearer {self.token}"})


FACES: tuple[type[Person], ...] = (Person, Program, Bot, Reader, Client)
"""All ways of asking."""


def place_of(name: str) -> tuple[UUID, int]:
    """A message's conversation and position, as the earlier systems' addresses name it."""
    conversation, _, position = name.partition("/")
    return UUID(conversation), int(position)


class Following(Reading):
    """What is known is what the pieces made of what was known before."""

    text_itself = ""

    def _heard(self, event: dict[str, str]) -> str:
        if "data" in event:
            piece = json.loads(event["data"])
            self.text_itself = self.text_itself[: piece["offset"]] + piece["text"]
        return " ".join(self.text_itself.split())
