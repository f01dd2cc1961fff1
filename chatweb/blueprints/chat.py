"""The chat: a new one, an old one, asking in either."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from chatweb import replies
from chatweb.blueprints import articles, forms, htmx, places
from chatweb.blueprints.access import OWNERS, is_new, open_to, owner
from chatweb.blueprints.composer import composer, longest
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.pages import back_to, feed_of, render_branch, render_page
from chatweb.blueprints.side import current_row, side
from chatweb.services import conversations, drafts, messages, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import NotFound

chat = Blueprint("chat", __name__)

EXAMPLES = (
    "Explain recursion with a small Python example",
    "Give me a plan to learn SQL in four weeks",
    "What is the difference between weather and climate?",
)


@chat.get("/")
@open_to(OWNERS)
def new() -> str:
    return render_template(
        "chat/page.html", conversation=None, messages=None, older=None, conversations=side(owner()),
        composer=composer(typed=drafts.of_new_chat(owner())),
        examples=[(text, uuid4()) for text in EXAMPLES], deleted=just_deleted(),
        # With nothing to hear of, a first visit needs no connection.
        feed=None if is_new() else feed_of(),
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
        owner(), forms.text("text"), longest(), forms.request_id(), replies.awake(), allowance()
    )
    replies.start(asked)
    if not htmx.wants_fragment():
        return back_to(asked.conversation_id, asked.question)
    address = url_for("chat.page", conversation_id=asked.conversation_id)
    body = render_template(
        "chat/_begun.html", messages=articles.exchange(asked), **surroundings(asked)
    )
    return htmx.push(body, address)


@chat.post("/c/<uuid:conversation_id>/messages")
@open_to(OWNERS)
def ask(conversation_id: UUID) -> Response | str:
    asked = questions.ask(
        owner(), conversation_id, forms.text("text"), longest(), forms.request_id(),
        replies.awake(), allowance(), forms.whole_number("shown"),
    )  # fmt: skip
    replies.start(asked)
    if not htmx.wants_fragment():
        return back_to(asked.conversation_id, asked.question)
    exchange = articles.exchange(asked)
    if is_behind(asked):
        return render_template(
            "chat/_asked.html", is_anew=False, exchange=exchange, request_id=uuid4(), asked=asked,
            **surroundings(asked),
        )  # fmt: skip
    return render_branch(
        conversation_id, "chat/_asked.html", is_anew=True, exchange=exchange, request_id=uuid4(),
        asked=asked,
    )  # fmt: skip


def is_behind(asked: Asked) -> bool:
    """Whether the question is the next thing that was said after all that its page has heard of."""
    page = places.of_form()
    return page is None or (page.shown, page.known + 1) == (asked.parent or 0, asked.question)


def surroundings(asked: Asked) -> dict[str, Any]:
    """What the fragments for a question and its answer need besides these; an answer that has words
    already, or has ended, gets them by its stream."""
    conversation = asked.conversation
    return {
        "conversation": conversation,
        "row": current_row(conversation),
        "composer": composer(conversation.id, places.after(asked.answer, asked.answer)),
        "feed": None,
    }


@chat.get("/c/<uuid:conversation_id>")
@open_to(OWNERS)
def page(conversation_id: UUID) -> str:
    conversation = conversations.find(owner(), conversation_id)
    if conversation.unseen:
        conversations.saw(owner(), conversation_id)
    return render_page(conversation, messages.outline(conversation_id, conversation.head))


@chat.get("/c/<uuid:conversation_id>/messages")
@open_to(OWNERS)
def older(conversation_id: UUID) -> str:
    before = request.args.get("before", "")
    known = before.isdecimal() and before.isascii() and len(before) < 10
    if not known and htmx.wants_fragment():
        return render_branch(conversation_id)
    conversation = conversations.find(owner(), conversation_id)
    outline = (
        messages.older(owner(), conversation_id, int(before))
        if known
        else messages.outline(conversation_id, conversation.head)
    )
    if not htmx.wants_fragment():
        return render_page(conversation, outline)
    return render_template(
        "chat/_messages.html", conversation=conversation, older=outline.older,
        messages=articles.shown(conversation_id, outline.messages).articles,
    )  # fmt: skip
