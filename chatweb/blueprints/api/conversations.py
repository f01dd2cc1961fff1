"""``/api/v1/conversations``: listing, making, changing, deleting."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint
from msgspec import UNSET

from chatweb.blueprints.access import PROGRAMS, open_to, owner
from chatweb.blueprints.api.described import described, request_id
from chatweb.blueprints.api.shapes import (
    ChangeConversation,
    Conversation,
    Conversations,
    ListConversations,
    MakeConversation,
)
from chatweb.blueprints.limits import allowance
from chatweb.services import conversations, lists

blueprint = Blueprint("api_conversations", __name__, url_prefix="/api/v1/conversations")


@blueprint.get("")
@open_to(PROGRAMS)
@described(
    "List conversations, those with the newest messages first",
    query=ListConversations, gives={200: Conversations},
)  # fmt: skip
def listed(query: ListConversations) -> Conversations:
    rows, more = lists.chosen(owner(), query.status, query.before, query.limit)
    return Conversations([Conversation.of(row) for row in rows], more)


@blueprint.post("")
@open_to(PROGRAMS)
@described(
    "Make an empty conversation, which counts as a question",
    takes=MakeConversation, gives={201: Conversation, 200: Conversation}, refuses=(404, 429),
)  # fmt: skip
def make(body: MakeConversation) -> Any:
    row, is_new = conversations.make(
        owner(), body.title, request_id(body.request_id), allowance()
    )  # fmt: skip
    return Conversation.of(row), 201 if is_new else 200


@blueprint.get("/<uuid:conversation_id>")
@open_to(PROGRAMS)
@described("Read a conversation", gives={200: Conversation, 304: None}, may_be_known=True)
def read(conversation_id: UUID) -> Conversation:
    return Conversation.of(conversations.find(owner(), conversation_id))


@blueprint.patch("/<uuid:conversation_id>")
@open_to(PROGRAMS)
@described(
    "Change title or status, pin or unpin", takes=ChangeConversation, gives={200: Conversation}
)
def change(conversation_id: UUID, body: ChangeConversation) -> Conversation:
    chosen = {
        name: value
        for name in ("title", "status", "pinned")
        if (value := getattr(body, name)) is not UNSET
    }
    conversations.change(owner(), conversation_id, **chosen)
    return read_again(conversation_id)


@blueprint.delete("/<uuid:conversation_id>")
@open_to(PROGRAMS)
@described("Delete a conversation; it can be brought back on its page", gives={204: None})
def delete(conversation_id: UUID) -> None:
    conversations.delete(owner(), conversation_id)


def read_again(conversation_id: UUID) -> Conversation:
    return Conversation.of(conversations.find(owner(), conversation_id))
