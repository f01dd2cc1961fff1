"""Reading a branch: from its head towards the root, by windows that join."""

from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatweb.services import conversations, messages
from chatweb.services.errors import NotFound
from chatweb.services.owners import Owner
from tests import factories

# parents[n] is what the message at position n+1 follows: any earlier one, or 0 for none.
TREES = st.integers(1, 30).flatmap(
    lambda size: st.tuples(*(st.integers(0, position) for position in range(size))).map(list)
)


def branch_to(parents: list[int], position: int) -> list[int]:
    """The positions from the root to one, by a plain walk."""
    walked = []
    while position:
        walked.append(position)
        position = parents[position - 1]
    return walked[::-1]


@settings(max_examples=25)
@given(TREES, st.integers(1, 8), st.data())
def test_windows_of_any_branch_join_without_gap_or_double(
    owner: Owner, parents: list[int], limit: int, data: st.DataObject
) -> None:
    conversation_id = factories.tree(owner, parents)
    head = data.draw(st.integers(1, len(parents)))

    page = messages.outline(conversation_id, head, limit)
    windows = [page]
    while page.older:
        assert page.older == page.messages[0].position
        page = messages.older(owner, conversation_id, page.older, limit)
        assert len(page.messages) <= limit
        windows.insert(0, page)

    positions = [row.position for window in windows for row in window.messages]
    assert positions == branch_to(parents, head)
    rows = messages.read(conversation_id, positions)
    assert {row.position: row.content for row in rows} == {
        position: f"message {position}" for position in positions
    }


@settings(max_examples=25)
@given(TREES, st.integers(1, 8), st.data())
def test_the_model_is_shown_the_end_of_the_branch(
    owner: Owner, parents: list[int], limit: int, data: st.DataObject
) -> None:
    conversation_id = factories.tree(owner, parents)
    position = data.draw(st.integers(1, len(parents)))

    told = messages.leading_to(conversation_id, position, limit)

    expected = branch_to(parents, position)[-limit:]
    assert told == [("user" if at % 2 else "assistant", f"message {at}") for at in expected]


@pytest.mark.parametrize(("count", "older"), [(49, None), (50, None), (51, 2)])
def test_a_page_is_fifty_messages(owner: Owner, count: int, older: int | None) -> None:
    conversation_id = factories.conversation(owner, count)

    page = messages.shown(conversation_id, count)

    assert len(page.messages) == min(count, 50)
    assert page.older == older


def test_an_empty_conversation_shows_nothing(owner: Owner) -> None:
    conversation_id = factories.conversation(owner, 0)

    assert messages.shown(conversation_id, 0) == messages.Page([], None)


def test_nothing_is_older_than_the_first(owner: Owner) -> None:
    conversation_id = factories.conversation(owner, 3)

    assert messages.older(owner, conversation_id, 1) == messages.Page([], None)


def test_two_conversations_do_not_mix(owner: Owner, stranger: Owner) -> None:
    mine = factories.conversation(owner, 4)
    factories.conversation(owner, 6)
    factories.conversation(stranger, 6)

    page = messages.shown(mine, 4)

    assert {row.conversation_id for row in page.messages} == {mine}
    assert len(page.messages) == 4


def test_a_message_is_found_with_all_that_is_shown_of_it(owner: Owner) -> None:
    asked = factories.ended(factories.begun(owner), "Text", "failed", reason="No model.")

    row = messages.find(owner, asked.conversation_id, 2)

    assert (row.id, row.conversation_id, row.position, row.parent) == (
        asked.answer_id, asked.conversation_id, 2, 1,
    )  # fmt: skip
    assert (row.role, row.status, row.content) == ("assistant", "failed", "Text")
    assert row.details == {"reason": "No model."}
    assert row.created_at.tzinfo


@pytest.mark.parametrize("position", [-(2**70), -1, 0, 3, 2**31 - 1, 2**31, 2**63, 2**200])
def test_a_position_that_is_not_there_is_not_found(owner: Owner, position: int) -> None:
    conversation_id = factories.conversation(owner, 2)

    with pytest.raises(NotFound):
        messages.find(owner, conversation_id, position)
    with pytest.raises(NotFound):
        messages.older(owner, conversation_id, position)


def test_a_message_of_another_conversation_is_not_found(owner: Owner) -> None:
    short, long = factories.conversation(owner, 2), factories.conversation(owner, 4)

    assert messages.find(owner, long, 4)
    with pytest.raises(NotFound):
        messages.find(owner, short, 4)


def test_what_the_service_shows_is_never_a_strangers(owner: Owner, stranger: Owner) -> None:
    conversation_id = factories.conversation(owner, 2)
    deleted = factories.conversation(owner, 2)
    conversations.delete(owner, deleted)

    for who, id in ((stranger, conversation_id), (owner, deleted), (owner, uuid4())):
        with pytest.raises(NotFound):
            messages.find(who, id, 1)
        with pytest.raises(NotFound):
            messages.older(who, id, 2)
