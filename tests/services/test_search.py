"""Messages found by their words, whatever is typed, and only one's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatweb.services import conversations, search
from chatweb.services.owners import Owner
from tests import factories


def found(owner: Owner, sought: str) -> list[int]:
    return [find.row.position for find in search.messages(owner, sought)[0]]


@pytest.mark.parametrize(
    "sought",
    ["sky", "SKY blue", "blu", "blue? sky!", "why is the sky", "the-sky", "it's"],
)
def test_every_word_must_be_there(owner: Owner, sought: str) -> None:
    factories.begun(owner, "Why is the sky blue? It's odd.")

    assert found(owner, sought) == [1]


@pytest.mark.parametrize("sought", ["sea", "sky sea", "ky", "sk blue", "", "?!", " ", "_"])
def test_what_is_not_there_is_not_found(owner: Owner, sought: str) -> None:
    factories.begun(owner, "Why is the sky blue?")

    assert found(owner, sought) == []


def test_answers_are_found_once_they_have_ended(owner: Owner) -> None:
    factories.answered(owner, "Why?", answer="Because of Rayleigh.")

    (find,), more = search.messages(owner, "rayleigh")

    assert (find.row.position, find.row.title, find.snippet) == (2, "Why?", "Because of Rayleigh.")
    assert more is None


def test_nobody_elses_and_nothing_deleted(owner: Owner, stranger: Owner) -> None:
    factories.begun(stranger, "the sky")
    conversations.delete(owner, factories.begun(owner, "the sky").conversation_id)

    assert found(owner, "sky") == []


def test_pages_are_complete_and_newest_first(owner: Owner) -> None:
    ids = [factories.begun(owner, f"sky {number}").conversation_id for number in range(5)]
    seen, before = [], None
    for _ in range(3):
        finds, before = search.messages(owner, "sky", before, 2)
        seen += [find.row.conversation_id for find in finds]

    assert (seen, before) == (ids[::-1], None)


@pytest.mark.parametrize("sought", ["天空", "なぜ空", "为什么 天空"])
def test_scripts_without_spaces(owner: Owner, sought: str) -> None:
    factories.begun(owner, "为什么天空是蓝色的? なぜ空は青い")

    assert found(owner, sought) == [1]


@given(
    st.text(max_size=40) | st.sampled_from(["a AND", "x:y", 'a"b', "*", "NEAR(", "'--", "\\", "\0"])
)
def test_whatever_is_typed_is_text(owner: Owner, sought: str) -> None:
    search.messages(owner, sought)


def test_a_snippet_shows_the_words_and_where_it_was_cut() -> None:
    content = "x " * 100 + "The sky\nis blue." + " y" * 100

    shown = search.snippet(content, ["sky"])

    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert "The sky is blue." in shown
