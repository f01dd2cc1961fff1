"""People with browsers, outside the product: their cookie, what they send, what they are shown.

Each :class:`Line` is one connection, which stays with one worker while it lasts; :func:`lines`
gives one to each worker of a server, so that a test can choose who answers.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit
from uuid import UUID, uuid4

import psutil
from bs4 import BeautifulSoup, Tag

from tests.faults.histories import Send
from tests.rendering.page import Page
from tests.servers import Server, wait_until

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Answer:
    """What the server said, and after how many seconds all of it was there."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    @property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.text, "html.parser")

    @property
    def address(self) -> tuple[UUID, int]:
        """The conversation and the position that a redirect leads to."""
        parts = urlsplit(self.headers["Location"])
        return UUID(parts.path.rsplit("/", 1)[1]), int(parts.fragment.removeprefix("message-"))

    @property
    def box(self) -> str:
        """What the answer shows in a box, ready to be sent again."""
        box = self.page.select_one("textarea[name=text]")
        return box.text.removeprefix("\n") if box else ""


class Line:
    """One connection to a server, opened with the first request."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        started = time.monotonic()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        return Answer(response.status, response.headers, text, time.monotonic() - started)

    def follow(self, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request("GET", path, headers=headers)
        return self._connection.getresponse()

    def close(self) -> None:
        self._connection.close()


@dataclass
class Person:
    """Somebody whose cookie came with their first page. ``line`` None: a new one each time."""

    port: int
    line: Line | None = None
    cookie: str = ""
    sends: list[Send] = field(default_factory=list)

    def on(self, line: Line) -> Person:
        """The same person, on another connection."""
        return Person(self.port, line, self.cookie, self.sends)

    def get(self, path: str = "/") -> Answer:
        answer = self._ask("GET", path)
        if given := answer.headers.get("Set-Cookie"):
            self.cookie = given.split(";")[0]
        return answer

    def post(self, path: str, **form: object) -> Answer:
        if not self.cookie:
            self.get()
        return self._ask("POST", path, urlencode(form), {"Content-Type": FORM})

    def begin(self, text: str, request_id: UUID | None = None) -> Send:
        """The first question of a new conversation."""
        return self._send("/c", text, request_id)

    def ask(self, conversation: UUID, text: str, request_id: UUID | None = None) -> Send:
        """A question in a conversation."""
        return self._send(f"/c/{conversation}/messages", text, request_id)

    def edit(
        self, conversation: UUID, position: int, text: str, request_id: UUID | None = None
    ) -> Send:
        """A question in other words."""
        return self._send(f"/c/{conversation}/messages/{position}/edit", text, request_id, position)

    def retry(self, conversation: UUID, position: int, request_id: UUID | None = None) -> Send:
        """Another answer."""
        return self._send(f"/c/{conversation}/messages/{position}/retry", "", request_id, position)

    def go_on(self, conversation: UUID, position: int, request_id: UUID | None = None) -> Send:
        """The rest of an answer that was cut."""
        path = f"/c/{conversation}/messages/{position}/continue"
        return self._send(path, "", request_id, position, goes_on=True)

    def shown(self, conversation: UUID, position: int) -> str:
        """The words of a message, as the page shows them now."""
        page = self.get(f"/c/{conversation}").page
        return _words(page.select_one(f"#body-{position}"))

    def status(self, conversation: UUID, position: int) -> str:
        """The status of a message, as the page shows it now; empty when there is no page."""
        message = self.get(f"/c/{conversation}").page.select_one(f"#message-{position}")
        return str(message["data-status"]) if message else ""

    def reading(self, conversation: UUID, position: int, leave_after: int | None = None) -> Reading:
        """A reader, who leaves before the end after so many events."""
        line = self.line or Line(self.port)
        path = f"/c/{conversation}/messages/{position}/stream"
        headers = {"Cookie": self.cookie} | ({} if self.line else {"Connection": "close"})
        return Reading(line, path, headers, position, leave_after)

    def _send(
        self, path: str, text: str, request_id: UUID | None, sibling_of: int | None = None,
        *, goes_on: bool = False,
    ) -> Send:  # fmt: skip
        """Note what came of it; a connection that broke off says nothing, so all is open."""
        request_id, began = request_id or uuid4(), time.monotonic()
        told = partial(
            Send, self.cookie, request_id, text, sibling_of=sibling_of, goes_on=goes_on, began=began
        )
        form = {"text": text} if text else {}
        try:
            answer = self.post(path, **form, request_id=request_id)
        except (OSError, http.client.HTTPException):
            send = told(status=None)
        else:
            conversation, position = answer.address if answer.status == 303 else (None, None)
            if text and sibling_of and position:
                position -= 1  # the way leads to the answer, which came with the question
            send = told(answer.status, conversation, position, answer.box)
        send = replace(send, told=time.monotonic())
        self.sends.append(send)
        return send

    def _ask(
        self, method: str, path: str, body: str | None = None, more: Mapping[str, str] | None = None
    ) -> Answer:
        headers = {"Cookie": self.cookie, **(more or {})}
        if self.line:
            return self.line.ask(method, path, body, headers)
        with contextlib.closing(Line(self.port)) as line:
            return line.ask(method, path, body, headers | {"Connection": "close"})


class Reading:
    """A reader of an answer in progress: what they saw, and when, until the stream ended.

    A thread of its own while the ``with`` lasts.
    """

    def __init__(
        self, line: Line, path: str, headers: dict[str, str], position: int,
        leave_after: int | None = None,
    ) -> None:  # fmt: skip
        self.glimpses: list[tuple[float, str]] = []
        self.done = self.left = False
        self._leave_after = leave_after
        self._line = line
        self._request = (path, headers)
        self._page = Page(position)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error:
            self._line.close()
        self._thread.join(60)

    @property
    def text(self) -> str:
        """What is seen now."""
        return self.glimpses[-1][1] if self.glimpses else ""

    def seen_at(self, moment: float) -> str:
        """What was seen at a moment of ``time.monotonic``."""
        return next((text for at, text in reversed(self.glimpses) if at <= moment), "")

    def wait_for_words(self, count: int, seconds: float = 20) -> None:
        wait_until(lambda: len(self.text.split()) >= count, seconds=seconds, every=0.01)

    def _run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            response = self._line.follow(*self._request)
            for number, event in enumerate(events(response)):
                if number == self._leave_after:
                    self.left = True
                    response.close()
                    return
                if event.get("event") == "done":
                    self.done = True
                    return
                self.glimpses.append((time.monotonic(), self._heard(event)))

    def _heard(self, event: dict[str, str]) -> str:
        """What is seen after an event."""
        self._page.apply(_of_body(event.get("data", "")))
        return _text_of(self._page)


def _text_of(page: Page) -> str:
    return _words(BeautifulSoup(page.body, "html.parser"))


def events(response: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
    """The events of a stream, as they come."""
    event: dict[str, str] = {}
    while line := response.readline().decode():
        name, _, value = line.rstrip("\n").partition(": ")
        if name == "data" and "data" in event:
            event["data"] += "\n" + value
        elif name:
            event[name] = value
        elif event:
            yield event
            event = {}


def _of_body(markup: str) -> str:
    """Only the changes of the text: the end also brings a foot and another button."""
    for beyond in ('<hx-partial hx-target="#foot-', '<hx-partial hx-target="#composer-action'):
        markup = markup.partition(beyond)[0]
    return markup.strip()


def _words(tree: Tag | None) -> str:
    return " ".join(tree.get_text().split()) if tree else ""


@contextlib.contextmanager
def lines(server: Server) -> Iterator[list[Line]]:
    """A connection to each worker of ``server``.

    Forced, not hoped for: while all workers but one stand still, that one takes the connection.
    """
    opened = []
    workers = [psutil.Process(pid) for pid in server.worker_pids()]
    try:
        for worker in workers:
            others = [each for each in workers if each != worker]
            for other in others:
                other.suspend()
            try:
                line = Line(server.port)
                opened.append(line)
                answer = line.ask("GET", "/livez", None, {})
            finally:
                for other in others:
                    other.resume()
            assert process_of(server, answer) == worker.pid
        yield opened
    finally:
        for line in opened:
            line.close()


def process_of(server: Server, answer: Answer) -> int:
    """The worker that gave an answer, as its log says."""
    request = answer.headers["X-Request-ID"]
    found: list[int] = []

    def logged() -> bool:
        found.extend(
            line["process"] for line in log_lines(server.log()) if line.get("request_id") == request
        )
        return bool(found)

    wait_until(logged, seconds=5)
    return found[0]


def log_lines(log: str) -> Iterator[dict[str, object]]:
    """The lines of a log that are JSON; the last one may be half-written."""
    for line in log.splitlines():
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict):
                yield said
