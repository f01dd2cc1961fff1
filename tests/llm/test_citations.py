"""Sources that servers name for an answer, however they do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatweb.llm.citations import MOST
from chatweb.llm.events import Answer

SKY = {"url": "https://example.org/sky", "title": "The sky"}


def cited(*events: dict[str, Any]) -> list[dict[str, str]]:
    """What an answer names that comes in these events."""
    answer = Answer(lambda _: None, 1000)
    for each in (*events, said(finish_reason="stop")):
        answer.feed(f"data: {json.dumps(each)}\n\n".encode())
    answer.close()
    return [dict(each) for each in answer.outcome.citations]


def said(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": "x", **delta}, "finish_reason": finish_reason}]}


def annotation(**source: Any) -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": source}


def test_annotations_of_a_delta() -> None:
    first = annotation(**SKY, start_index=0, end_index=3)
    second = annotation(url="http://example.com/", title=" A\n page ")

    assert cited(said(annotations=[first]), said(annotations=[second])) == [
        SKY, {"url": "http://example.com/", "title": "A page"},
    ]  # fmt: skip


def test_annotations_of_a_whole_answer() -> None:
    answer = Answer(lambda _: None, 1000)
    message = {"content": "x", "annotations": [annotation(**SKY)]}
    answer.feed(json.dumps({"choices": [{"message": message}]}).encode())
    answer.close()

    assert [dict(each) for each in answer.outcome.citations] == [SKY]


def test_what_stands_beside_the_choices_and_comes_again_with_each_event() -> None:
    beside = {"citations": [SKY["url"]], "search_results": [{**SKY, "date": None}]}

    assert cited(said() | {"citations": [SKY["url"]]}, said() | beside, said() | beside) == [SKY]


@pytest.mark.parametrize(
    "strange",
    [
        None, 7, "https://example.org", {}, [None], [[]], [{}], [7], ["javascript:alert(1)"],
        ["//example.org"], ["https://a b"], ["https://a\n"], ["https://" + "a" * 3000],
        [{"url": 7}], [{"url": None, "title": "x"}],
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_none_is_left_out(strange: Any) -> None:
    assert cited(said() | {"citations": strange}, said(annotations=strange)) == []


def test_there_are_not_without_end() -> None:
    many = [f"https://example.org/{number}" for number in range(3 * MOST)]

    assert len(cited(*(said() | {"citations": many[at:]} for at in range(len(many))))) == MOST


def test_every_text_can_be_stored() -> None:
    (found,) = cited(said() | {"search_results": [{"url": SKY["url"], "title": "\0 \ud800 x"}]})

    assert found["title"] == "\ufffd \ufffd x"
