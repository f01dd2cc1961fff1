"""Reading answers out of bytes, divided anywhere and written by anyone."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatweb.llm.events import MAX_LINE, Answer, Outcome
from chatweb.llm.failures import ModelError
from chatweb.llm.texts import storable


def read(*chunks: bytes, limit: int = 100_000) -> tuple[str, Outcome]:
    """The text and the outcome of an answer that comes in ``chunks``."""
    pieces: list[str] = []
    answer = Answer(pieces.append, limit)
    for chunk in chunks:
        if not answer.done:
            answer.feed(chunk)
    if not answer.done:
        answer.close()
    return "".join(pieces), answer.outcome


def data(content: object, finish_reason: str | None = None) -> str:
    delta = {"content": content}
    return json.dumps({"choices": [{"delta": delta, "finish_reason": finish_reason}]})


def stream(*contents: object, end: str = "\n") -> bytes:
    lines = [f"data: {data(content)}{end}{end}" for content in contents]
    return ("".join(lines) + f"data: [DONE]{end}{end}").encode()


@given(
    st.lists(st.text(st.characters(codec=None)), max_size=6),
    st.lists(st.integers(0, 600), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_the_places_where_bytes_are_divided_do_not_matter(
    contents: list[str], places: list[int], end: str, escaped: bool
) -> None:
    whole = stream(*contents, end=end)
    if not escaped:
        whole = json_unescaped(contents, end)
    cuts = sorted({0, len(whole), *(min(place, len(whole)) for place in places)})
    chunks = [whole[a:b] for a, b in pairwise(cuts)]

    text, _ = read(*chunks)

    assert text == storable("".join(contents) + "\n")[0][:-1]
    text.encode()
    assert "\0" not in text


def json_unescaped(contents: list[str], end: str) -> bytes:
    """The same stream with letters as UTF-8, and lone surrogates as their three bytes."""
    lines = [
        "data: " + json.dumps({"choices": [{"delta": {"content": content}}]}) + end + end
        for content in contents
    ]
    plain = "".join(line if "\\ud" in line else unescape(line) for line in lines)
    return (plain + f"data: [DONE]{end}{end}").encode()


def unescape(line: str) -> str:
    head, body = line[:6], line[6:].rstrip("\r\n")
    return head + json.dumps(json.loads(body), ensure_ascii=False) + line[6 + len(body) :]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_do_more_than_raise_a_model_error(junk: bytes, place: int) -> None:
    with suppress(ModelError):
        read(junk[:place], junk[place:])


def test_comments_and_other_fields_are_skipped() -> None:
    text, _ = read(b": keep-alive\n\nevent: message\nid: 7\nretry: 10\n" + stream("yes"))

    assert text == "yes"


def test_a_byte_order_mark_is_skipped() -> None:
    assert read(b"\xef", b"\xbb\xbf" + stream("yes"))[0] == "yes"
    assert read(b"\n", b"\xef\xbb\xbf" + stream("yes"))[0] == "yes"


def test_an_event_may_have_several_lines_of_data() -> None:
    event = json.dumps({"choices": [{"delta": {"content": "yes"}}]}, indent=1)
    lines = "".join(f"data: {line}\n" for line in event.split("\n"))

    assert read(lines.encode() + b"\ndata: [DONE]\n\n")[0] == "yes"


def test_events_without_a_blank_line_between_them_are_events() -> None:
    assert read(stream("one ", "two").replace(b"\n\n", b"\n"))[0] == "one two"


def test_the_last_line_need_not_end() -> None:
    text, outcome = read(f"data: {data('yes', 'stop')}".encode())

    assert (text, outcome.finish_reason) == ("yes", "stop")


def test_nothing_after_the_end_is_read() -> None:
    assert read(stream("yes") + b"<html>")[0] == "yes"


@pytest.mark.parametrize("content", [None, "", []])
def test_deltas_without_text_say_nothing(content: object) -> None:
    assert read(stream(content, "yes"))[0] == "yes"


def test_content_in_parts_is_text() -> None:
    assert read(stream([{"type": "text", "text": "yes"}, {"type": "image"}]))[0] == "yes"


def test_thoughts_are_not_part_of_the_answer_but_a_sign_of_life() -> None:
    answer = Answer(lambda text: None, 100)
    answer.feed(b'data: {"choices":[{"delta":{"role":"assistant","content":null}}]}\n\n')
    assert not answer.started

    answer.feed(b'data: {"choices":[{"delta":{"reasoning_content":"Hm."}}]}\n\n')
    assert answer.started


def test_another_choice_is_left_out() -> None:
    other = b'data: {"choices":[{"index":1,"delta":{"content":"no"}}]}\n\n'

    assert read(other + stream("yes"))[0] == "yes"


def test_a_whole_object_is_an_answer() -> None:
    body = {"model": "m", "choices": [{"message": {"content": "yes"}}], "usage": None}

    text, outcome = read(json.dumps(body, indent=2).encode())

    assert (text, outcome) == ("yes", Outcome(model="m", finish_reason="stop"))


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"{",
        b'{"choices": []}',
        b'{"choices": [1]}',
        b'{"choices": {"a": 1}}',
        b'{"choices": [{"message": 1}]}',
        b'data: "text"\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"choices": [{"delta": {"content": 5}}]}\n\n',
        b"HTTP/1.1 200 OK\n",
    ],
)
def test_what_is_not_the_protocol_is_nonsense(body: bytes) -> None:
    with pytest.raises(ModelError) as raised:
        read(body)
    assert raised.value.kind == "nonsense"


@pytest.mark.parametrize("body", [b"", b"\n", b": hello\n\n", f"data: {data('half')}".encode()])
def test_an_answer_without_an_end_is_cut(body: bytes) -> None:
    with pytest.raises(ModelError) as raised:
        read(body)
    assert raised.value.kind == "cut"


@pytest.mark.parametrize("beginning", [b"data: ", b"{", b": "])
def test_an_endless_line_is_refused_in_time(beginning: bytes) -> None:
    answer = Answer(lambda text: None, 100)
    answer.feed(beginning)

    with pytest.raises(ModelError, match="not an answer"):
        feed_blanks(answer, 2 * MAX_LINE)


def test_endless_blanks_before_an_answer_take_no_memory() -> None:
    answer = Answer(lambda text: None, 100)

    feed_blanks(answer, 2 * MAX_LINE)

    assert sum(map(len, answer._parts)) == 0


def feed_blanks(answer: Answer, count: int) -> None:
    for _ in range(count // 65_536):
        answer.feed(b" " * 65_536)


@pytest.mark.parametrize("number", [-1, 2**31, 1.5, "7", True, None])
def test_counts_that_are_none_are_unknown(number: object) -> None:
    usage = {"prompt_tokens": number, "completion_tokens": 3}
    event = json.dumps({"choices": [], "usage": usage})

    _, outcome = read(f"data: {event}\n\n".encode() + stream("yes"))

    assert (outcome.tokens_in, outcome.tokens_out) == (None, 3)


def test_names_are_short_and_can_be_stored() -> None:
    event = json.dumps({"model": "m\0\ud800" + "x" * 5000, "choices": []})

    _, outcome = read(f"data: {event}\n\n".encode() + stream("yes"))

    assert outcome.model == "m\ufffd\ufffd" + "x" * 97


def test_the_cap_ends_the_answer_in_the_middle_of_a_piece() -> None:
    text, outcome = read(stream("12345", "67890", "more"), limit=7)

    assert (text, outcome.capped) == ("1234567", True)
