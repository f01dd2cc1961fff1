"""Conversations as wholes: everybody's own, newest first, and back after a deletion."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from chatweb.database import writing
from chatweb.models import Conversation, Message
from chatweb.services import answers, conversations, messages
from chatweb.services.errors import NotFound
from chatweb.services.owners import Owner
from tests import factories
from tests.factories import LONG_AGO

OF_AN_OWNER: dict[str, Callable[[Owner, UUID], Any]] = {
    "find": conversations.find,
    "rename": lambda owner, id: conversations.rename(owner, id, "Mine now"),
    "delete": conversations.delete,
    "messages.find": lambda owner, id: messages.find(owner, id, 1),
    "messages.older": lambda owner, id: messages.older(owner, id, 2),
    "request_stop": lambda owner, id: answers.request_stop(owner, id, 2, None),
}


def everything() -> list[Any]:
    return [factories.rows(Conversation), factories.rows(Message)]


def every_page(owner: Owner, limit: int) -> list[UUID]:
    found, cursor = [], None
    while True:
        rows, cursor = conversations.recent(owner, cursor, limit)
        assert len(rows) <= limit
        found += [row.id for row in rows]
        if cursor is None:
            return found


def set_all(**values: Any) -> None:
    with writing() as connection:
        connection.execute(update(Conversation).values(**values))
        connection.commit()


@pytest.mark.parametrize("call", OF_AN_OWNER.values(), ids=OF_AN_OWNER)
class TestNotThereAndNotYours:
    def test_are_the_same(self, owner: Owner, stranger: Owner, call: Any) -> None:
        conversation_id = factories.begun(owner).conversation_id
        before = everything()

        with pytest.raises(NotFound) as not_yours:
            call(stranger, conversation_id)
        with pytest.raises(NotFound) as not_there:
            call(stranger, uuid4())

        assert str(not_yours.value) == str(not_there.value)
        assert everything() == before

    def test_is_what_is_deleted_too(self, owner: Owner, call: Any) -> None:
        conversation_id = factories.begun(owner).conversation_id
        conversations.delete(owner, conversation_id)
        before = everything()

        with pytest.raises(NotFound):
            call(owner, conversation_id)
        assert everything() == before


class TestFind:
    def test_gives_what_the_page_needs(self, owner: Owner) -> None:
        asked = factories.begun(owner)

        found = conversations.find(owner, asked.conversation_id)

        assert (found.id, found.title, found.status) == (
            asked.conversation_id, "Why is the sky blue?", "active",
        )  # fmt: skip
        assert (found.message_count, found.head, found.running) == (2, 2, True)
        assert found.last_message_at.utcoffset() == timedelta(0)

    def test_knows_when_nothing_is_written(self, owner: Owner) -> None:
        asked = factories.answered(owner)

        assert conversations.find(owner, asked.conversation_id).running is False


class TestRecent:
    def test_is_empty_for_somebody_new(self, owner: Owner) -> None:
        assert conversations.recent(owner) == ([], None)

    def test_is_newest_first_and_only_ones_own(self, owner: Owner, stranger: Owner) -> None:
        ids = factories.conversations(owner, 3)
        factories.conversations(stranger, 3)

        rows, more = conversations.recent(owner)

        assert [row.id for row in rows] == ids[::-1]
        assert more is None

    def test_a_new_question_brings_a_talk_to_the_top(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 3)

        factories.asked(owner, ids[0])

        rows, _ = conversations.recent(owner)
        assert [row.id for row in rows] == [ids[0], ids[2], ids[1]]
        assert [row.running for row in rows] == [True, False, False]

    @pytest.mark.parametrize("status", ["archived", "closed", "deleted"])
    def test_shows_active_ones_only(self, owner: Owner, status: str) -> None:
        factories.conversations(owner, 1)
        set_all(status=status)

        assert conversations.recent(owner) == ([], None)

    @pytest.mark.parametrize("limit", [1, 2, 7, 12, 50])
    def test_pages_are_complete_and_in_order(self, owner: Owner, limit: int) -> None:
        ids = factories.conversations(owner, 12)

        assert every_page(owner, limit) == ids[::-1]

    def test_a_page_that_is_just_full_is_the_last(self, owner: Owner) -> None:
        factories.conversations(owner, conversations.PAGE)
        rows, more = conversations.recent(owner)
        assert (len(rows), more) == (conversations.PAGE, None)

        factories.conversations(owner, 1)
        rows, more = conversations.recent(owner)
        assert len(rows) == conversations.PAGE
        assert more

    def test_pages_stay_complete_when_all_are_of_one_moment(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 12)
        set_all(last_message_at=LONG_AGO)

        assert every_page(owner, 5) == sorted(ids, reverse=True)

    def test_the_next_page_goes_on_while_new_ones_come(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 9)
        first, cursor = conversations.recent(owner, limit=4)
        factories.begun(owner)
        conversations.delete(owner, ids[-1])

        second, cursor = conversations.recent(owner, cursor, limit=4)
        factories.begun(owner)
        third, cursor = conversations.recent(owner, cursor, limit=4)

        assert [row.id for row in (*first, *second, *third)] == ids[::-1]
        assert cursor is None

    def test_a_page_begins_behind_a_conversation_that_is_gone(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 4)
        rows, cursor = conversations.recent(owner, limit=2)
        conversations.delete(owner, rows[-1].id)

        rows, _ = conversations.recent(owner, cursor, limit=2)

        assert [row.id for row in rows] == [ids[1], ids[0]]

    @given(
        st.text(max_size=60) | st.datetimes().map(lambda at: f"{at:%Y%m%dT%H%M%S.%f}-" + "f" * 32)
    )
    def test_no_cursor_made_by_hand_shows_what_is_anothers(self, owner: Owner, cursor: str) -> None:
        rows, _ = conversations.recent(owner, cursor)

        assert not rows


class TestRename:
    def test_is_remembered_as_a_persons_choice(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id

        conversations.rename(owner, conversation_id, "  The\r\nsky ")

        (row,) = factories.rows(Conversation)
        assert (row.title, row.title_source) == ("The sky", "person")

    @pytest.mark.parametrize("title", ["", " \u200b", "\u3164"], ids=ascii)
    def test_to_nothing_gives_a_title_that_can_be_seen(self, owner: Owner, title: str) -> None:
        conversation_id = factories.answered(owner).conversation_id

        conversations.rename(owner, conversation_id, title)

        assert conversations.find(owner, conversation_id).title == "Untitled chat"

    def test_does_not_move_it_in_the_list(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 2)

        conversations.rename(owner, ids[0], "Old but renamed\x00")

        rows, _ = conversations.recent(owner)
        assert [row.title for row in rows] == ["Talk 1", "Old but renamed\ufffd"]


class TestDelete:
    def test_takes_it_out_of_the_list_and_keeps_its_rows(self, owner: Owner) -> None:
        asked = factories.answered(owner)

        conversations.delete(owner, asked.conversation_id)

        assert conversations.recent(owner) == ([], None)
        assert len(factories.rows(Message)) == 2

    def test_stops_the_answer_being_written(self, owner: Owner) -> None:
        asked = factories.begun(owner)

        conversations.delete(owner, asked.conversation_id)

        assert asked.process_id
        assert answers.stops(asked.process_id) == {asked.answer_id: conversations.TO_THE_END}

    def test_leaves_other_answers_alone(self, owner: Owner) -> None:
        process_id = factories.process()
        other = factories.begun(owner, process_id=process_id)
        gone = factories.begun(owner, process_id=process_id)

        conversations.delete(owner, gone.conversation_id)

        assert set(answers.stops(process_id)) == {gone.answer_id}
        assert conversations.find(owner, other.conversation_id).running

    def test_ends_are_kept_for_a_deleted_conversation_too(self, owner: Owner) -> None:
        asked = factories.begun(owner)
        conversations.delete(owner, asked.conversation_id)

        factories.ended(asked, "So far", "stopped")
        conversations.restore(owner, asked.conversation_id)

        assert messages.find(owner, asked.conversation_id, 2).content == "So far"


class TestRestore:
    def test_brings_it_back_as_it_was(self, owner: Owner) -> None:
        asked = factories.answered(owner)
        before = everything()
        conversations.delete(owner, asked.conversation_id)

        conversations.restore(owner, asked.conversation_id)

        assert everything() == before

    @pytest.mark.parametrize("status", ["active", "archived", "closed"])
    def test_of_one_that_is_there_changes_nothing(self, owner: Owner, status: str) -> None:
        asked = factories.answered(owner)
        set_all(status=status)
        before = everything()

        conversations.restore(owner, asked.conversation_id)

        assert everything() == before

    def test_is_for_the_owner_only(self, owner: Owner, stranger: Owner) -> None:
        asked = factories.answered(owner)
        conversations.delete(owner, asked.conversation_id)

        for who, id in ((stranger, asked.conversation_id), (owner, uuid4())):
            with pytest.raises(NotFound):
                conversations.restore(who, id)
            with pytest.raises(NotFound):
                conversations.deleted(who, id)
        assert conversations.recent(owner) == ([], None)


class TestDeleted:
    def test_is_found_to_offer_its_way_back(self, owner: Owner) -> None:
        asked = factories.answered(owner)
        conversations.delete(owner, asked.conversation_id)

        assert conversations.deleted(owner, asked.conversation_id).title == "Why is the sky blue?"

    def test_is_not_one_that_is_there(self, owner: Owner) -> None:
        asked = factories.answered(owner)

        with pytest.raises(NotFound):
            conversations.deleted(owner, asked.conversation_id)
