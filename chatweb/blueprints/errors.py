"""The one mapping from what went wrong to an answer: a page, a notice for htmx, or JSON."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple
from uuid import uuid4

from flask import Flask, Response, g, make_response, render_template, request, url_for
from werkzeug.exceptions import BadHost, HTTPException, SecurityError

from chatweb.blueprints import htmx, programs
from chatweb.services.errors import (
    Conflict,
    Invalid,
    ModelFailed,
    NotAllowed,
    NotFound,
    ServiceError,
    StaleForm,
    TooMany,
    Unavailable,
    Unfinished,
    Unrecognised,
)

logger = logging.getLogger(__name__)

CODES: dict[type[Exception], int] = {
    Unrecognised: 401,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    TooMany: 429,
    ModelFailed: 502,
    Unfinished: 503,
    Unavailable: 503,
}

TITLES = {
    400: "This request cannot be read",
    403: "This request was refused",
    404: "Not found",
    405: "This address cannot do that",
    409: "Not now",
    413: "This is too large",
    415: "This is not the right kind of content",
    422: "This cannot be sent as it is",
    429: "The limit is reached for now",
    500: "Something went wrong",
    503: "The chat cannot be reached right now",
}

SENTENCES = {
    400: "The server could not make sense of it.",
    403: "It did not come from a page of this site. Open the chat here and try again.",
    404: str(NotFound()),
    405: "Go back and use the buttons of the page.",
    413: "The text is larger than this site takes. Shorten it, or send it in parts.",
    415: "Send it as a form.",
    500: "The fault is ours and was noted. What was saved is still there.",
}

SAVED_SO_FAR = (
    "Everything that was sent is saved, and what you typed is still in the box. "
    "Try again in a moment."
)

RETRY_AFTER = 3
"""Seconds a client should leave us alone, usually when the database is away."""


class Kept(NamedTuple):
    """What was typed into a form that could not be taken; ``sent_id`` is the id it had, ``shown``
    the last message on its page."""

    action: str
    text: str
    request_id: str
    sent_id: str
    shown: str


def answer(
    code: int, sentence: str, *, stale: bool = False, retry_after: int = RETRY_AFTER,
    fields: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """The page, the notice or the JSON for an error; ``stale``: the form that was sent needs a
    fresh id; ``fields``: what is wrong with which part."""
    if isinstance(request.routing_exception, (SecurityError, BadHost)):
        # Asked under a name that is not ours, or none: no address a page could lead to.
        return Response(f"{sentence}\n", code, mimetype="text/plain")
    response = (
        programs.refused(code, sentence, fields)
        if programs.are_asking()
        else shown(code, sentence, stale=stale)
    )
    if code in {429, 503}:
        response.headers["Retry-After"] = str(retry_after)
    return response


def shown(code: int, sentence: str, *, stale: bool) -> Response:
    fragment = htmx.wants_fragment()
    body = render_template(
        "_refused.html" if fragment else "error.html",
        code=code, title=TITLES.get(code, TITLES[400]), message=sentence,
        request_id=g.request_id, kept=kept(code, stale), stale=stale,
    )  # fmt: skip
    response = make_response(body, code)
    return htmx.retarget(response, "#notice") if fragment else response


def kept(code: int, stale: bool) -> Kept | None:
    """The text of the form that failed; nothing that was typed is lost with an error page.

    Its request id is kept too, as it may have arrived; not where that id is ``stale``. What another
    site has sent is not kept: our page would offer to send it in its reader's name.
    """
    if request.method != "POST" or request.content_length is None or code == 403:
        return None
    if request.content_length > (request.max_content_length or 0):
        return None
    form = request.form
    text, sent_id = form.get("text", ""), form.get("request_id", "")
    if not (text or stale):
        return None
    request_id = sent_id if sent_id and not stale else str(uuid4())
    return Kept(_sends_to(), text, request_id, sent_id, form.get("shown", ""))


def _sends_to() -> str:
    """Where the text of the form that failed belongs: without scripts, the button that stops an
    answer sends the box too."""
    if request.endpoint != "answers.stop":
        return request.path
    return url_for("chat.ask", conversation_id=(request.view_args or {})["conversation_id"])


def code_of(error: Exception) -> int:
    """The number of what a service has refused."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def refused(error: Exception) -> Response:
    code = code_of(error)
    sentence = str(error)
    if code == 503 and not programs.are_asking():
        sentence = f"{error} {SAVED_SO_FAR}"
    if isinstance(error, Unavailable):
        logger.warning("database: %s", error.kind)
    wait = error.retry_after if isinstance(error, TooMany) else RETRY_AFTER
    return answer(
        code, sentence, stale=isinstance(error, StaleForm), retry_after=wait,
        fields=getattr(error, "fields", None),
    )  # fmt: skip


def http(error: HTTPException) -> Response:
    code = error.code or 500
    if code < 400:
        return error.get_response()  # type: ignore[return-value]
    sentences = SENTENCES | programs.SENTENCES if programs.are_asking() else SENTENCES
    response = answer(code, sentences.get(code, SENTENCES[400]))
    if code == 405 and (allowed := error.get_response().headers.get("Allow")):
        response.headers["Allow"] = allowed
    return response


def broken(error: Exception) -> Response:
    logger.exception("a request broke off", exc_info=error)
    return answer(500, SENTENCES[500])


def init_app(app: Flask) -> None:
    app.register_error_handler(ServiceError, refused)
    app.register_error_handler(Unavailable, refused)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, broken)
