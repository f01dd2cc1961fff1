"""A browser that talks to the application: sends forms, waits for answers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.blueprints.live_page import LivePage, events, parsed

HTMX = {"HX-Request": "true"}


class Browser:
    """A person's browser; its cookie comes with the first page."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str = "/", **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def page(self, path: str = "/") -> LivePage:
        response = self.get(path)
        assert response.status_code == 200, response.text
        return LivePage(response.text)

    def post(self, path: str, form: Any = None, *, htmx: bool = False, **options: Any) -> Any:
        headers = {**(HTMX if htmx else {}), **options.pop("headers", {})}
        return self.client.post(path, data=form or {}, headers=headers, **options)

    def begin(self, text: str = "Why is the sky blue?", **form: Any) -> UUID:
        """A new conversation whose answer is being written."""
        response = self.post("/c", {"text": text, "request_id": uuid4(), **form})
        assert response.status_code == 303, response.text
        return UUID(urlsplit(response.location).path.rsplit("/", 1)[1])

    def ask(self, conversation: UUID, text: str = "And at night?") -> None:
        response = self.post(f"/c/{conversation}/messages", {"text": text, "request_id": uuid4()})
        assert response.status_code == 303, response.text

    def ended(self, conversation: UUID, position: int = 2) -> str:
        """The whole stream of an answer, read to its end."""
        response = self.get(stream_of(conversation, position))
        assert response.status_code == 200, response.text
        assert list(events(response.text))[-1].get("event") == "done", response.text
        return response.text

    def watch(self, page: LivePage) -> None:
        """Let a page follow its answer; one that had ended before the page came needs no stream."""
        if page.tree.select_one(".stream"):
            page.follow(self.get(page.stream).text)
        if feed := page.one("#feed").get("hx-sse:connect"):
            page.hear(self.get(str(feed)).text)

    def talk(self, text: str = "Why is the sky blue?") -> UUID:
        """A conversation of one question and its ended answer."""
        conversation = self.begin(text)
        self.ended(conversation)
        return conversation


def stream_of(conversation: UUID, position: int = 2) -> str:
    return f"/c/{conversation}/messages/{position}/stream"


def anonymous(html: str) -> str:
    """A page without the number of the request."""
    return re.sub(r"\b[0-9a-f]{12}\b", "…", html)


def box(response: TestResponse) -> str:
    """What a page keeps in a box, ready to be sent again."""
    found = parsed(response.text).select_one("main form textarea[name=text]")
    return found.text.removeprefix("\n") if found else ""
