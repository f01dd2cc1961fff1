"""The one load generator: HTTP/1.1 on raw sockets in an asyncio loop, the same for all servers.

It does little for each answer, so that what it measures is the server: lengths are read, text is
kept and looked at afterwards.
"""

import asyncio
import re
import secrets
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Self
from urllib.parse import urlencode
from uuid import uuid4
from zlib import crc32

PATIENCE = 90.0
"""Seconds after which a measurement is given up: load never runs on by itself."""

MOST_REQUESTS = 50_000
"""Requests of one closed loop, whatever its time."""

DONE = b"event: done"
STREAM = re.compile(rb'hx-sse:connect="([^"]+)"')
WORDS = re.compile(rb"(?m)^data: .*?>\s*[^<>\s]")
"""An event that shows text, not only tags."""


@dataclass(frozen=True)
class Answer:
    head: bytes
    body: bytes


class Connection(asyncio.Protocol):
    """One keep-alive connection to 127.0.0.1: ``ask`` for a whole answer, ``follow`` a stream."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._missing: int | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._stream: asyncio.Future[None] | None = None
        self.arrivals: list[tuple[float, bytes]] = []

    @classmethod
    async def to(cls, port: int) -> Self:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    async def ask(self, request: bytes) -> Answer:
        """The answer with its Content-Length; anything but 200 is an error."""
        self._answer = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._missing = None
        self.transport.write(request)
        return await self._answer

    async def follow(self, request: bytes) -> list[tuple[float, bytes]]:
        """What came until the event "done", each with its time (``time.perf_counter``)."""
        self._stream = asyncio.get_running_loop().create_future()
        self.arrivals = []
        self.transport.write(request)
        await self._stream
        return self.arrivals

    def close(self) -> None:
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._stream and not self._stream.done():
            self.arrivals.append((time.perf_counter(), data))
            before = self.arrivals[-2][1][-len(DONE) :] if len(self.arrivals) > 1 else b""
            if DONE in before + data:
                self._stream.set_result(None)
        elif self._answer and not self._answer.done():
            self._take(self._answer, data)

    def _take(self, answer: asyncio.Future[Answer], data: bytes) -> None:
        self._received += data
        if self._missing is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end])
            if not head.startswith(b"HTTP/1.1 200"):
                answer.set_exception(ConnectionError(head.split(b"\r\n")[0].decode("latin-1")))
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if length is None:
                answer.set_exception(ConnectionError("an answer without Content-Length"))
                return
            self._missing = end + 4 + int(length[1])
        if len(self._received) >= self._missing:
            head, _, body = bytes(self._received).partition(b"\r\n\r\n")
            answer.set_result(Answer(head, body))

    def connection_lost(self, error: Exception | None) -> None:
        for waiting in (self._answer, self._stream):
            if waiting and not waiting.done():
                waiting.set_exception(error or ConnectionError("the server closed the connection"))


def request(path: str, token: str, form: dict[str, str] | None = None, gzip: bool = False) -> bytes:
    """A request as a browser with htmx sends it; with a ``form`` it is a POST."""
    lines = [
        f"{'GET' if form is None else 'POST'} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Cookie: chatweb={token}",
        f"X-Forwarded-For: {address_of(token)}",
    ]
    lines += ["Accept-Encoding: gzip"] if gzip else []
    body = urlencode(form).encode() if form is not None else b""
    if form is not None:
        lines += ["HX-Request: true", "Sec-Fetch-Site: same-origin", f"Content-Length: {len(body)}"]
        lines += ["Content-Type: application/x-www-form-urlencoded"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def address_of(token: str) -> str:
    """Each visitor comes from an address of their own, where the server believes it."""
    return str(IPv4Address(crc32(token.encode())))


def new_token() -> str:
    """A new visitor's cookie: any 256 random bits are a guest's."""
    return secrets.token_urlsafe(32)


def rate(
    port: int, path: str, token: str, *, seconds: float = 1.5, gzip: bool = False
) -> tuple[int, float]:
    """Answers, and answers a second, of 16 connections that ask again once they are answered."""
    return asyncio.run(asyncio.wait_for(_rate(port, request(path, token, gzip=gzip), seconds), 60))


async def _rate(
    port: int, wanted: bytes, seconds: float, connections: int = 16
) -> tuple[int, float]:
    began = time.perf_counter()
    answered = 0

    async def ask_again_and_again() -> None:
        nonlocal answered
        connection = await Connection.to(port)
        while time.perf_counter() - began < seconds and answered < MOST_REQUESTS:
            await connection.ask(wanted)
            answered += 1
        connection.close()

    await asyncio.gather(*(ask_again_and_again() for _ in range(connections)))
    return answered, answered / (time.perf_counter() - began)


@dataclass
class Chat:
    """One new visitor's question and what came back."""

    question: str
    token: str = field(default_factory=new_token)
    asked: float = 0.0
    address: str = ""
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)
    failure: str = ""

    @property
    def first_letter(self) -> float:
        """When the first text came, by ``time.perf_counter``."""
        return next((at for at, data in self.arrivals if WORDS.search(data)), self.arrivals[-1][0])

    @property
    def ended(self) -> bool:
        return bool(self.arrivals) and not self.failure

    async def run(self, port: int) -> None:
        """Ask, follow the answer to its end on the same connection, and leave."""
        try:
            connection = await self.ask(port)
            self.arrivals = await connection.follow(request(self.address, self.token))
            connection.close()
        except OSError as error:
            self.failure = f"{type(error).__name__}: {error}"

    async def ask(self, port: int) -> Connection:
        connection = await Connection.to(port)
        self.asked = time.perf_counter()
        form = {"text": self.question, "request_id": str(uuid4())}
        answer = await connection.ask(request("/c", self.token, form))
        if found := STREAM.search(answer.body):
            self.address = found[1].decode().replace("&amp;", "&")
        else:  # ended before we were answered: the stream replays it
            pushed = re.search(rb"(?i)\r\nhx-push-url: *(\S+)", answer.head)
            if pushed is None:
                raise ConnectionError("the answer to a question names no conversation")
            self.address = f"{pushed[1].decode()}/messages/2/stream"
        return connection


def chats(port: int, count: int, within: float = 1.0) -> list[Chat]:
    """So many chats, begun at even distances within so many seconds, all followed to the end."""
    return asyncio.run(asyncio.wait_for(_chats(port, count, within), PATIENCE))


async def _chats(port: int, count: int, within: float) -> list[Chat]:
    all_of_them = [Chat(f"Question {number} of {count}?") for number in range(count)]

    async def later(number: int, chat: Chat) -> None:
        await asyncio.sleep(number * within / count)
        await chat.run(port)

    await asyncio.gather(*(later(number, chat) for number, chat in enumerate(all_of_them)))
    return all_of_them
