"""The log: one JSON object a line, that tells what happened and never what people wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import UUID

from tests.blueprints.browser import Browser

Log = Callable[[], list[str]]


def test_a_line_of_the_log_is_one_line_whatever_was_sent(
    browser: Browser, mine: UUID, log: Callable[[], list[str]]
) -> None:
    """A25: in a title, a path, a header, a method."""
    forged = '\r\n{"level": "ERROR", "message": "forged"}\x1b[31m\u2028'

    browser.post(f"/c/{mine}/rename", {"title": forged})
    browser.post("/c", {"text": forged, "request_id": forged})
    sent = forged.encode().decode("latin-1")
    browser.get("/", environ_overrides={"PATH_INFO": f"/{sent}", "HTTP_USER_AGENT": sent})
    browser.get("/", query_string={"deleted": forged}, headers={"HX-Request": "true"})
    browser.get("/", environ_overrides={"REQUEST_METHOD": f"GET{sent}"})

    lines = log()
    assert len(lines) == 5
    for line in lines:
        assert json.loads(line)["level"] == "INFO"
        assert "\x1b" not in line
        assert "\u2028" not in line
