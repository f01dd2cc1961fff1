"""Nonsense in every field, parameter, cookie and header of every route is no fault of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import cycle
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Flask

from tests.blueprints.browser import HTMX, Browser

GARBAGE = [
    "", "\x00", "\ud800", "'\"<>&{{7*7}}%s%n", "9" * 400, "-1", "NaN", "../" * 50, "\u202e\u0000😀",
    "a\r\nSet-Cookie: x=1", "null", "[]", "\xff\xfe",
]  # fmt: skip
FIELDS = [
    "text", "title", "request_id", "seen", "before", "after", "deleted", "under", "q", "next",
    "name", "scope", "days",
]  # fmt: skip
HEADERS = [
    "Last-Event-ID", "HX-Request", "HX-Target", "HX-Current-URL", "HX-Request-Type", "Accept",
    "Accept-Encoding", "Accept-Language", "If-None-Match", "If-Modified-Since", "Range", "Referer",
    "User-Agent", "Authorization", "X-Request-ID", "X-Session-ID",
]  # fmt: skip


def garbled(nonsense: str) -> dict[str, Any]:
    """A request with it in every place there is."""
    plain = nonsense.encode(errors="surrogatepass")
    # Line ends in headers are refused by every server.
    header = plain.decode("latin-1").replace("\r", "").replace("\n", "")
    cookies = f"theme={header}; side={header}; timezone={header}; chatweb2={header}"
    form = urlencode(dict.fromkeys(FIELDS, plain))
    return {
        "headers": {**dict.fromkeys(HEADERS, header), "Cookie": cookies},
        "data": form,
        "content_type": "application/x-www-form-urlencoded",
        "environ_overrides": {"QUERY_STRING": form},
    }


def test_nothing_that_can_be_sent_is_a_fault_of_the_server(
    app: Flask, browser: Browser, mine: UUID, log: Callable[[], list[str]]
) -> None:
    values = {
        "conversation_id": mine, "position": 2, "filename": "chatweb.css", "token_id": 1,
        "name": "test", "session_id": mine,
    }  # fmt: skip
    asked_by = cycle([{}, HTMX])
    for rule in app.url_map.iter_rules():
        with app.test_request_context():
            path = rule.build({name: values[name] for name in rule.arguments})[1]  # type: ignore[index]
        for method in (rule.methods or set()) & {"GET", "POST"}:
            for nonsense in GARBAGE:
                request = garbled(nonsense)
                request["headers"] |= next(asked_by)
                response = browser.client.open(path, method=method, **request)
                assert response.text is not None  # a stream is read to its end
                assert response.status_code < 500, (method, path, nonsense)

    assert not [line for line in log() if json.loads(line)["level"] == "ERROR"]
