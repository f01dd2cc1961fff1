"""The chat: a new one, an old one, asking in either."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID, uuid4

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatweb import replies
from chatweb.blueprints import forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.articles import article
from chatweb.services import conversations, messages, questions
from chatweb.services.errors import NotFound

chat = Blueprint("chat", __name__)

EXAMPLES = (
    "Explain recursion with a small Python example",
    "Give me a plan to learn SQL in four weeks",
    "What is the difference between weather and climate?",
)


class Composer(NamedTuple):
    """The box: where it sends to, what is in it, and the answer being written meanwhile."""

    action: str
    text: str
    request_id: UUID
    streaming: int | None
    max_chars: int


def composer(conversation_id: UUID | None = None, streaming: int | None = None) -> Composer:
    action = (
        url_for("chat.ask", conversation_id=conversation_id)
        if conversation_id
        else url_for("chat.begin")
    )
    longest = current_app.extensions["settings"].max_message_chars
    return Composer(action, "", uuid4(), streaming, longest)


@chat.get("/")
@open_to(OWNERS)
def new() -> str:
    rows, more = conversations.recent(owner())
    return render_template(
        "chat/page.html", conversation=None, messages=[], older=None, conversations=rows,
        more=more, composer=composer(), examples=[(text, uuid4()) for text in EXAMPLES],
        deleted=just_deleted(),
    )  # fmt: skip


def just_deleted() -> Any:
    """The conversation that was deleted on the way here, to offer its way back."""
    try:
        return conversations.deleted(owner(), UUID(request.args["deleted"]))
    except (KeyError, ValueError, NotFound):
        return None


@chat.post("/c")
@open_to(OWNERS)
def begin() -> Response | str:
    asked = questions.begin(
        owner(), forms.text("text"), longest(), forms.request_id(), replies.awake()
    )
    replies.start(asked)
    address = url_for("chat.page", conversation_id=asked.conversation_id)
    if not htmx.wants_fragment():
        return redirect(f"{address}#message-{asked.question}", 303)
    return htmx.push(render_template("chat/_begun.html", **exchange(asked)), address)


@chat.post("/c/<uuid:conversation_id>/messages")
@open_to(OWNERS)
def ask(conversation_id: UUID) -> Response | str:
    asked = questions.ask(
        owner(), conversation_id, forms.text("text"), longest(), forms.request_id(),
        replies.awake(),
    )  # fmt: skip
    replies.start(asked)
    if not htmx.wants_fragment():
        address = url_for("chat.page", conversation_id=asked.conversation_id)
        return redirect(f"{address}#message-{asked.question}", 303)
    return render_template("chat/_asked.html", **exchange(asked))


def longest() -> int:
    number: int = current_app.extensions["settings"].max_message_chars
    return number


def exchange(asked: questions.Asked) -> dict[str, Any]:
    """What the fragments for a question and its answer need."""
    rows = messages.shown(asked.conversation_id, asked.answer, limit=2).messages
    # Read after the messages: whether it is running must not be older than they are.
    conversation = conversations.find(owner(), asked.conversation_id)
    return {
        "conversation": conversation,
        "row": conversation,
        "messages": [article(row) for row in rows],
        "composer": composer(conversation.id, streaming(rows)),
    }


def streaming(rows: Any) -> int | None:
    """The position of the answer being written; only the newest message can be one."""
    return rows[-1].position if rows and rows[-1].status == "streaming" else None


@chat.get("/c/<uuid:conversation_id>")
@open_to(OWNERS)
def page(conversation_id: UUID) -> str:
    conversation = conversations.find(owner(), conversation_id)
    shown = messages.shown(conversation_id, conversation.head)
    return render_page(conversation, shown)


@chat.get("/c/<uuid:conversation_id>/messages")
@open_to(OWNERS)
def older(conversation_id: UUID) -> str:
    conversation = conversations.find(owner(), conversation_id)
    before = request.args.get("before", "")
    shown = (
        messages.older(owner(), conversation_id, int(before))
        if before.isdecimal() and before.isascii() and len(before) < 10
        else messages.shown(conversation_id, conversation.head)
    )
    if not htmx.wants_fragment():
        return render_page(conversation, shown)
    return render_template(
        "chat/_messages_older.html", conversation=conversation, older=shown.older,
        messages=[article(row) for row in shown.messages],
    )  # fmt: skip


def render_page(conversation: Any, shown: messages.Page) -> str:
    rows, more = conversations.recent(owner())
    return render_template(
        "chat/page.html", conversation=conversation, older=shown.older,
        messages=[article(row) for row in shown.messages],
        conversations=rows, more=more,
        composer=composer(conversation.id, streaming(shown.messages)),
    )  # fmt: skip
