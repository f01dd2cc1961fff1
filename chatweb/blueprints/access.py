"""Who may use which route: each declares it, and a test finds those that do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request

from chatweb.services import owners
from chatweb.services.owners import Owner

View = TypeVar("View", bound=Callable[..., Any])

ANYONE = "anyone"
"""No owner is asked for: health, static files."""
OWNERS = "owners"
"""Everybody, each for their own rows; a new browser becomes a guest."""

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
KEPT_FOR = timedelta(days=400)
"""The longest a browser keeps a cookie; each page renews it."""


def open_to(whom: str) -> Callable[[View], View]:
    """Declare who may use a view."""

    def declare(view: View) -> View:
        view.__dict__["open_to"] = whom
        return view

    return declare


def owner() -> Owner:
    """Whoever is asking."""
    found: Owner = g.owner
    return found


def is_new() -> bool:
    """Whether this is a browser's first page: there is nothing of its owner yet."""
    return bool(g.get("is_new"))


def cookie_name() -> str:
    return "__Host-chatweb" if request.is_secure else "chatweb"


def recognise() -> None:
    """Find out who is asking, before a view that is open to owners."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or getattr(view, "open_to", None) != OWNERS:
        return
    g.token = request.cookies.get(cookie_name(), "")
    known = owners.recognise(g.token) if TOKEN.fullmatch(g.token) else None
    if known is None:
        g.token = owners.new_token()
        known = owners.guest(g.token)
        g.is_new = True
    g.owner = known
    current_app.extensions["schema"].require()


def remember(response: Response) -> Response:
    """Give the browser its cookie, and a longer life to the one it has."""
    if "token" in g and (is_new() or response.mimetype == "text/html"):
        response.set_cookie(
            cookie_name(), g.token, max_age=KEPT_FOR, path="/", httponly=True, samesite="Lax",
            secure=request.is_secure,
        )  # fmt: skip
    return response


def init_app(app: Flask) -> None:
    app.before_request(recognise)
    app.after_request(remember)
