"""The client of the chat-completions protocol: a question goes out, an answer flows back.

It lives in an asyncio loop that somebody else runs, and holds one pool of connections to one
endpoint. Every wait has an end: the first token has its own, everything until then (looking up
the name, connecting, trying again) counts towards it, and the whole answer has one too.

aiohttp takes 0.15 s to import, which is paid when the first `Client` is made, not by everyone
who imports this module.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from errno import errorcode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chatweb.llm.events import Answer, Outcome
from chatweb.llm.failures import LOCAL_AWAY, RETRIED, ModelError, refusal

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Client", "Endpoint", "ModelError", "Outcome"]

LONGEST_RETRY_AFTER = 20.0
CONNECT_TIMEOUT = 10.0
AFTER_THE_END = 2.0
"""Seconds to wait for usage and [DONE] when the model has said that it has finished."""
DRAIN = 0.1
"""Seconds to wait for the end of a finished response, so that its connection can be used again."""
ERROR_BODY = 5.0
"""Seconds to wait for the words of a refusal."""
LONGEST_ERROR = 16_384


@dataclass(frozen=True)
class Endpoint:
    """Which model to call, where, and how long to wait. Times in seconds.

    ``max_tokens`` and ``temperature`` are sent only if given: not every model takes them.
    ``prompt_size`` is how many bytes of text to show the model (see `prompts.build`), ``retries``
    how often to try again before the first token. ``local`` marks the demonstration model, and
    ``name`` is what to call the model on the page, if not ``model``.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str
    first_token_timeout: float = 60.0
    timeout: float = 600.0
    max_answer_chars: int = 200_000
    max_tokens: int | None = None
    temperature: float | None = None
    prompt_size: int = 60_000
    retries: int = 2
    local: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        """Check what would otherwise fail at each call. No message repeats a value."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the model's address must begin with http:// or https:// and a host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("the model's address must not hold a name or a password")
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ValueError("the model's key holds characters that cannot be sent")

    @property
    def url(self) -> str:
        return self.base_url.rstrip("/") + "/chat/completions"

    @property
    def where(self) -> str:
        """Host and port for a log: whatever else the URL holds stays out."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


class Client:
    """Asks one endpoint; made anywhere, used and closed in one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        import aiohttp

        self.http = aiohttp
        self.endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None
        self.asks_usage = True

    async def answer(
        self,
        messages: list[dict[str, str]],
        receive: Callable[[str], None],
        longest: int | None = None,
    ) -> Outcome:
        """Send ``messages``, hand each piece of the answer to ``receive``, return how it ended.

        It is ended at ``longest`` characters, or else at the endpoint's. ``receive`` is called in
        the loop and gets only text that can be stored. Cancelling closes the connection, which is
        what tells the model's server to stop.

        :raises ModelError: no answer, or not all of it; what ``receive`` got remains true
        """
        longest = self.endpoint.max_answer_chars if longest is None else longest
        call = Call(self, messages, receive, longest)
        first = min(self.endpoint.first_token_timeout, self.endpoint.timeout)
        try:
            async with asyncio.timeout(first) as call.deadline:
                return await call.make()
        except TimeoutError:
            return call.too_late()

    async def close(self) -> None:
        """Close all connections. The client can be used again afterwards."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def session(self) -> aiohttp.ClientSession:
        """The pool of connections of the running loop."""
        if self._session is None:
            http = self.http
            # No limit here: how many answers run at once is decided by whoever starts them.
            self._session = http.ClientSession(
                connector=http.TCPConnector(limit=0, keepalive_timeout=30),
                timeout=http.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
                cookie_jar=http.DummyCookieJar(),
                headers=self._headers(),
                trust_env=False,
            )
        return self._session

    def body(self, messages: list[dict[str, str]]) -> bytes:
        """The request. What is not set is left out: many servers refuse unknown options."""
        endpoint = self.endpoint
        body: dict[str, Any] = {"model": endpoint.model, "messages": messages, "stream": True}
        if self.asks_usage:
            body["stream_options"] = {"include_usage": True}
        if endpoint.max_tokens is not None:
            body["max_tokens"] = endpoint.max_tokens
        if endpoint.temperature is not None:
            body["temperature"] = endpoint.temperature
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            # A compressed stream arrives in lumps.
            "Accept-Encoding": "identity",
            "User-Agent": "chatweb",
        }
        if self.endpoint.api_key:
            headers["Authorization"] = f"Bearer {self.endpoint.api_key}"
        return headers


class Call:
    """One answer being fetched, tried again where that is harmless."""

    deadline: asyncio.Timeout

    def __init__(
        self,
        client: Client,
        messages: list[dict[str, str]],
        receive: Callable[[str], None],
        longest: int,
    ) -> None:
        self.client = client
        self.endpoint = client.endpoint
        self.messages = messages
        self.receive = receive
        self.longest = longest
        self.got = Answer(receive, longest)
        self.latest = asyncio.get_running_loop().time() + self.endpoint.timeout

    async def make(self) -> Outcome:
        """Try, and try again while nothing has arrived yet and the fault may pass."""
        tries = 0
        while True:
            try:
                return await self._attempt()
            except ModelError as error:
                wait = self._wait_before_retry(error, tries)
                if wait is None:
                    raise
            tries += 1
            await asyncio.sleep(wait)

    def too_late(self) -> Outcome:
        """The end of a call whose time is up: good if the model had finished, else an error."""
        if self.got.ended:
            return self.got.outcome
        if self.got.started:
            detail = f"not finished after {self.endpoint.timeout:g} s by {self.endpoint.where}"
            raise ModelError("too_slow", detail, seconds=self.endpoint.timeout) from None
        seconds = min(self.endpoint.first_token_timeout, self.endpoint.timeout)
        detail = f"no token within {seconds:g} s from {self.endpoint.where}"
        raise ModelError("timeout", detail, seconds=seconds) from None

    def _wait_before_retry(self, error: ModelError, tries: int) -> float | None:
        """Seconds until the next try, or None if there is none."""
        if self.got.started or error.kind not in RETRIED or tries >= self.endpoint.retries:
            return None
        # Jitter, so that chats which failed together do not come back together.
        wait = random.SystemRandom().uniform(0.1, 0.4) * 2**tries
        if error.retry_after is not None:
            if error.retry_after > LONGEST_RETRY_AFTER:
                return None
            wait += error.retry_after
        now = asyncio.get_running_loop().time()
        return wait if now + wait < (self.deadline.when() or now) else None

    async def _attempt(self) -> Outcome:
        endpoint, http = self.endpoint, self.client.http
        self.got = Answer(self.receive, self.longest, endpoint.api_key)
        asked_usage = self.client.asks_usage
        response = None
        try:
            response = await self.client.session().post(
                endpoint.url, data=self.client.body(self.messages), allow_redirects=False
            )
            if response.status != 200:
                return await self._refused(response, asked_usage)
            return await self._read(response.content)
        except http.ClientError as error:
            if self.got.ended:
                return self.got.outcome
            raise self._broken(error, begun=response is not None) from None
        finally:
            if response is not None:
                # Gives a finished connection back to the pool, and closes any other.
                response.release() if response.content.at_eof() else response.close()

    async def _read(self, content: aiohttp.StreamReader) -> Outcome:
        got, now = self.got, asyncio.get_running_loop().time
        while not got.done:
            started, ended = got.started, got.ended
            chunk = await content.readany()
            if not chunk:
                got.close()
                return got.outcome
            got.feed(chunk)
            if got.started and not started:
                self.deadline.reschedule(self.latest)
            if got.ended and not ended:
                self.deadline.reschedule(min(self.latest, now() + AFTER_THE_END))
        if not got.capped:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN):
                    await content.read(1)
        return got.outcome

    async def _refused(self, response: aiohttp.ClientResponse, asked_usage: bool) -> Outcome:
        """Say why there is no answer, or ask again without the option that is not known here."""
        body = await self._error_body(response)
        options_unknown = response.status in (400, 422) and "stream_options" in str(body)
        if options_unknown and asked_usage:
            self.client.asks_usage = False
            return await self._attempt()
        error = refusal(response.status, body, response.headers, self.endpoint.api_key)
        error.detail += f" from {self.endpoint.where}"
        raise error

    async def _error_body(self, response: aiohttp.ClientResponse) -> Any:
        """What a refusal says, as far as it comes soon and is JSON."""
        read = b""
        with suppress(TimeoutError, self.client.http.ClientError):
            async with asyncio.timeout(ERROR_BODY):
                while len(read) < LONGEST_ERROR and (chunk := await response.content.readany()):
                    read += chunk
        try:
            return json.loads(read[:LONGEST_ERROR])
        except (ValueError, RecursionError):
            return None

    def _broken(self, error: aiohttp.ClientError, begun: bool) -> ModelError:
        """What a fault of the connection means. Its own text may hold the whole URL."""
        http, where = self.client.http, self.endpoint.where
        number = getattr(getattr(error, "os_error", error), "errno", None)
        detail = f"{type(error).__name__} {errorcode.get(number or 0, '')}".strip() + f", {where}"
        if isinstance(error, http.InvalidURL):
            return ModelError("refused", detail)
        if isinstance(error, http.ClientResponseError):
            return ModelError("nonsense", detail)
        if begun:
            return ModelError("cut", detail)
        return ModelError("unreachable", detail, sentence=LOCAL_AWAY if self.endpoint.local else "")
