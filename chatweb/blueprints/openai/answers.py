"""An answer as OpenAI's protocol tells it: whole, or in pieces as it is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import copy_current_request_context, current_app, g

from chatweb.blueprints import htmx, programs
from chatweb.blueprints.openai.shapes import Answered, Choice, Completion, Usage
from chatweb.services import messages
from chatweb.services.errors import NotFound
from chatweb.services.owners import Owner

GONE = "The conversation was deleted."
NO_ANSWER = "The model did not answer."
BROKEN_OFF = "The answer could not be told to its end. It is kept in its conversation."


def model_name() -> str:
    """The one model of this site."""
    name: str = current_app.extensions["model"]["name"]
    return name


def completion_id(message: Any) -> str:
    return f"chatcmpl-{message.conversation_id.hex}-{message.position}"


def finish_reason(message: Any) -> str:
    """Why an answer ended, in the words of the protocol."""
    if message.status == "complete":
        return str(message.details.get("finish_reason") or "stop")
    return "length" if message.details.get("reason") else "stop"


def usage(message: Any) -> Usage | None:
    tokens_in, tokens_out = message.details.get("tokens_in"), message.details.get("tokens_out")
    if tokens_in is None or tokens_out is None:
        return None
    return Usage(tokens_in, tokens_out, tokens_in + tokens_out)


def completion(message: Any) -> Completion:
    """An answer that has ended."""
    choice = Choice(0, Answered("assistant", message.content), finish_reason(message))
    return Completion(
        completion_id(message), "chat.completion", int(message.created_at.timestamp()),
        model_name(), [choice], usage(message),
        {"conversation_id": str(message.conversation_id), "position": str(message.position)},
    )  # fmt: skip


class Telling:
    """One answer's text into chunks, for all programs that follow it from its beginning."""

    sign_of_life = htmx.SIGN_OF_LIFE

    def __init__(self, owner: Owner, message: Any, *, with_usage: bool) -> None:
        self.format = f"completion{' with usage' if with_usage else ''}"
        self._owner = owner
        self._message = message
        self._model = model_name()
        self._with_usage = with_usage
        self._known = ""
        # Of the request that began this: the end is told when that is over.
        self._request_id = g.request_id
        self._has_ended = False
        self._broken_off = self._error(503, BROKEN_OFF)
        self.rest = copy_current_request_context(self._rest)

    def update(self, text: str) -> str:
        new, self._known = text[len(self._known) :], text
        return self._chunk({"content": new}) if new else ""

    def catch_up(self, after: int | None) -> str:
        return self._chunk({"role": "assistant", "content": self._known})

    def finish(self, text: str) -> str:
        return self.update(text)

    def event(self, change: str) -> str:
        return change

    def last_event(self, change: str, rest: str) -> str:
        self._has_ended = True
        return change + rest

    def whole(self, events: Iterable[str]) -> Iterator[str]:
        """``events``, and an error where they break off: a program would take what it has for all.
        Where the connection was handed over nobody hears it, and none is lost."""
        yield from events
        if not self._has_ended:
            yield self._broken_off

    def _rest(self) -> str:
        try:
            row = messages.find(self._owner, self._message.conversation_id, self._message.position)
        except NotFound:
            return self._error(404, GONE)
        if row.status in {"failed", "interrupted"}:
            return self._error(502, row.details.get("reason") or NO_ANSWER)
        last = self._chunk({}, finish_reason(row))
        if self._with_usage:
            last += self._event({"choices": [], "usage": used(row)})
        return last + htmx.event("[DONE]")

    def _error(self, code: int, sentence: str) -> str:
        return htmx.event(json.dumps(programs.body(code, sentence, request_id=self._request_id)))

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._event({"choices": [choice], **({"usage": None} if self._with_usage else {})})

    def _event(self, facts: dict[str, Any]) -> str:
        return htmx.event(
            json.dumps(
                {
                    "id": completion_id(self._message), "object": "chat.completion.chunk",
                    "created": int(self._message.created_at.timestamp()), "model": self._model,
                    **facts,
                }
            )
        )  # fmt: skip


def used(message: Any) -> dict[str, int]:
    known = usage(message) or Usage(0, 0, 0)
    return {
        "prompt_tokens": known.prompt_tokens, "completion_tokens": known.completion_tokens,
        "total_tokens": known.total_tokens,
    }  # fmt: skip
