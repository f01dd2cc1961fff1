"""Reading an answer from bytes: server-sent events of chat completions, or one JSON object.

Nothing here waits or touches a network, so every oddity a server can send is a plain test. What
servers do differently is taken in good part (line ends, missing blank lines, no ``[DONE]``, a
whole answer where a stream was asked for); what is not the protocol is refused at the first line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chatweb.llm import citations
from chatweb.llm.failures import ModelError, error_in_stream
from chatweb.llm.texts import REPLACEMENT, storable

MAX_LINE = 2 * 1024 * 1024
"""Bytes of one line, or of an answer that is not streamed; more is not an answer."""
FIELDS = (b"event:", b"id:", b"retry:", b":")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Outcome:
    """What is known at the end of an answer; None where the model's server did not say.

    ``capped`` means that we ended it, because it had reached the length allowed; ``citations``:
    sources it names, each with ``url`` and ``title``.
    """

    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    finish_reason: str | None = None
    capped: bool = False
    citations: tuple[Mapping[str, str], ...] = ()


class Answer:
    """The answer in one response: bytes go in, text goes to ``receive``.

    ``started`` is true once the model has said or thought anything, ``ended`` once the answer
    is known to be whole (a finish reason, ``[DONE]``, or the cap of ``limit`` characters), and
    ``done`` when nothing more will come.
    """

    def __init__(self, receive: Callable[[str], None], limit: int, key: str = "") -> None:
        self._receive = receive
        self._left = limit
        self._key = key
        self._parts: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []
        self._whole: bool | None = None
        self._half = ""
        self._model: str | None = None
        self._tokens_in: int | None = None
        self._tokens_out: int | None = None
        self._finish_reason: str | None = None
        self._citations: dict[str, dict[str, str]] = {}
        self.capped = False
        self.started = False
        self.done = False

    @property
    def ended(self) -> bool:
        return self.done or self._finish_reason is not None

    @property
    def outcome(self) -> Outcome:
        return Outcome(
            self._model, self._tokens_in, self._tokens_out, self._finish_reason, self.capped,
            tuple(self._citations.values()),
        )  # fmt: skip

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, divided anywhere.

        :raises ModelError: ``nonsense``, or what the server says went wrong
        """
        if self._whole is None:
            chunk = (b"".join(self._parts) + chunk).lstrip()
            self._parts.clear()
            self._size = 0
            self._recognise(chunk)
        if self._whole is False and b"\n" in chunk:
            *lines, rest = (b"".join(self._parts) + chunk).split(b"\n")
            self._parts, self._size = [rest], len(rest)
            for line in lines:
                if self.done:
                    return
                self._line(line.rstrip(b"\r"))
        else:
            self._parts.append(chunk)
            self._size += len(chunk)
        if self._size > MAX_LINE:
            raise ModelError("nonsense", f"a line of more than {MAX_LINE} bytes")

    def close(self) -> None:
        """Take the end of the bytes.

        :raises ModelError: ``cut`` if the answer was not whole, ``nonsense``
        """
        rest = b"".join(self._parts)
        self._parts.clear()
        if self._whole:
            self._take_whole(self._parse(rest))
        elif not self.done:
            if rest:
                self._line(rest.rstrip(b"\r"))
            self._event()
        self._say_half()
        if not self.ended:
            raise ModelError("cut", "the response ended before the answer did")

    def _recognise(self, beginning: bytes) -> None:
        """Tell a stream from a single object by its first letter: content types lie."""
        if not BOM.startswith(beginning):
            self._whole = beginning.removeprefix(BOM).lstrip().startswith(b"{")

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:])
        elif not line:
            self._event()
        elif not line.startswith(FIELDS):
            line = line.removeprefix(BOM)
            if not line.startswith((b"data:", *FIELDS)):
                raise ModelError("nonsense", "a line that is not part of an event stream")
            self._line(line)

    def _event(self) -> None:
        """Take the event whose lines are over; some servers leave out the line between two."""
        lines, self._data = self._data, []
        if len(lines) > 1:
            with suppress(ValueError, RecursionError):
                lines = [json.dumps(json.loads(b"\n".join(lines))).encode()]
        for line in lines:
            text = line.strip()
            if self.done or not text:
                continue
            if text == b"[DONE]":
                self._say_half()
                self.done = True
            else:
                self._take(self._parse(text))

    def _parse(self, data: bytes) -> dict[str, Any]:
        try:
            value = json.loads(data.decode("utf-8", "replace").removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            raise ModelError("nonsense", "data that is not JSON") from None
        if not isinstance(value, dict):
            raise ModelError("nonsense", "JSON that is not an object")
        if value.get("error"):
            raise error_in_stream(value["error"], self._key)
        return value

    def _take(self, event: dict[str, Any]) -> None:
        if usage := event.get("usage"):
            self._take_usage(usage)
        if self._model is None:
            self._model = short(event.get("model"))
        choice = self._choice(event) or {}
        delta = choice.get("delta")
        self._take_citations(event, delta if isinstance(delta, dict) else {})
        if isinstance(delta, dict):
            if content := delta.get("content"):
                self._say(text_of(content))
            elif delta.get("reasoning_content") or delta.get("reasoning"):
                self.started = True
        if reason := short(choice.get("finish_reason")):
            self._say_half()
            self._finish_reason = reason

    def _take_whole(self, body: dict[str, Any]) -> None:
        choice = self._choice(body)
        message = choice.get("message") if choice else None
        if not choice or not isinstance(message, dict):
            raise ModelError("nonsense", "a JSON object without an answer in it")
        reason = short(choice.get("finish_reason")) or "stop"
        self._take({**body, "choices": [{"delta": message, "finish_reason": reason}]})
        self.done = True

    def _choice(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The first choice; the events of usage and of filters have none."""
        choices = event.get("choices")
        if not choices:
            return None
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise ModelError("nonsense", "choices that are none")
        return None if choices[0].get("index") else choices[0]

    def _take_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._tokens_in = count(usage.get("prompt_tokens"))
            self._tokens_out = count(usage.get("completion_tokens"))

    def _take_citations(self, event: dict[str, Any], delta: dict[str, Any]) -> None:
        for each in citations.found(event, delta):
            known = self._citations.get(each["url"])
            if len(self._citations) < citations.MOST and not (known and known["title"]):
                self._citations[each["url"]] = each

    def _say(self, text: str) -> None:
        if self._half or not text.isascii() or "\0" in text:
            text, self._half = storable(self._half + text)
        if not text:
            return
        self.started = True
        if len(text) > self._left:
            text = text[: self._left]
            self.capped = self.done = True
        self._left -= len(text)
        if text:
            self._receive(text)

    def _say_half(self) -> None:
        """The first half of a character whose second half never came."""
        if self._half:
            self._half = ""
            self._say(REPLACEMENT)


def text_of(content: Any) -> str:
    """The text of a delta: a string or, with some servers, a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    raise ModelError("nonsense", "content that is not text")


def short(name: Any) -> str | None:
    """A name out of a response: at most 100 characters that can be stored; None if it is none."""
    return storable(name[:100])[0] or None if isinstance(name, str) else None


def count(number: Any) -> int | None:
    """A count out of a response; None if it cannot be one."""
    return number if type(number) is int and 0 <= number < 2**31 else None
