"""A model that does what a test tells it: a real server of the chat-completions protocol.

It listens on 127.0.0.1, in a thread of its own, and answers with text that follows from the
question alone (`answer_to`), so whoever asks knows what must arrive::

    with ScriptedModel() as model:
        model.script = Script(tokens=40, interval=0.05)     # every question of this server
        ask(model.base_url, "Why?")
        ask(model.base_url, "Why? [[script: stall]]")       # this question only
        ask(model.base_url, 'Why? [[script: {"do": "cut", "after": 3}]]')
        assert model.wait_for(lambda: model.requests[1].left_early)
        model.titles = Script(pieces=("A title",))          # whoever is asked for a title

As its own process, for benchmarks: ``python -m tests.scripted_model --port 9000 --tokens 40
--interval 0.05``; a GET of ``/counts`` there tells what ran.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

WORDS = ["amber", "brook", "cedar", "dune", "ember", "fjord", "grove", "haze", "iris", "jade"]
DIRECTIVE = re.compile(r"\[\[script:(.*)\]\]", re.DOTALL)
NAME = "scripted-model"
EVENT_STREAM = "Content-Type: text/event-stream\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class Script:
    """How to answer one request. Times in seconds.

    ``do`` is one of:

    - ``answer``: well, as the other fields say.
    - ``stall``: accept and never answer; with ``after``, say so many tokens and then no more.
    - ``cut``: end the connection after ``after`` tokens without ``[DONE]``; ``reset``: with RST.
    - ``flood``: tokens without end; ``line``: one line without end.
    - ``html``, ``prose``, ``broken_json``, ``not_an_object``: not the protocol at all.
    - ``invalid_utf8``: a word with broken bytes in it, and a good end.
    - ``wrong_length``: promises more bytes than it sends; ``whole``: JSON at once, no stream.
    - ``error``: an error object inside the stream, after ``after`` tokens.
    - ``no_end``: a finish reason, but neither ``[DONE]`` nor an end of the connection;
      ``no_done``: a finish reason and the end, without ``[DONE]``.
    - ``think``: ``after`` deltas of ``reasoning_content`` first, then the answer.
    - ``raw``: ``pieces`` are written as they are, as the body of an event stream.

    With a ``status`` other than 200 it refuses with that status. With ``times``, it misbehaves
    only on the first so many requests with the same question and then answers well.
    """

    do: str = "answer"
    tokens: int = 20
    interval: float = 0.0
    first: float = 0.0
    after: int = 0
    pieces: tuple[str, ...] | None = None
    status: int = 200
    code: str = ""
    message: str = "scripted"
    retry_after: str = ""
    location: str = ""
    times: int = 0
    usage: bool = True
    refuse_stream_options: bool = False
    model: str = NAME
    finish_reason: str = "stop"

    def for_question(self, question: str) -> Script:
        """This script, changed by the ``[[script: …]]`` in the question if there is one."""
        found = DIRECTIVE.search(question)
        if not found:
            return self
        said = found[1].strip()
        changes = json.loads(said) if said.startswith("{") else {"do": said}
        if "pieces" in changes:
            changes["pieces"] = tuple(changes["pieces"])
        return replace(self, **changes)


@dataclass
class Request:
    """A request as it came, and what became of it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int
    finished: bool = False
    left_early: bool = False
    sent: int = 0

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation, oldest first."""
        return list(self.body.get("messages", []))

    @property
    def asks_title(self) -> bool:
        """Whether its instruction is to give a title."""
        first = self.messages[0] if self.messages else {}
        return first.get("role") == "system" and " title" in first["content"]

    @property
    def question(self) -> str:
        """The text of the last message."""
        return str(self.messages[-1]["content"]) if self.messages else ""


def answer_to(question: str, tokens: int = 20) -> str:
    """The text that a well-behaved script answers: the same for the same question."""
    return "".join(tokens_of(question, tokens))


def tokens_of(question: str, tokens: int) -> Iterator[str]:
    """The pieces of `answer_to`, one a token."""
    seed = hashlib.sha256(question.encode("utf-8", "replace")).digest()
    for number in range(tokens):
        yield f"{WORDS[seed[number % 32] % len(WORDS)]}{number} "


def event(**delta: Any) -> bytes:
    """One event of a streamed answer."""
    data = {"object": "chat.completion.chunk", "model": NAME, "choices": [choice(delta)]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


class ScriptedModel:
    """The server. Its fields may be read and its script set from any thread."""

    def __init__(self, script: Script | None = None, port: int = 0) -> None:
        self.script = script or Script()
        self.titles: Script | None = None
        self.port = port
        self.requests: list[Request] = []
        self.running = 0
        self.most_running = 0
        self.connections = 0
        self.asked: Counter[str] = Counter()
        self.changed = threading.Condition()
        self.open: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def base_url(self) -> str:
        """What to use as ``LLM_BASE_URL``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def listen(self) -> None:
        """Accept connections (again), on the same port as before."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def refuse(self) -> None:
        """Close the port and every connection; new ones are refused until `listen`."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result(10)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse connections for the length of a ``with`` block."""
        self.refuse()
        try:
            yield
        finally:
            self.listen()

    def wait_for(self, fact: Callable[[], Any], seconds: float = 10.0) -> bool:
        """Wait until ``fact()`` holds; False if it does not within ``seconds``."""
        with self.changed:
            return bool(self.changed.wait_for(fact, seconds))

    @contextmanager
    def change(self) -> Iterator[None]:
        """Change the records, and wake those who wait for it."""
        with self.changed:
            yield
            self.changed.notify_all()

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(
            lambda: Connection(self), "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server:
            self._server.close()
        tasks = [connection.task for connection in self.open if connection.task]
        for connection in list(self.open):
            connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


class Connection(asyncio.Protocol):
    """One connection: reads requests, and notices at once when the other side leaves."""

    transport: asyncio.Transport

    def __init__(self, model: ScriptedModel) -> None:
        self.model = model
        self.received = b""
        self.task: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.model.open.add(self)
        with self.model.change():
            self.model.connections += 1
            self.number = self.model.connections

    def connection_lost(self, _: Exception | None) -> None:
        self.model.open.discard(self)
        if self.task:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self.received = rest[length:]
        body = json.loads(rest[:length]) if length else {}
        request = Request(first.split(" ")[1], headers, body, self.number)
        self.task = asyncio.get_running_loop().create_task(self.serve(request))

    async def serve(self, request: Request) -> None:
        if request.path == "/counts":
            counts = {name: getattr(self.model, name) for name in ("running", "most_running")}
            self.whole(200, {**counts, "requests": len(self.model.requests)})
            return
        model = self.model
        with model.change():
            model.requests.append(request)
            model.running += 1
            model.most_running = max(model.most_running, model.running)
            model.asked[request.question] += 1
        try:
            await Answer(self, request).give()
            request.finished = True
        finally:
            with model.change():
                model.running -= 1
                request.left_early = not request.finished

    async def write(self, data: bytes) -> None:
        """One chunk of a chunked body."""
        await self.writable.wait()
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def head(self, status: int, headers: str) -> None:
        self.transport.write(f"HTTP/1.1 {status} Scripted\r\n{headers}\r\n".encode())

    def whole(self, status: int, body: Any, headers: str = "", content: str = "") -> None:
        """A whole response; ``content`` is its type when it is not JSON."""
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = content or "application/json"
        self.head(status, f"Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n{headers}")
        self.transport.write(data)

    def reset(self) -> None:
        """End the connection with RST, losing what was not sent yet."""
        socket = self.transport.get_extra_info("socket")
        # SOL_SOCKET and SO_LINGER with a time of zero: close() then resets.
        socket.setsockopt(1, 13, struct.pack("ii", 1, 0))
        self.transport.abort()


@dataclass
class Answer:
    """One request being answered as its script says."""

    connection: Connection
    request: Request
    script: Script = field(init=False)

    def __post_init__(self) -> None:
        model, question = self.connection.model, self.request.question
        script = model.titles if self.request.asks_title and model.titles else model.script
        self.script = script.for_question(question)
        if self.script.times and model.asked[question] > self.script.times:
            self.script = replace(self.script, do="answer", status=200)

    async def give(self) -> None:
        script, connection = self.script, self.connection
        if script.refuse_stream_options and "stream_options" in self.request.body:
            error = {"message": "Unknown parameter: stream_options", "code": "unknown_parameter"}
            connection.whole(400, {"error": error})
            return
        if script.status != 200:
            self.refuse()
            return
        if script.do == "stall" and not script.after:
            await asyncio.sleep(3600)
        await asyncio.sleep(script.first)
        if script.do in WHOLE:
            WHOLE[script.do](self)
            return
        connection.head(200, EVENT_STREAM + CHUNKED)
        await getattr(self, script.do)()

    def refuse(self) -> None:
        script = self.script
        headers = f"Retry-After: {script.retry_after}\r\n" if script.retry_after else ""
        headers += f"Location: {script.location}\r\n" if script.location else ""
        error = {"message": script.message, "code": script.code or None, "type": "scripted"}
        self.connection.whole(script.status, {"error": error}, headers)

    def html(self) -> None:
        page = "<!doctype html>\n<title>Log in</title>\n<p>data: no</p>\n"
        self.connection.whole(200, page, content="text/html")

    def prose(self) -> None:
        self.connection.whole(200, "I am not a server.\n\n", content="text/event-stream")

    def broken_json(self) -> None:
        self.connection.whole(200, 'data: {"choices": [\n\n', content="text/event-stream")

    def not_an_object(self) -> None:
        self.connection.whole(200, 'data: [1, "two"]\n\n', content="text/event-stream")

    def at_once(self) -> None:
        text = "".join(self.pieces())
        message = {"role": "assistant", "content": text}
        answer = {**choice({}, self.script.finish_reason), "message": message}
        body = {"model": self.script.model, "choices": [answer], "usage": self.used(7)}
        self.connection.whole(200, body)

    def wrong_length(self) -> None:
        self.connection.head(200, EVENT_STREAM + "Content-Length: 100000\r\n")
        for piece in self.pieces():
            self.connection.transport.write(event(content=piece))
        self.connection.transport.close()

    def pieces(self) -> list[str]:
        if self.script.pieces is not None:
            return list(self.script.pieces)
        return list(tokens_of(self.request.question, self.script.tokens))

    def used(self, count: int) -> dict[str, int]:
        asked = sum(len(message["content"].split()) for message in self.request.messages)
        return {"prompt_tokens": asked, "completion_tokens": count, "total_tokens": asked + count}

    async def say(self, *deltas: bytes) -> None:
        for number, delta in enumerate(deltas):
            if number and self.script.interval:
                await asyncio.sleep(self.script.interval)
            await self.connection.write(delta)
            self.request.sent += 1

    async def begin(self, count: int | None = None) -> None:
        """The role, and the first ``count`` tokens (default: all of them)."""
        await self.connection.write(event(role="assistant", content=None))
        await self.say(*(event(content=piece) for piece in self.pieces()[:count]))

    async def finish(self, done: bool = True) -> None:
        end = {"model": self.script.model, "choices": [choice({}, self.script.finish_reason)]}
        events = [end]
        if self.script.usage and self.request.body.get("stream_options", {}).get("include_usage"):
            used: dict[str, Any] = {"choices": [], "usage": self.used(self.request.sent)}
            events.append({"model": self.script.model, **used})
        data = b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in events)
        await self.connection.write(data + (b"data: [DONE]\n\n" if done else b""))

    async def answer(self) -> None:
        await self.begin()
        await self.finish()
        self.connection.transport.write(b"0\r\n\r\n")

    async def think(self) -> None:
        await self.say(*[event(reasoning_content="hm ", content=None)] * self.script.after)
        await self.answer()

    async def raw(self) -> None:
        await self.say(*(piece.encode("utf-8", "surrogateescape") for piece in self.pieces()))
        self.connection.transport.write(b"0\r\n\r\n")

    async def invalid_utf8(self) -> None:
        await self.say(b'data: {"choices":[{"delta":{"content":"br\xff\xc3(ken"}}]}\n\n')
        await self.finish()
        self.connection.transport.write(b"0\r\n\r\n")

    async def stall(self) -> None:
        await self.begin(self.script.after)
        await asyncio.sleep(3600)

    async def cut(self) -> None:
        await self.begin(self.script.after)
        self.connection.transport.close()

    async def reset(self) -> None:
        await self.begin(self.script.after)
        await asyncio.sleep(0.05)
        self.connection.reset()

    async def no_end(self) -> None:
        await self.begin()
        await self.finish(done=False)
        await asyncio.sleep(3600)

    async def no_done(self) -> None:
        await self.begin()
        await self.finish(done=False)
        self.connection.transport.close()

    async def error(self) -> None:
        await self.begin(self.script.after)
        error = {"message": self.script.message, "code": self.script.code or "server_error"}
        await self.connection.write(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
        self.connection.transport.write(b"0\r\n\r\n")

    async def flood(self) -> None:
        flood = event(content="never ends " * 10)
        while True:
            await self.say(flood)
            await asyncio.sleep(self.script.interval)

    async def line(self) -> None:
        await self.connection.write(b'data: {"choices":[{"delta":{"content":"')
        while True:
            await self.say(b"a" * 16384)
            await asyncio.sleep(self.script.interval)


WHOLE: dict[str, Callable[[Answer], None]] = {
    "html": Answer.html,
    "prose": Answer.prose,
    "broken_json": Answer.broken_json,
    "not_an_object": Answer.not_an_object,
    "whole": Answer.at_once,
    "wrong_length": Answer.wrong_length,
}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A scripted model of its own process.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--interval", type=float, default=0.0, help="seconds between tokens")
    parser.add_argument("--first", type=float, default=0.0, help="seconds before the first token")
    options = parser.parse_args()
    script = Script(tokens=options.tokens, interval=options.interval, first=options.first)
    with ScriptedModel(script, options.port) as model:
        sys.stdout.write(model.base_url + "\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
