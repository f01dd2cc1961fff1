"""What can go wrong with a model, told apart, and said in plain words.

A reader sees `ModelError.sentence`, which never carries anything the model's server said. The
operator's log gets `ModelError.detail`: the status, the server's own code, and for refused
requests what it said about them, with everything that looks like a key taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

SENTENCES = {
    "unreachable": "The model cannot be reached. Your question is saved; try again in a moment.",
    "timeout": "The model did not answer within {seconds:g} s. Your question is saved.",
    "too_slow": "The answer took longer than {seconds:g} s and was ended here.",
    "refused": "The model refused the request. Your question is saved; "
    "whoever runs this site has to look at the model’s settings.",
    "busy": "The model has too much to do. Your question is saved; try again in {wait}.",
    "failing": "The model’s server has a fault. Your question is saved; try again in a moment.",
    "too_long": "This is more text than the model can take in. "
    "Ask a shorter question, or begin a new conversation.",
    "cut": "The connection to the model ended before the answer did.",
    "nonsense": "The model’s server sent something that is not an answer. "
    "Your question is saved; whoever runs this site has to look at the model’s settings.",
}
LOCAL_AWAY = (
    "The demonstration model of this site is not running. Your question is saved; "
    "try again in a moment, or ask whoever runs this site to look at it."
)
RETRIED = frozenset({"unreachable", "busy", "failing", "cut"})
TOO_LONG = re.compile(
    r"context.?(length|size|window)|exceed_context_size|too many tokens|prompt is too long", re.I
)
# Long runs without blanks, except of small letters alone: those are names of errors.
LOOKS_SECRET = re.compile(r"(?=[a-z_\-.+/=]*[0-9A-Z*])[A-Za-z0-9_\-*.+/=]{20,}|://[^\s/@]+@")


class ModelError(Exception):
    """No answer, or not all of it.

    ``kind`` is one of `SENTENCES`; ``sentence`` is for the reader and ``detail`` for the
    operator's log, both without secrets. ``retry_after`` is how many seconds the model's server
    asked to be left alone, where it did.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        seconds: float = 0.0,
        retry_after: float | None = None,
        sentence: str = "",
    ) -> None:
        self.kind = kind
        self.retry_after = retry_after
        self.detail = detail or kind
        plain = sentence or SENTENCES[kind]
        self.sentence = plain.format(seconds=seconds, wait=in_words(retry_after))
        super().__init__(self.sentence)


def in_words(seconds: float | None) -> str:
    """A time to wait, rounded up: nobody trusts 37.25 s."""
    if seconds is None or seconds <= 0:
        return "a moment"
    if seconds <= 90:
        return f"about {-(-int(seconds) // 10) * 10 or 10} s"
    return f"about {-(-int(seconds) // 60)} min"


def without_secrets(text: object, key: str = "", limit: int = 200) -> str:
    """``text`` on one line, at most ``limit`` characters, without what looks like a key."""
    line = " ".join(str(text)[: limit * 4].split())
    if key:
        line = line.replace(key, "[key]")
    return LOOKS_SECRET.sub("[…]", line)[:limit].encode("unicode_escape").decode()


def refusal(status: int, body: Any, headers: Mapping[str, str], key: str = "") -> ModelError:
    """The error of a response with ``status``, and ``body`` as far as it was read and parsed."""
    kind = kind_of(status, body)
    detail = f"HTTP {status}{said(body, key, private=status in (401, 403))}"
    wait = seconds_of(headers.get("Retry-After", "")) if kind in RETRIED else None
    return ModelError(kind, detail, retry_after=wait)


def error_in_stream(error: Any, key: str = "") -> ModelError:
    """The error that a server reports inside an answer it has begun."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 500
    body = {"error": error}
    return ModelError(kind_of(status, body), f"error in the answer{said(body, key, private=False)}")


def kind_of(status: int, body: Any) -> str:
    """The kind of a refusal."""
    error = body.get("error", body) if isinstance(body, dict) else {}
    if status == 413 or (status != 429 and TOO_LONG.search(str(error)[:2000])):
        return "too_long"
    if status in (408, 429) or "rate_limit" in str(error)[:2000]:
        return "busy"
    return "failing" if status >= 500 else "refused"


def said(body: Any, key: str, private: bool) -> str:
    """The server's code and, unless ``private``, its words.

    What servers say to a wrong key repeats the key, so that stays out altogether.
    """
    error = body.get("error", body) if isinstance(body, dict) else {}
    if not isinstance(error, dict):
        error = {"message": error}
    names = [error.get("type"), error.get("code")]
    words = [without_secrets(name, key, 60) for name in names if isinstance(name, str) and name]
    if error.get("message") and not private:
        words.append(without_secrets(error["message"], key))
    return "".join(f", {word}" for word in words)


def seconds_of(retry_after: str) -> float | None:
    """The header Retry-After: seconds, or a date (RFC 9110, 10.2.3); None if it is neither."""
    value = retry_after.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    # A date "-0000" comes without a zone, and is UTC all the same.
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
