"""The box at the bottom of a chat."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID, uuid4

from flask import current_app, url_for

from chatweb.blueprints.places import NOWHERE, Place
from chatweb.services.drafts import NOTHING, Typed


class Composer(NamedTuple):
    """The box: where it sends to, where what is typed is saved meanwhile, what is in it, and the
    place of its page, so that an answer to the form brings what it has not heard of.
    """

    action: str
    draft_action: str
    text: str
    request_id: UUID
    max_chars: int
    place: Place


def composer(
    conversation_id: UUID | None = None, place: Place = NOWHERE, typed: Typed = NOTHING
) -> Composer:  # fmt: skip
    if conversation_id:
        action = url_for("chat.ask", conversation_id=conversation_id)
        draft_action = url_for("drafts.of_conversation", conversation_id=conversation_id)
    else:
        action, draft_action = url_for("chat.begin"), url_for("drafts.of_new_chat")
    return Composer(action, draft_action, typed.text, typed.request_id or uuid4(), longest(), place)


def longest() -> int:
    """Characters that a question may have."""
    number: int = current_app.extensions["settings"].max_message_chars
    return number
