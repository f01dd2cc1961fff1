"""Conversations as wholes: everybody's own, newest first, and back after a deletion."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from chatweb.models import Change, Conversation, Message
from chatweb.services import answers, conversations, lists, messages
from chatweb.services.errors import NotFound, TooMany
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner
from tests import factories

OF_AN_OWNER: dict[str, Callable[[Owner, UUID], Any]] = {
    "find": conversations.find,
    "rename": lambda owner, id: conversations.change(owner, id, title="Mine now"),
    "delete": conversations.delete,
    "messages.find": lambda owner, id: messages.find(owner, id, 1),
    "messages.older": lambda owner, id: messages.older(owner, id, 2),
    "request_stop": lambda owner, id: answers.request_stop(owner, id, 2, None),
}


def everything() -> list[Any]:
    return [factories.rows(Conversation), factories.rows(Message)]


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


class TestRename:
    def test_is_remembered_as_a_persons_choice(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id

        conversations.change(owner, conversation_id, title="  The\r\nsky ")

        (row,) = factories.rows(Conversation)
        assert (row.title, row.title_source) == ("The sky", "person")

    @pytest.mark.parametrize("title", ["", " \u200b", "\u3164"], ids=ascii)
    def test_to_nothing_gives_a_title_that_can_be_seen(self, owner: Owner, title: str) -> None:
        conversation_id = factories.answered(owner).conversation_id

        conversations.change(owner, conversation_id, title=title)

        assert conversations.find(owner, conversation_id).title == "Untitled chat"

    def test_does_not_move_it_in_the_list(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 2)

        conversations.change(owner, ids[0], title="Old but renamed\x00")

        rows, _ = lists.recent(owner)
        assert [row.title for row in rows] == ["Talk 1", "Old but renamed\ufffd"]


class TestChange:
    def test_leaves_alone_what_is_not_said(self, owner: Owner) -> None:
        id = factories.answered(owner).conversation_id

        conversations.change(owner, id, pinned=True)
        conversations.change(owner, id, status="archived")

        found = conversations.find(owner, id)
        assert (found.title, found.pinned, found.status) == (
            "Why is the sky blue?", True, "archived",
        )  # fmt: skip

    def test_to_nothing_tells_nobody(self, owner: Owner) -> None:
        id = factories.answered(owner).conversation_id
        before = factories.rows(Change)

        conversations.change(owner, id)

        assert factories.rows(Change) == before


class TestMake:
    def test_gives_an_empty_conversation(self, owner: Owner) -> None:
        made, is_new = conversations.make(owner, None, uuid4(), UNLIMITED)

        assert is_new
        assert (made.title, made.message_count, made.head) == ("Untitled chat", 0, 0)
        assert conversations.find(owner, made.id).running is False

    def test_the_same_request_twice_is_one(self, owner: Owner) -> None:
        request_id = uuid4()
        first, _ = conversations.make(owner, "Mine", request_id, UNLIMITED)

        second, is_new = conversations.make(owner, "Mine", request_id, UNLIMITED)

        assert (second.id, is_new) == (first.id, False)
        assert len(factories.rows(Conversation)) == 1

    def test_many_equal_ones_at_once_are_one(self, owner: Owner, at_once: Any) -> None:
        request_id = uuid4()

        made = at_once([lambda: conversations.make(owner, None, request_id, UNLIMITED)] * 8)

        assert len({conversation.id for conversation, _ in made}) == 1
        assert sum(is_new for _, is_new in made) == 1

    def test_the_same_id_of_two_owners_is_two(self, owner: Owner, stranger: Owner) -> None:
        request_id = uuid4()

        made = [conversations.make(who, None, request_id, UNLIMITED) for who in (owner, stranger)]

        assert [is_new for _, is_new in made] == [True, True]

    def test_what_was_deleted_since_does_not_come_back(self, owner: Owner) -> None:
        request_id = uuid4()
        made, _ = conversations.make(owner, None, request_id, UNLIMITED)
        conversations.delete(owner, made.id)

        with pytest.raises(NotFound):
            conversations.make(owner, None, request_id, UNLIMITED)

    def test_counts_as_a_question(self, owner: Owner) -> None:
        two_a_minute = Allowance(0, 2, 0)
        for _ in range(2):
            conversations.make(owner, None, uuid4(), two_a_minute)

        with pytest.raises(TooMany):
            conversations.make(owner, None, uuid4(), two_a_minute)
        assert len(factories.rows(Conversation)) == 2

    def test_its_first_question_gives_it_its_title(self, owner: Owner) -> None:
        made, _ = conversations.make(owner, None, uuid4(), UNLIMITED)

        asked = factories.asked(owner, made.id, "Why is the sky blue?")

        assert asked.conversation.title == "Why is the sky blue?"
        assert conversations.find(owner, made.id).title == "Why is the sky blue?"

    def test_a_title_that_was_chosen_stays(self, owner: Owner) -> None:
        made, _ = conversations.make(owner, "The sky", uuid4(), UNLIMITED)

        factories.asked(owner, made.id)

        assert conversations.find(owner, made.id).title == "The sky"


class TestDelete:
    def test_takes_it_out_of_the_list_and_keeps_its_rows(self, owner: Owner) -> None:
        asked = factories.answered(owner)

        conversations.delete(owner, asked.conversation_id)

        assert lists.recent(owner) == ([], None)
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
        factories.set_all(status=status)
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
        assert lists.recent(owner) == ([], None)


class TestDeleted:
    def test_is_found_to_offer_its_way_back(self, owner: Owner) -> None:
        asked = factories.answered(owner)
        conversations.delete(owner, asked.conversation_id)

        assert conversations.deleted(owner, asked.conversation_id).title == "Why is the sky blue?"

    def test_is_not_one_that_is_there(self, owner: Owner) -> None:
        asked = factories.answered(owner)

        with pytest.raises(NotFound):
            conversations.deleted(owner, asked.conversation_id)
