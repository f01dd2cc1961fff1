"""``/api/v1/search``: one's own messages by their words, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.blueprints.api.program import Program

SEARCH = "/api/v1/search"


def test_a_message_is_found_with_where_it_is(program: Program, stranger: Program) -> None:
    conversation = program.talk("Why is the sky blue?")
    stranger.talk("Whose sky is it?")

    found = program.get(SEARCH, q="sky blue")

    assert found["next"] is None
    (item,) = found["items"]
    assert conversation.endswith(item["conversation_id"])
    assert (item["role"], item["title"], item["position"]) == ("user", "Why is the sky blue?", 1)
    assert "sky" in item["snippet"]


def test_pages_are_complete(program: Program) -> None:
    talk = program.talk("The sky, first?", "The sky, second?", "The sky, third?")

    found = [item for page in program.pages(SEARCH, q="sky", limit=2) for item in page]

    assert [item["position"] for item in found] == [5, 3, 1]
    assert {talk.rpartition("/")[2]} == {item["conversation_id"] for item in found}


QUERIES = [{}, {"q": ""}, {"q": "x" * 1001}, {"q": "x", "limit": 0}]


@pytest.mark.parametrize("query", QUERIES)
def test_what_cannot_be_looked_for_is_refused(program: Program, query: dict[str, Any]) -> None:
    refused = program.send("GET", SEARCH, query_string=query)

    assert refused.status_code == 422
    assert refused.json
    assert refused.json["error"]["fields"]


@pytest.mark.parametrize("q", ['"', "AND", "a*", "x:y", "\0", "%", "🙂", "'; DROP TABLE message"])
def test_whatever_is_typed_is_text(program: Program, q: str) -> None:
    assert program.get(SEARCH, q=q) == {"items": [], "next": None}


def test_a_cursor_made_by_hand_is_the_first_page(program: Program) -> None:
    program.talk("The sky?")

    assert len(program.get(SEARCH, q="sky", before="nonsense")["items"]) == 1
