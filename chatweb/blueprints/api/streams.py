"""Following an answer as programs do: what is new of its text, at last the whole message."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import copy_current_request_context

from chatweb.blueprints import htmx
from chatweb.blueprints.api.shapes import Message, Piece
from chatweb.services import messages
from chatweb.services.errors import NotFound
from chatweb.services.owners import Owner


class Telling:
    """One answer's text into events, for all programs that follow it.

    An event's id is the number of characters known with it: where a reader resumes. The message in
    the last event is the truth: after the death of a process its text may be shorter.
    """

    format = "json"
    sign_of_life = htmx.SIGN_OF_LIFE

    def __init__(self, owner: Owner, message: Any) -> None:
        self._owner = owner
        self._message = message
        self._known = ""
        self.rest = copy_current_request_context(self._rest)

    def update(self, text: str) -> str:
        before, self._known = self._known, text
        return self._event(len(before))

    def catch_up(self, after: int | None) -> str:
        return self._event(after or 0)

    def finish(self, text: str) -> str:
        return self.update(text)

    def _rest(self) -> str:
        try:
            row = messages.find(self._owner, self._message.conversation_id, self._message.position)
        except NotFound:
            return htmx.event("null", name="done")
        return htmx.event(msgspec.json.encode(Message.of(row)).decode(), name="done")

    def event(self, change: str) -> str:
        return change

    def last_event(self, change: str, rest: str) -> str:
        return change + rest

    def _event(self, offset: int) -> str:
        """The text from ``offset`` on."""
        if not (text := self._known[offset:]):
            return ""
        data = msgspec.json.encode(Piece(offset, text)).decode()
        return htmx.event(data, id=len(self._known))
