"""Waiting for a whole answer, for programs that follow none."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from flask import current_app

from chatweb import replies
from chatweb.blueprints.access import owner
from chatweb.services import messages
from chatweb.services.asking import Asked
from chatweb.services.errors import ModelFailed, TooMany, Unfinished

KEPT = (
    "Your question is kept and is being answered. Send it again with the same Idempotency-Key to "
    "wait for the answer, or read the history later."
)


def ended(asked: Asked) -> Any:
    """The answer to a question, once it has ended with some text.

    :raises ModelFailed: it has ended without one
    :raises Unfinished: too many wait here already, or it takes longer than an answer may
    :raises NotFound: the conversation was deleted meanwhile
    """
    row = messages.find(owner(), asked.conversation_id, asked.answer)
    if row.status == "streaming":
        with suppress(TooMany), replies.place_to_wait():
            row = waited_for(row)
    if row.status == "streaming":
        raise Unfinished(KEPT)
    if row.status == "failed" or not row.content:
        raise ModelFailed(row.details.get("reason") or "The model did not answer.")
    return row


def waited_for(row: Any) -> Any:
    """An answer when it has ended, wherever it is written, or when it must have ended."""
    latest = time.monotonic() + current_app.extensions["settings"].llm_timeout
    while row.status == "streaming" and (left := latest - time.monotonic()) > 0:
        replies.wait(row.id, left)
        row = messages.find(owner(), row.conversation_id, row.position)
    return row
