"""All that is known of htmx's headers and event streams; nobody else reads or writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Response, request, stream_with_context

from chatweb.services.errors import Unavailable

EVENT_STREAM = "text/event-stream"
ASKED_BY = "HX-Request"
"""The header that tells htmx from a browser."""


def wants_fragment() -> bool:
    """Whether htmx asks for a part of a page, not a browser for a whole one."""
    headers = request.headers
    return headers.get(ASKED_BY) == "true" and headers.get("HX-Request-Type") != "full"


def retarget(response: Response, selector: str) -> Response:
    """Let ``response`` fill another element than the one that asked."""
    response.headers["HX-Retarget"] = selector
    response.headers["HX-Reswap"] = "innerHTML"
    return response


def push(body: str, address: str) -> Response:
    """A fragment that also changes the address shown."""
    response = Response(body)
    response.headers["HX-Push-Url"] = address
    return response


def event(data: str, id: object = None, name: str | None = None) -> str:
    """One event: unnamed ones are swapped, named ones become events of the page."""
    lines = [] if id is None else [f"id: {id}"]
    if name:
        lines.append(f"event: {name}")
    lines += [f"data: {line}" for line in data.split("\n")]
    return "\n".join(lines) + "\n\n"


SIGN_OF_LIFE = ": still here\n\n"
COME_BACK_LATER = "retry: 5000\n\n"
"""Lets a page wait 5 s before it connects again."""


def last_event() -> str:
    """The id of the last event that came by a connection before; empty on the first one."""
    return request.headers.get("Last-Event-ID", "")


def last_event_id() -> int | None:
    """The offset a reader has already, from a connection before or from its page."""
    text = last_event() or request.args.get("after", "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None


def event_stream(events: Iterator[str]) -> Response:
    """Send ``events`` as they come.

    When the database goes away the stream just ends: the page connects again by itself.
    """

    def guarded() -> Iterator[str]:
        with suppress(Unavailable):
            yield from events

    headers: dict[str, Any] = {"X-Accel-Buffering": "no"}
    return Response(stream_with_context(guarded()), mimetype=EVENT_STREAM, headers=headers)
