"""The box at the bottom of a chat."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID, uuid4

from flask import current_app, url_for


class Composer(NamedTuple):
    """The box: where it sends to, what is in it, and the answer being written meanwhile.

    ``shown``: position of the last message on the page, so that an answer to the form brings what
    another tab has asked since then.
    """

    action: str
    text: str
    request_id: UUID
    streaming: int | None
    max_chars: int
    shown: int


def composer(
    conversation_id: UUID | None = None, streaming: int | None = None, shown: int = 0
) -> Composer:
    action = (
        url_for("chat.ask", conversation_id=conversation_id)
        if conversation_id
        else url_for("chat.begin")
    )
    return Composer(action, "", uuid4(), streaming, longest(), shown)


def longest() -> int:
    """Characters that a question may have."""
    number: int = current_app.extensions["settings"].max_message_chars
    return number
