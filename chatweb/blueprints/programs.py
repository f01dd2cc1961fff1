"""Programs: which addresses are theirs, from where they may come, and how they are told what is
wrong."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, request
from flask_cors import CORS

from chatweb.blueprints import limits
from chatweb.blueprints.access import SESSION
from chatweb.config import Settings
from chatweb.services.errors import Unavailable

ADDRESSES = ("/api/", "/v1/", "/chat/")
"""What begins so speaks JSON, whatever happens: the interface, OpenAI's, and that of earlier
systems."""

TRANSCRIPTS = "/v1/"
"""Where programs of OpenAI's protocol ask."""

CODES = {
    400: "unreadable",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many",
    500: "internal",
    502: "model_failed",
    503: "unavailable",
}

SENTENCES = {
    403: "This request comes from a page of another site that may not do this here.",
    405: "This address cannot do that.",
    413: "The body is larger than this site takes.",
    415: "Send the body as JSON, with `Content-Type: application/json`.",
    500: "The fault is ours and was noted. What was saved is still there.",
}

CONVERSATION = "X-Conversation-ID"
"""Names a conversation to programs of OpenAI's protocol, and by them."""

AGAIN = "X-Should-Retry"
"""Tells those whether to send the same again by themselves."""

SENT = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    SESSION,
    CONVERSATION,
    # What OpenAI's own client says of itself with each request.
    "User-Agent",
    "OpenAI-.*",
    "X-Stainless-.*",
]
TOLD = [
    "ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID",
    CONVERSATION, AGAIN,
]  # fmt: skip


def are_asking() -> bool:
    return request.path.startswith(ADDRESSES)


def may_come_from(origin: str | None) -> bool:
    return origin in current_app.extensions["settings"].origins


def refused(code: int, sentence: str, fields: Mapping[str, str] | None = None) -> Response:
    response = jsonify(body(code, sentence, fields))
    response.status_code = code
    if code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def body(
    code: int, sentence: str, fields: Mapping[str, str] | None = None, request_id: str = ""
) -> dict[str, Any]:
    """What is wrong, as the interface at this address says it; ``request_id``: of which request, if
    not of this one."""
    error: dict[str, Any] = {
        "code": CODES.get(code, CODES[400]), "message": sentence,
        "request_id": request_id or g.request_id,
    }  # fmt: skip
    if fields:
        error["fields"] = fields
    if request.path.startswith(TRANSCRIPTS):
        return {"error": error | {"type": kind(code), "param": next(iter(fields or ()), None)}}
    return {"error": error} if request.path.startswith("/api/v1/") else {
        "error": error, "detail": sentence,
    }  # fmt: skip


def kind(code: int) -> str:
    """An error's type in OpenAI's words."""
    if code == 429:
        return "rate_limit_error"
    return "server_error" if code >= 500 else "invalid_request_error"


def tell_limits(response: Response) -> Response:
    """Say with each answer to a question how many more may be asked."""
    counted = request.method == "POST" and response.status_code in {200, 201, 429}
    if counted and are_asking() and "owner" in g:
        with suppress(Unavailable):
            response.headers.update(limits.headers())
    return response


def init_app(app: Flask, settings: Settings) -> None:
    app.after_request(tell_limits)
    if settings.origins:
        CORS(
            app, resources=[f"{address}.*" for address in ADDRESSES], origins=settings.origins,
            allow_headers=SENT, expose_headers=TOLD, supports_credentials=False, max_age=600,
        )  # fmt: skip
