"""What the model is shown."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatweb.llm import prompts
from chatweb.llm.prompts import SYSTEM, build, cost, for_title

Said = list[tuple[str, str]]
TALK: Said = [("user", "One?"), ("assistant", "1"), ("user", "Two?"), ("assistant", "2")]


def shown(conversation: Said, messages: int = 20, size: int = 10_000) -> list[tuple[str, str]]:
    """What is shown after the instruction."""
    built = build(conversation, messages=messages, size=size)
    assert built[0] == {"role": "system", "content": SYSTEM}
    return [(message["role"], message["content"]) for message in built[1:]]


def test_a_short_conversation_is_shown_whole() -> None:
    assert shown([*TALK, ("user", "Three?")]) == [*TALK, ("user", "Three?")]


def test_without_a_system_text_there_is_none() -> None:
    built = build([("user", "One?")], messages=5, size=100, system="")

    assert built == [{"role": "user", "content": "One?"}]


@pytest.mark.parametrize(("messages", "first"), [(5, 0), (4, 2), (3, 2), (2, 4), (1, 4)])
def test_the_oldest_go_first_and_what_is_left_begins_with_a_question(
    messages: int, first: int
) -> None:
    conversation = [*TALK, ("user", "Three?")]

    assert shown(conversation, messages=messages) == conversation[first:]


def test_messages_are_left_out_whole_when_there_is_no_room() -> None:
    size = cost(SYSTEM) + cost("Three?") + cost("2") + cost("Two?")

    assert shown([*TALK, ("user", "Three?")], size=size) == [*TALK[2:], ("user", "Three?")]
    assert shown([*TALK, ("user", "Three?")], size=size - 1) == [("user", "Three?")]


def test_the_newest_question_is_shown_whatever_its_size() -> None:
    question = "x" * 50_000

    assert shown([*TALK, ("user", question)]) == [("user", question)]


def test_a_failed_empty_answer_is_left_out_and_its_question_is_not() -> None:
    conversation = [("user", "One?"), ("assistant", ""), ("user", "Two?"), ("assistant", " \n")]

    assert shown(conversation) == [("user", "One?\n\nTwo?")]


def test_what_follows_the_newest_question_is_left_out() -> None:
    assert shown(TALK) == TALK[:3]


@pytest.mark.parametrize("conversation", [[], [("assistant", "Hello")], [("user", " ")]])
def test_without_a_question_there_is_no_prompt(conversation: Said) -> None:
    with pytest.raises(ValueError, match="question"):
        build(conversation, messages=5, size=100)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=30)), max_size=12),
    st.text(min_size=1).filter(str.strip),
    st.integers(1, 12),
    st.integers(0, 800),
)
def test_prompts_keep_their_promises(before: Said, question: str, messages: int, size: int) -> None:
    built = shown([*before, ("user", question)], messages, size)

    roles = [role for role, _ in built]
    assert roles[0] == roles[-1] == "user"
    assert all(one != next_one for one, next_one in pairwise(roles))
    assert built[-1][1].endswith(question)
    assert len(built) <= messages
    if len(built) > 1:
        assert cost(SYSTEM) + sum(cost(content) for _, content in built) <= size + 2 * len(before)


class TestForATitle:
    def test_shows_what_was_said_as_one_text(self) -> None:
        system, text = for_title([("user", " Why? "), ("assistant", "Because."), ("user", "")])

        assert (system["role"], text["role"]) == ("system", "user")
        assert "title" in system["content"]
        assert "Question: Why?\n\nAnswer: Because.\n\n" in text["content"]

    @given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text()), max_size=6))
    def test_is_short_however_long_that_was(self, said: Said) -> None:
        longer = [(role, content * 3_000) for role, content in said]
        size = sum(cost(message["content"]) for message in for_title(longer))

        assert size < 500 + len(said) * (prompts.TITLE_SHARE + 30)
