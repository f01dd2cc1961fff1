"""Asking again makes siblings, and the way between them is found and remembered."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from chatweb.database import writing
from chatweb.models import Conversation, Message
from chatweb.services import answers, branches, changes, conversations, messages, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import Conflict, Invalid, NotFound, StaleForm
from chatweb.services.limits import UNLIMITED
from chatweb.services.owners import Owner
from tests import factories
from tests.factories import LONGEST


def retry(owner: Owner, asked: Asked, request_id: UUID | None = None, **how: bool) -> Asked:
    return questions.retry(
        owner, asked.conversation_id, asked.answer, request_id or uuid4(), factories.process(),
        UNLIMITED, **how,
    )  # fmt: skip


def edit(
    owner: Owner, conversation_id: UUID, position: int, text: str, request_id: UUID | None = None
) -> Asked:
    return questions.edit(
        owner, conversation_id, position, text, LONGEST, request_id or uuid4(), factories.process(),
        UNLIMITED,
    )  # fmt: skip


def shown(owner: Owner, conversation_id: UUID) -> list[int]:
    conversation = conversations.find(owner, conversation_id)
    rows = messages.outline(conversation_id, conversation.head).messages
    return [row.position for row in rows]


def parents(conversation_id: UUID) -> list[int | None]:
    rows = [row for row in factories.rows(Message) if row.conversation_id == conversation_id]
    return [row.parent for row in rows]


class TestAnEditedQuestion:
    def test_is_a_sibling_with_an_answer_of_its_own(self, owner: Owner) -> None:
        first = factories.answered(owner, "One")
        factories.ended(factories.asked(owner, first.conversation_id, "Two"))

        asked = edit(owner, first.conversation_id, 3, "Two, in other words")

        assert (asked.parent, asked.question, asked.answer) == (2, 5, 6)
        assert parents(first.conversation_id) == [None, 1, 2, 3, 2, 5]
        assert shown(owner, first.conversation_id) == [1, 2, 5, 6]
        assert factories.rows(Message)[2].content == "Two"

    def test_can_be_the_first(self, owner: Owner) -> None:
        first = factories.answered(owner)

        asked = edit(owner, first.conversation_id, 1, "Other words")

        assert (asked.parent, asked.question) == (None, 3)
        assert shown(owner, first.conversation_id) == [3, 4]

    def test_twice_is_once(self, owner: Owner) -> None:
        first, request_id = factories.answered(owner), uuid4()

        once = edit(owner, first.conversation_id, 1, "Other words", request_id)

        assert edit(owner, first.conversation_id, 1, "Other words", request_id) == once
        assert len(factories.rows(Message)) == 4
        with pytest.raises(StaleForm):
            edit(owner, first.conversation_id, 1, "Again other words", request_id)

    def test_must_be_a_question_of_this_owner(self, owner: Owner, stranger: Owner) -> None:
        first = factories.answered(owner)

        for who, position in ((owner, 2), (owner, 9), (owner, 0), (stranger, 1)):
            with pytest.raises(NotFound):
                edit(who, first.conversation_id, position, "Other words")
        with pytest.raises(Invalid):
            edit(owner, first.conversation_id, 1, " ")
        assert len(factories.rows(Message)) == 2

    def test_waits_for_the_answer_being_written(self, owner: Owner) -> None:
        begun = factories.begun(owner)

        with pytest.raises(Conflict):
            edit(owner, begun.conversation_id, 1, "Other words")


class TestAnAnswerThatGoesOn:
    @pytest.mark.parametrize("status", ["stopped", "interrupted"])
    def test_begins_with_what_there_was(self, owner: Owner, status: str) -> None:
        cut = factories.ended(factories.begun(owner), "The sky is", status)

        asked = retry(owner, cut, goes_on=True)

        assert (asked.question, asked.answer, asked.begins_with) == (1, 3, "The sky is")
        assert answers.text_so_far(asked.answer_id) == "The sky is"
        assert shown(owner, cut.conversation_id) == [1, 3]

    def test_that_dies_at_once_keeps_it(self, owner: Owner) -> None:
        cut = factories.ended(factories.begun(owner), "The sky is", "stopped")
        asked = retry(owner, cut, goes_on=True)

        assert asked.process_id
        answers.interrupt({asked.answer_id: asked.process_id})

        assert factories.rows(Message)[2].content == "The sky is"

    def test_again_is_the_same(self, owner: Owner) -> None:
        cut = factories.ended(factories.begun(owner), "The sky is", "stopped")
        request_id = uuid4()

        first = retry(owner, cut, request_id, goes_on=True)

        assert retry(owner, cut, request_id, goes_on=True) == first

    @pytest.mark.parametrize(
        ("text", "status"), [("All", "complete"), ("", "stopped"), ("", "failed")]
    )
    def test_must_have_been_cut(self, owner: Owner, text: str, status: str) -> None:
        whole = factories.ended(factories.begun(owner), text, status)

        with pytest.raises(Conflict):
            retry(owner, whole, goes_on=True)
        assert len(factories.rows(Message)) == 2


class TestSiblings:
    def test_are_counted_and_named(self, owner: Owner) -> None:
        # 1 ─ 2 ─ 4 ─ 5, 3 and 6 beside 2, 7 beside 1
        id = factories.tree(owner, [0, 1, 1, 2, 4, 1, 0])
        outline = messages.outline(id, 5).messages

        found = branches.siblings(id, outline, message_count=7)

        assert found == {
            1: branches.Siblings(1, 1, 2, None, 7, 7),
            2: branches.Siblings(2, 1, 3, None, 3, 6),
        }
        assert branches.siblings(id, messages.outline(id, 3).messages)[3] == branches.Siblings(
            2, 2, 3, 2, 6, 6
        )

    def test_are_looked_for_behind_a_page_that_begins_among_them(self, owner: Owner) -> None:
        id = factories.tree(owner, [0, 1, 1, 3, 4])
        outline = messages.outline(id, 5, limit=3).messages

        assert [row.position for row in outline] == [3, 4, 5]
        assert set(branches.siblings(id, outline, message_count=5)) == {3}

    def test_cost_nothing_where_there_are_none(self, owner: Owner) -> None:
        id = factories.conversation(owner, 6)
        outline = messages.outline(id, 6, limit=4).messages

        assert branches.siblings(id, outline, message_count=6) == {}
        assert branches.siblings(id, outline) == {}
        assert branches.siblings(id, []) == {}


class TestTheBranchShown:
    def test_goes_through_a_message_to_the_newest_behind_it(self, owner: Owner) -> None:
        id = factories.tree(owner, [0, 1, 2, 3, 2, 5, 6, 1])

        assert branches.show(owner, id, 2) == 7
        assert shown(owner, id) == [1, 2, 5, 6, 7]
        assert branches.show(owner, id, 3) == 4
        assert shown(owner, id) == [1, 2, 3, 4]
        assert branches.show(owner, id, 8) == 8

    def test_of_others_is_not_there(self, owner: Owner, stranger: Owner) -> None:
        id = factories.tree(owner, [0, 1, 1])

        for who, position in ((stranger, 2), (owner, 4), (owner, 0), (owner, 2**40)):
            with pytest.raises(NotFound):
                branches.show(who, id, position)
        assert conversations.find(owner, id).head == 3

    def test_of_a_long_conversation_is_found(self, owner: Owner) -> None:
        id = factories.conversation(owner, 3000)

        assert branches.show(owner, id, 1) == 3000

    @pytest.mark.parametrize(
        ("head", "seen", "follows"),
        [
            (5, None, 5),
            (5, 5, 5),
            (5, 2, 5),
            (5, 3, 3),
            (3, 5, 5),
            (5, 99, 5),
            (5, 4, 5),
            (3, 4, 3),
        ],
    )
    def test_a_question_follows_what_its_asker_saw(
        self, owner: Owner, head: int, seen: int | None, follows: int
    ) -> None:
        """Answers are 2, 3 and 5: 1 ─ 2 ─ 4 ─ 5, and 3 beside 2."""
        id = factories.tree(owner, [0, 1, 1, 2, 4])
        with writing() as connection:
            roles = {2: "assistant", 3: "assistant", 4: "user", 5: "assistant"}
            for position, role in roles.items():
                connection.execute(
                    update(Message).where(Message.position == position).values(role=role)
                )
            connection.execute(update(Conversation).values(head=head))
            connection.commit()

        asked = questions.ask(
            owner, id, "And?", LONGEST, uuid4(), factories.process(), UNLIMITED, shown=seen
        )  # fmt: skip

        assert asked.parent == follows
        assert conversations.find(owner, id).head == asked.answer


def test_every_way_is_told_to_open_pages(owner: Owner) -> None:
    def numbers() -> int:
        return len(changes.since(0))

    cut = factories.ended(factories.begun(owner), "The sky", "stopped")
    ways = [
        lambda: factories.ended(retry(owner, cut)),
        lambda: factories.ended(edit(owner, cut.conversation_id, 1, "Other words")),
        lambda: branches.show(owner, cut.conversation_id, 2),
        lambda: conversations.change(owner, cut.conversation_id, title="Title"),
        lambda: conversations.delete(owner, cut.conversation_id),
        lambda: conversations.restore(owner, cut.conversation_id),
    ]
    for way in ways:
        before = numbers()
        way()
        assert numbers() > before
    assert list(changes.lately(owner.id)) == [cut.conversation_id]
