"""Tokens: what a person gives to programs, so that they may act for them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response

from chatweb.blueprints import errors, forms, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.limits import allowance
from chatweb.blueprints.pages import feed_of
from chatweb.blueprints.side import side
from chatweb.services import tokens as service
from chatweb.services.errors import Conflict, Invalid, StaleForm

tokens = Blueprint("tokens", __name__, url_prefix="/tokens")

NEVER = "never"
LIVES = {"30": "30 days", "90": "90 days", "365": "a year", NEVER: "until it is revoked"}


@tokens.get("")
@open_to(OWNERS)
def page() -> str:
    return render_page()


@tokens.post("")
@open_to(OWNERS)
def make() -> Response:
    secret = service.make(
        owner(), forms.text("name"), forms.text("scope"), life(), forms.request_id(), allowance()
    )
    if htmx.wants_fragment():
        return make_response(render_template("tokens/_tokens.html", **shown(secret)), 201)
    return make_response(render_page(secret), 201)


@tokens.post("/<int(max=2147483647):token_id>/revoke")
@open_to(OWNERS)
def revoke(token_id: int) -> Response | str:
    name = service.revoke(owner(), token_id)
    if not htmx.wants_fragment():
        return redirect(url_for("tokens.page"), 303)
    return render_template("tokens/_list.html", tokens=service.of(owner()), revoked=name)


@tokens.errorhandler(Invalid)
@tokens.errorhandler(Conflict)
def refused(error: Invalid | Conflict) -> Response:
    """The form as it was filled in; htmx leaves it as it is."""
    if htmx.wants_fragment():
        return errors.refused(error)
    again = typed(str(uuid4()) if isinstance(error, StaleForm) else forms.text("request_id"))
    body = render_template("tokens/page.html", form=again, lives=LIVES, message=str(error))
    return make_response(body, errors.code_of(error))


def render_page(secret: str | None = None) -> str:
    return render_template(
        "tokens/page.html", conversations=side(owner()), feed=feed_of(), **shown(secret)
    )


def shown(secret: str | None) -> dict[str, Any]:
    """What is on the page; ``secret`` is that of the newest token, made just now."""
    form = {"name": "", "scope": "read", "days": "90", "request_id": str(uuid4())}
    return {"tokens": service.of(owner()), "secret": secret, "form": form, "lives": LIVES}


def typed(request_id: str) -> dict[str, str]:
    """The form again as it was filled in."""
    names = ("name", "scope", "days")
    return {name: forms.text(name) for name in names} | {"request_id": request_id}


def life() -> int | None:
    """Days as they were chosen; 0, which nothing lives, for what is no number."""
    return None if forms.text("days") == NEVER else forms.whole_number("days") or 0
