"""People who ask by a program of theirs, through ``/api/v1``.

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

    def _post(self, path: str, body: dict[str, str]) -> Answer:
        return self._ask("POST", path, json.dumps(body), {"Content-Type": "application/json"})


class Following(Reading):
    """What is known is what the pieces made of what was known before."""

    text_itself = ""

    def _heard(self, event: dict[str, str]) -> str:
        if "data" in event:
            piece = json.loads(event["data"])
            self.text_itself = self.text_itself[: piece["offset"]] + piece["text"]
        return " ".join(self.text_itself.split())
