"""Answers in one piece, or why there is none."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chatweb import replies
from chatweb.blueprints import waiting
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
        with suppress(TooMany), replies.place_to_wait(owner()):
            row = waiting.to_the_end(row)
    if row.status == "streaming":
        raise Unfinished(KEPT)
    if row.status == "failed" or not row.content:
        raise ModelFailed(row.details.get("reason") or "The model did not answer.")
    return row
