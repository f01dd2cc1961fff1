"""``/api/sessions``: as the chat bot's front end asks for its conversations.

There a message was sent through a WebSocket. Here it is posted, and its answer followed where every
program follows one.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, url_for

from chatweb import replies
from chatweb.blueprints.access import PROGRAMS, open_to, owner
from chatweb.blueprints.api import shapes
from chatweb.blueprints.api.described import described, fitted, request_id
from chatweb.blueprints.api.messages import begun
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.seeds.session_shapes import (
    HistoryLimit,
    MakeSession,
    PassOver,
    RenameSession,
    Said,
    Send,
    Sent,
    Session,
    SessionHistory,
    SessionId,
    SessionMessage,
    SessionMessages,
    Sessions,
)
from chatweb.services import conversations, lists, messages, questions

blueprint = Blueprint("seed_sessions", __name__, url_prefix="/api/sessions")


def identified(session_id: str) -> UUID:
    """:raises Invalid: it is no UUID"""
    found: UUID = fitted({"session_id": session_id}, SessionId).session_id
    return found


@blueprint.get("")
@open_to(PROGRAMS)
@described("Chat bot: list sessions", query=PassOver, gives={200: Sessions})
def listed(query: PassOver) -> Sessions:
    rows, total = lists.passed_over(owner(), query.limit, query.offset)
    return Sessions([Session.of(row) for row in rows], total, query.limit, query.offset)


@blueprint.post("")
@open_to(PROGRAMS)
@described(
    "Chat bot: make a session, which counts as a question",
    takes=MakeSession, gives={201: Session, 200: Session}, refuses=(404, 429),
)  # fmt: skip
def make(body: MakeSession) -> Any:
    row, is_new = conversations.make(owner(), body.title, request_id(None), allowance())
    return Session.of(row), 201 if is_new else 200


@blueprint.get("/<session_id>")
@open_to(PROGRAMS)
@described("Chat bot: read a session", gives={200: Session})
def read(session_id: str) -> Session:
    return Session.of(conversations.find(owner(), identified(session_id)))


@blueprint.patch("/<session_id>")
@open_to(PROGRAMS)
@described("Chat bot: rename a session", takes=RenameSession, gives={200: Session})
def rename(session_id: str, body: RenameSession) -> Session:
    conversations.change(owner(), identified(session_id), title=body.title)
    return Session.of(conversations.find(owner(), identified(session_id)))


@blueprint.delete("/<session_id>")
@open_to(PROGRAMS)
@described("Chat bot: delete a session", gives={204: None})
def delete(session_id: str) -> None:
    conversations.delete(owner(), identified(session_id))


@blueprint.get("/<session_id>/messages")
@open_to(PROGRAMS)
@described("Chat bot: list messages, oldest first", query=PassOver, gives={200: SessionMessages})
def said(session_id: str, query: PassOver) -> SessionMessages:
    found = conversations.find(owner(), identified(session_id))
    # Positions have no gaps: what is to be passed over ends at the position of this number.
    rows, _ = messages.between(found.id, query.offset, limit=query.limit, oldest_first=True)
    page = [SessionMessage.of(found.id, each) for each in shapes.Message.all_of(rows)]
    return SessionMessages(found.id, page, found.message_count, query.limit, query.offset)


@blueprint.get("/<session_id>/history")
@open_to(PROGRAMS)
@described(
    "Chat bot: the newest messages of a session", query=HistoryLimit, gives={200: SessionHistory}
)
def history(session_id: str, query: HistoryLimit) -> SessionHistory:
    found = conversations.find(owner(), identified(session_id))
    rows = messages.shown(found.id, found.head, query.limit).messages
    page = [Said.of(each) for each in shapes.Message.all_of(rows)]
    return SessionHistory(found.id, page, len(page))


@blueprint.post("/<session_id>/messages")
@open_to(PROGRAMS)
@described(
    "Chat bot: send a message; answered as soon as it is kept, while the answer is being written",
    takes=Send, gives={201: Sent, 200: Sent}, refuses=(409, 429),
)  # fmt: skip
def send(session_id: str, body: Send) -> Any:
    asked = questions.ask(
        owner(), identified(session_id), body.content, longest(), request_id(None),
        replies.awake(), allowance(),
    )  # fmt: skip
    exchange, status = begun(asked)
    question, answer = (
        SessionMessage.of(asked.conversation_id, each)
        for each in (exchange.question, exchange.answer)
    )
    stream = url_for(
        "api_messages.stream", conversation_id=asked.conversation_id, position=asked.answer
    )
    return Sent(question, answer, asked.answer, stream), status
