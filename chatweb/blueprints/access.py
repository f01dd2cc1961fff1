"""Who may use which route: each declares it, and a test finds those that do not.

Pages know their owner by the cookie alone. Programs may show a token or the secret id of a session
of theirs instead; what they show must be good, or they are refused: never taken for somebody else.

The book assistant's front end names its session in the query too. At its addresses, and nowhere
else, that is taken as if the header had said it; whatever is shown besides must stand for the same
owner.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from flask import Flask, Response, current_app, g, request

from chatweb.services import owners, tokens
from chatweb.services.errors import Invalid, NotAllowed, NotFound, Unrecognised
from chatweb.services.owners import Owner

View = TypeVar("View", bound=Callable[..., Any])

ANYONE = "anyone"
"""No owner is asked for: health, static files."""
OWNERS = "owners"
"""Everybody, each for their own rows; a new browser becomes a guest."""
PROGRAMS = "programs"
"""As OWNERS, and programs that show a token or the id of their session."""
READERS = "readers of a book"
"""As PROGRAMS, where the id of a session may also be in the query."""
HOLDERS = "token holders"
"""Programs that show a token."""

SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
SESSION = "X-Session-ID"
SESSION_IN_QUERY = "session_id"

OF_PROXIES = {"basic", "digest", "negotiate"}
"""What browsers show in each request to a site behind a password of its proxy's: not to us."""

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
    """Find out who is asking, before a view that is not open to anyone.

    :raises Unrecognised: what they show is not good
    :raises NotAllowed: what they show does not allow this
    :raises NotFound: what they show stands for different owners
    """
    whom = getattr(current_app.view_functions.get(request.endpoint or ""), "open_to", ANYONE)
    if whom == ANYONE or request.method == "OPTIONS":
        return
    known = None
    if whom in {PROGRAMS, READERS, HOLDERS}:
        known = by_token() or (by_session() if whom != HOLDERS else None)
        if whom == READERS:
            known = by_query(known)
        if not known and (whom == HOLDERS or is_from_elsewhere()):
            raise Unrecognised("Show a token: `Authorization: Bearer …`.")
    g.owner = known or by_cookie()
    current_app.extensions["schema"].require()


def by_token() -> Owner | None:
    shown = request.headers.get("Authorization")
    if shown is None:
        return None
    kind, _, secret = shown.partition(" ")
    if kind.lower() in OF_PROXIES:
        return None
    holder = tokens.recognise(secret.strip()) if kind.lower() == "bearer" else None
    if holder is None:
        raise Unrecognised("This token is not known here, has expired or was revoked.")
    if request.method not in SAFE and not holder.may_write:
        raise NotAllowed("This token may only read.")
    return holder.owner


def by_session() -> Owner | None:
    shown = request.headers.get(SESSION)
    return None if shown is None else of_session(shown, SESSION)


def by_query(known: Owner | None) -> Owner | None:
    """The owner that the query names, who must be the one that is ``known`` already."""
    shown = request.args.get(SESSION_IN_QUERY)
    if shown is None:
        return known
    found = of_session(shown, SESSION_IN_QUERY)
    if known and known.id != found.id:
        raise NotFound
    return known or found


def of_session(shown: str, name: str) -> Owner:
    try:
        session_id = UUID(shown)
    except ValueError:
        raise Invalid(f"{name} must be a UUID.", {name: "a UUID"}) from None
    owner = owners.recognise(owners.of_session(session_id))
    if owner is None:
        raise Unrecognised("This session was ended.")
    g.session_id = session_id
    return owner


def session_id() -> UUID | None:
    """The session that a program has shown, if it was one."""
    found: UUID | None = g.get("session_id")
    return found


def by_cookie() -> Owner:
    g.token = request.cookies.get(cookie_name(), "")
    known = owners.recognise(g.token) if TOKEN.fullmatch(g.token) else None
    if known is None:
        g.token = owners.new_token()
        known = owners.guest(g.token)
        g.is_new = True
    return known


def is_from_elsewhere() -> bool:
    """Whether a page of another site asks: its visitor's cookie says nothing about what they want
    here."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        return site not in {"same-origin", "none"}
    return origin is not None and origin != f"{request.scheme}://{request.host}"


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
