"""Refusals told apart, and what is said about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from chatweb.llm.failures import in_words, refusal, seconds_of, without_secrets


def test_a_date_to_retry_after_is_a_number_of_seconds() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)

    seconds = seconds_of(date)

    assert seconds is not None
    assert 0 < seconds <= 300


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "٣", "Wed, 99 Nov 2026 00:00:00 GMT"])
def test_a_strange_time_to_retry_after_is_none(header: str) -> None:
    assert seconds_of(header) is None


def test_a_date_that_is_over_means_now() -> None:
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 -0000") == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "a moment"),
        (0, "a moment"),
        (1, "about 10 s"),
        (31, "about 40 s"),
        (600, "about 10 min"),
    ],
)
def test_a_wait_is_said_in_round_figures(seconds: float | None, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize("status", [401, 403])
def test_the_words_of_a_refused_key_are_not_repeated(status: int) -> None:
    body = {"error": {"message": "Your key abcd is wrong", "code": "invalid_api_key"}}

    assert refusal(status, body, {}).detail == f"HTTP {status}, invalid_api_key"


def test_the_operator_learns_what_was_wrong_with_a_request() -> None:
    body = {"error": {"message": "Model gpt-0 does not exist", "code": "model_not_found"}}

    assert refusal(404, body, {}).detail == (
        "HTTP 404, model_not_found, Model gpt-0 does not exist"
    )


@pytest.mark.parametrize(
    "body", [None, [], "text", {"error": "text"}, {"error": None}, {"a": 1}, 5]
)
def test_any_body_of_a_refusal_is_taken(body: object) -> None:
    assert refusal(500, body, {}).kind == "failing"


def test_a_line_for_the_log_is_one_line_of_ascii() -> None:
    assert without_secrets("a\r\nb\x1b[31m ü") == "a b\\x1b[31m \\xfc"


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-0123456789abcdef", "sk-ab***************wxyz", "postgresql://me:secret@host/db"],
)
def test_what_looks_like_a_secret_is_taken_out(secret: str) -> None:
    said = without_secrets(f"not {secret} but context_length_exceeded_error")

    assert said.startswith("not ")
    assert secret not in said
    assert "secret" not in said
    assert said.endswith(" but context_length_exceeded_error")
