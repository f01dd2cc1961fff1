"""Asking again, in every way, and moving between what was said: nothing is ever overwritten."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, render_template
from markupsafe import Markup
from werkzeug.wrappers import Response

from chatweb import replies
from chatweb.blueprints import forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.composer import longest
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.pages import back_to, render_branch, render_page
from chatweb.services import branches as service
from chatweb.services import conversations, messages, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import NotFound

branches = Blueprint("branches", __name__, url_prefix="/c/<uuid:conversation_id>")


@branches.post("/messages/<int:position>/retry")
@open_to(OWNERS)
def retry(conversation_id: UUID, position: int) -> Response | str:
    return begun(
        questions.retry(
            owner(), conversation_id, position, forms.request_id(), replies.awake(), allowance()
        )
    )


@branches.post("/messages/<int:position>/continue")
@open_to(OWNERS)
def go_on(conversation_id: UUID, position: int) -> Response | str:
    return begun(
        questions.retry(
            owner(), conversation_id, position, forms.request_id(), replies.awake(), allowance(),
            goes_on=True,
        )
    )  # fmt: skip


@branches.get("/messages/<int:position>/edit")
@open_to(OWNERS)
def editor(conversation_id: UUID, position: int) -> str:
    question = find_question(conversation_id, position)
    form = Markup(render_template("chat/_edit.html", message=question, request_id=uuid4()))  # noqa: S704
    if htmx.wants_fragment():
        return form
    conversation = conversations.find(owner(), conversation_id)
    outline = (
        messages.outline(conversation_id, question.parent)
        if question.parent
        else messages.Page([], None)
    )
    return render_page(conversation, outline, below=form)


@branches.post("/messages/<int:position>/edit")
@open_to(OWNERS)
def edit(conversation_id: UUID, position: int) -> Response | str:
    return begun(
        questions.edit(
            owner(), conversation_id, position, forms.text("text"), longest(), forms.request_id(),
            replies.awake(), allowance(),
        )
    )  # fmt: skip


@branches.post("/branch")
@open_to(OWNERS)
def show(conversation_id: UUID) -> Response | str:
    position = forms.whole_number("position") or 0
    service.show(owner(), conversation_id, position)
    if not htmx.wants_fragment():
        return back_to(conversation_id, position)
    return render_branch(conversation_id)


def begun(asked: Asked) -> Response | str:
    """Produce an answer, on the branch that is shown from now on."""
    replies.start(asked)
    if not htmx.wants_fragment():
        return back_to(asked.conversation_id, asked.answer)
    return render_branch(asked.conversation_id)


def find_question(conversation_id: UUID, position: int) -> Any:
    found = messages.find(owner(), conversation_id, position)
    if found.role != "user":
        raise NotFound
    return found
