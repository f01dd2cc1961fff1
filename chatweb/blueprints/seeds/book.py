"""``/chat/agent`` and ``/chat/history``: as the book assistant's front end asks."""

from __future__ import annotations

from flask import Blueprint, current_app

from chatweb import replies
from chatweb.blueprints.access import ANYONE, READERS, open_to, owner, session_id
from chatweb.blueprints.api.described import described, request_id
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.seeds.answers import ended
from chatweb.blueprints.seeds.book_shapes import (
    AgentAnswer,
    AgentMessage,
    AskAgent,
    BookHistory,
    Cleared,
    ClearHistory,
    Persistence,
    ReadHistory,
)
from chatweb.services import chapters

blueprint = Blueprint("seed_book", __name__, url_prefix="/chat")


@blueprint.post("/agent")
@open_to(READERS)
@described(
    "Book assistant: ask about a chapter, and wait for the whole answer",
    takes=AskAgent, gives={200: AgentAnswer}, refuses=(404, 409, 429, 502),
)  # fmt: skip
def ask(body: AskAgent) -> AgentAnswer:
    asked = chapters.ask(
        owner(), body.chapter or "", body.text, longest(), request_id(None), replies.awake(),
        allowance(),
    )  # fmt: skip
    replies.start(asked)
    message = AgentMessage.of(ended(asked), chapters.named(body.chapter or ""))
    return AgentAnswer(
        session_id(), message.chapter, message, message.content, message.citations
    )  # fmt: skip


@blueprint.get("/history")
@open_to(READERS)
@described(
    "Book assistant: what was said about a chapter, or about all",
    query=ReadHistory, gives={200: BookHistory}, refuses=(404,),
)  # fmt: skip
def history(query: ReadHistory) -> BookHistory:
    rows = chapters.history(owner(), query.chapter, query.limit)
    said = [AgentMessage.of(row, row.chapter) for row in rows]
    return BookHistory(session_id(), query.chapter, said)


@blueprint.delete("/history")
@open_to(READERS)
@described(
    "Book assistant: delete what was said about a chapter, or about all",
    query=ClearHistory, gives={200: Cleared}, refuses=(404,),
)  # fmt: skip
def clear(query: ClearHistory) -> Cleared:
    return Cleared(chapters.clear(owner(), query.chapter))


@blueprint.get("/history/status")
@open_to(ANYONE)
@described("Book assistant: whether what is said can be kept", gives={200: Persistence})
def status() -> Persistence:
    found = current_app.extensions["look"]()
    return Persistence(found.status == "pass", found.kind, found.reason)
