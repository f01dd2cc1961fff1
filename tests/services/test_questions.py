"""Asking: a question and its empty answer, together or not at all, and only once."""

import threading
import time
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from chatweb.database import writing
from chatweb.models import Conversation, Login, Message, User
from chatweb.services import conversations, messages, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import Conflict, Invalid, NotFound
from chatweb.services.limits import UNLIMITED
from chatweb.services.owners import Owner
from tests import factories
from tests.factories import LONGEST

NASTY = [
    "😀👨‍👩‍👧‍👦🏳️‍🌈",
    "\u202eright to left\u202c שלום مرحبا",
    "Z̡̖̜͖̰̣͉̜a̖̰͙̬͡l̲̫̳͍̩g̡̟̼̱͚̞̬ͅo̗͜.̟",
    "e" + "\u0301" * 1000,
    "' OR 1=1 -- \\ % _ {{7*7}} {% x %} <script>alert(1)</script> :name %(name)s ?",
    "  leading, trailing and\n\n\nblank lines  \n",
    "tab\tvertical\x0bform\x0cbell\x07escape\x1b[31m",
    "\ufeff\u200bbyte order mark",
    "ﬀ ligature, ① circled, \uff26\uff55\uff4c\uff4c width, İı, ß",
    "\U0001fae8\uf8ff\U0010ffff",
]


def test_a_question_and_its_answer_begin_together(owner: Owner) -> None:
    process_id, request_id = factories.process(), uuid4()

    asked = questions.begin(owner, "Why?", LONGEST, request_id, process_id, UNLIMITED)

    question, answer = factories.rows(Message)
    (conversation,) = factories.rows(Conversation)
    assert (question.position, question.parent, question.role, question.status) == (
        1, None, "user", "complete",
    )  # fmt: skip
    assert (question.content, question.request_id) == ("Why?", request_id)
    assert (answer.position, answer.parent, answer.role, answer.status) == (
        2, 1, "assistant", "streaming",
    )  # fmt: skip
    assert (answer.content, answer.process_id, answer.request_id) == ("", process_id, None)
    assert {question.owner_id, answer.owner_id, conversation.owner_id} == {owner.id}
    assert question.created_at == conversation.created_at == conversation.last_message_at
    assert (conversation.message_count, conversation.head, conversation.status) == (2, 2, "active")
    assert (conversation.title, conversation.title_source) == ("Why?", "first_words")
    assert asked == Asked(
        conversations.Listed(conversation.id, "Why?", question.created_at, True),
        None, 1, "Why?", 2, answer.id, True, process_id, question.created_at,
        request_id=request_id,
    )  # fmt: skip


def test_the_next_question_follows_the_last_answer(owner: Owner) -> None:
    first = factories.answered(owner)

    asked = factories.asked(owner, first.conversation_id, "And then?")

    assert (asked.question, asked.answer) == (3, 4)
    conversation = conversations.find(owner, first.conversation_id)
    assert (conversation.message_count, conversation.head) == (4, 4)
    assert [row.parent for row in factories.rows(Message)] == [None, 1, 2, 3]
    assert conversation.title == "Why is the sky blue?"


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_a_question_is_stored_as_it_was_typed(owner: Owner, text: str) -> None:
    factories.begun(owner, text)

    assert factories.rows(Message)[0].content == text


def test_line_ends_and_what_cannot_be_stored_are_replaced(owner: Owner) -> None:
    factories.begun(owner, "a\r\nb\x00c\ud800d")

    assert factories.rows(Message)[0].content == "a\nb\ufffdc\ufffdd"


@pytest.mark.parametrize("text", ["", " \r\n", "\u200b\u3164", "x" * (LONGEST + 1)], ids=len)
def test_what_cannot_be_asked_leaves_nothing(owner: Owner, text: str) -> None:
    with pytest.raises(Invalid):
        factories.begun(owner, text)

    assert factories.rows(User) == factories.rows(Conversation) == factories.rows(Message) == []


def test_what_cannot_be_asked_next_changes_nothing(owner: Owner) -> None:
    conversation_id = factories.answered(owner).conversation_id
    before = factories.rows(Conversation), factories.rows(Message)

    with pytest.raises(Invalid):
        factories.asked(owner, conversation_id, " ")

    assert (factories.rows(Conversation), factories.rows(Message)) == before


def test_the_longest_question_is_taken_whole(owner: Owner) -> None:
    text = "𠀀" * LONGEST

    factories.begun(owner, text)

    assert factories.rows(Message)[0].content == text


class TestTheSameRequest:
    """The same one again changes nothing, for ever, and gives what it gave the first time."""

    def test_twice_is_one_conversation(self, owner: Owner) -> None:
        request_id = uuid4()

        first = factories.begun(owner, request_id=request_id)
        again = factories.begun(owner, request_id=request_id)

        assert again == first
        assert len(factories.rows(Conversation)) == 1
        assert len(factories.rows(Message)) == 2

    def test_twice_is_one_message(self, owner: Owner) -> None:
        conversation_id, request_id = factories.answered(owner).conversation_id, uuid4()

        first = factories.asked(owner, conversation_id, request_id=request_id)
        again = factories.asked(owner, conversation_id, request_id=request_id)

        assert again == first
        assert len(factories.rows(Message)) == 4

    def test_with_other_line_ends_is_the_same(self, owner: Owner) -> None:
        request_id = uuid4()

        first = factories.begun(owner, "a\r\nb", request_id=request_id)

        assert factories.begun(owner, "a\nb", request_id=request_id) == first

    def test_after_the_answer_has_ended_says_so(self, owner: Owner) -> None:
        request_id = uuid4()
        first = factories.ended(factories.begun(owner, request_id=request_id))

        again = factories.begun(owner, request_id=request_id)

        assert (again.answer_id, again.streaming, again.process_id) == (
            first.answer_id, False, None,
        )  # fmt: skip

    def test_later_in_the_talk_gives_the_first_answer(self, owner: Owner) -> None:
        request_id = uuid4()
        first = factories.ended(factories.begun(owner, request_id=request_id))
        factories.ended(factories.asked(owner, first.conversation_id))
        factories.asked(owner, first.conversation_id)

        again = factories.asked(
            owner, first.conversation_id, "Why is the sky blue?", request_id=request_id
        )

        assert (again.question, again.answer, again.answer_id) == (1, 2, first.answer_id)

    def test_is_known_while_its_answer_is_written(self, owner: Owner) -> None:
        """Not the conflict that another question would be."""
        conversation_id, request_id = factories.answered(owner).conversation_id, uuid4()
        first = factories.asked(owner, conversation_id, request_id=request_id)

        assert factories.asked(owner, conversation_id, request_id=request_id) == first

    @pytest.mark.parametrize("other", ["Something else", "why is the sky blue?"])
    def test_with_another_text_is_refused(self, owner: Owner, other: str) -> None:
        request_id = uuid4()
        first = factories.ended(factories.begun(owner, request_id=request_id))

        with pytest.raises(Invalid, match="already used"):
            factories.begun(owner, other, request_id=request_id)
        with pytest.raises(Invalid, match="already used"):
            factories.asked(owner, first.conversation_id, other, request_id=request_id)
        assert len(factories.rows(Message)) == 2

    def test_in_another_conversation_is_refused(self, owner: Owner) -> None:
        """Not the first one's result, which would send its reader to another talk."""
        request_id = uuid4()
        here, there = factories.answered(owner), factories.answered(owner)
        factories.ended(
            factories.asked(owner, here.conversation_id, "And then?", request_id=request_id)
        )
        before = factories.rows(Message)

        with pytest.raises(Invalid, match="already used"):
            factories.asked(owner, there.conversation_id, "And then?", request_id=request_id)
        assert factories.rows(Message) == before

    def test_of_a_later_question_does_not_begin_a_conversation(self, owner: Owner) -> None:
        first, request_id = factories.answered(owner), uuid4()
        factories.asked(owner, first.conversation_id, "And then?", request_id=request_id)

        with pytest.raises(Invalid, match="already used"):
            factories.begun(owner, "And then?", request_id=request_id)
        assert len(factories.rows(Conversation)) == 1

    def test_for_another_answer_is_refused(self, owner: Owner) -> None:
        first, request_id = factories.answered(owner), uuid4()
        second = factories.ended(factories.asked(owner, first.conversation_id))
        elsewhere = factories.answered(owner)
        factories.ended(retry(owner, first, request_id))
        before = factories.rows(Message)

        for other in (second, elsewhere):
            with pytest.raises(Invalid, match="already used"):
                retry(owner, other, request_id)
        assert factories.rows(Message) == before

    def test_cannot_try_again_what_it_made_itself(self, owner: Owner) -> None:
        first, request_id = factories.answered(owner), uuid4()
        made = factories.ended(retry(owner, first, request_id))

        with pytest.raises(Invalid, match="already used"):
            retry(owner, made, request_id)
        assert retry(owner, first, request_id).answer == made.answer
        assert len(factories.rows(Message)) == 3

    def test_cannot_be_a_question_and_a_retry(self, owner: Owner) -> None:
        asked_with, tried_with = uuid4(), uuid4()
        first = factories.ended(factories.begun(owner, request_id=asked_with))
        retried = retry(owner, first, tried_with)
        factories.ended(retried)

        with pytest.raises(Invalid):
            retry(owner, first, asked_with)
        with pytest.raises(Invalid):
            factories.asked(owner, first.conversation_id, request_id=tried_with)
        assert len(factories.rows(Message)) == 3

    def test_of_somebody_else_is_another(self, owner: Owner, stranger: Owner) -> None:
        request_id = uuid4()

        mine = factories.begun(owner, request_id=request_id)
        theirs = factories.begun(stranger, request_id=request_id)

        assert mine.conversation_id != theirs.conversation_id

    def test_twenty_times_at_once_is_one_message(self, owner: Owner, at_once) -> None:
        conversation_id = factories.answered(owner).conversation_id
        request_id, process_id = uuid4(), factories.process()

        results = at_once(
            [
                lambda: factories.asked(
                    owner, conversation_id, request_id=request_id, process_id=process_id
                )
            ]
            * 20
        )

        assert set(results) == {results[0]}
        assert isinstance(results[0], questions.Asked)
        assert len(factories.rows(Message)) == 4

    def test_twenty_times_as_a_first_act_is_one_guest(self, owner: Owner, at_once) -> None:
        request_id, process_id = uuid4(), factories.process()

        results = at_once(
            [lambda: factories.begun(owner, request_id=request_id, process_id=process_id)] * 20
        )

        assert set(results) == {results[0]}
        assert isinstance(results[0], questions.Asked)
        tables = (User, Login, Conversation)
        assert [len(factories.rows(table)) for table in tables] == [1, 1, 1]
        assert len(factories.rows(Message)) == 2

    def test_twenty_retries_at_once_are_one(self, owner: Owner, at_once) -> None:
        first, request_id, process_id = factories.answered(owner), uuid4(), factories.process()

        results = at_once([lambda: retry(owner, first, request_id, process_id)] * 20)

        assert set(results) == {results[0]}
        assert isinstance(results[0], questions.Asked)
        assert len(factories.rows(Message)) == 3


def retry(
    owner: Owner,
    exchange: questions.Asked,
    request_id: UUID | None = None,
    process_id: UUID | None = None,
) -> questions.Asked:
    return questions.retry(
        owner, exchange.conversation_id, exchange.answer, request_id or uuid4(),
        process_id or factories.process(), UNLIMITED,
    )  # fmt: skip


class TestOneAnswerAtATime:
    def test_nothing_is_asked_while_an_answer_is_written(self, owner: Owner) -> None:
        running = factories.begun(owner)

        with pytest.raises(Conflict, match="still being written"):
            factories.asked(owner, running.conversation_id)
        with pytest.raises(Conflict, match="still being written"):
            retry(owner, running)
        assert len(factories.rows(Message)) == 2
        assert conversations.find(owner, running.conversation_id).message_count == 2

    def test_another_conversation_does_not_matter(self, owner: Owner) -> None:
        factories.begun(owner)

        factories.begun(owner)

        assert len(factories.rows(Conversation)) == 2

    def test_the_database_itself_refuses_a_second_one(self, owner: Owner) -> None:
        running = factories.begun(owner)
        second = factories.message(owner, running.conversation_id, 3, "", role="assistant")

        with pytest.raises(IntegrityError), writing() as connection:
            connection.execute(
                insert(Message),
                second | {"status": "streaming", "process_id": running.process_id},
            )

    def test_a_closed_conversation_takes_no_question(self, owner: Owner) -> None:
        first = factories.answered(owner)
        with writing() as connection:
            connection.execute(update(Conversation).values(status="closed"))
            connection.commit()

        with pytest.raises(Conflict, match="closed"):
            factories.asked(owner, first.conversation_id)
        with pytest.raises(Conflict, match="closed"):
            retry(owner, first)

    def test_of_twenty_different_questions_at_once_one_is_taken(
        self, owner: Owner, at_once
    ) -> None:
        conversation_id = factories.answered(owner).conversation_id

        results = at_once([lambda: factories.asked(owner, conversation_id)] * 20)

        assert sorted(type(result).__name__ for result in results) == ["Asked"] + ["Conflict"] * 19
        assert len(factories.rows(Message)) == 4

    def test_positions_have_neither_gap_nor_double(self, owner: Owner, at_once) -> None:
        conversation_id = factories.answered(owner).conversation_id
        turn = threading.Semaphore(3)

        def keep_asking() -> None:
            process_id = factories.process()
            for _ in range(1000):
                try:
                    with turn:
                        factories.ended(
                            factories.asked(owner, conversation_id, process_id=process_id)
                        )
                    return
                except Conflict:
                    time.sleep(0.002)

        assert at_once([keep_asking] * 20) == [None] * 20

        rows = factories.rows(Message)
        assert [row.position for row in rows] == list(range(1, 43))
        assert [row.parent for row in rows] == [None, *range(1, 42)]
        assert [row.role for row in rows] == ["user", "assistant"] * 21
        conversation = conversations.find(owner, conversation_id)
        assert (conversation.message_count, conversation.head) == (42, 42)


class TestRetry:
    def test_is_a_sibling_and_its_branch_is_shown(self, owner: Owner) -> None:
        first = factories.answered(owner, answer="One")

        second = factories.ended(retry(owner, first), "Two")

        assert (second.question, second.answer) == (1, 3)
        conversation = conversations.find(owner, first.conversation_id)
        assert (conversation.message_count, conversation.head) == (3, 3)
        page = messages.shown(conversation.id, conversation.head)
        assert [row.content for row in page.messages] == ["Why is the sky blue?", "Two"]
        assert messages.find(owner, first.conversation_id, 2).content == "One"

    def test_of_a_retry_is_another_sibling(self, owner: Owner) -> None:
        first = factories.answered(owner)

        third = retry(owner, factories.ended(retry(owner, first)))

        assert (third.question, third.answer) == (1, 4)

    def test_in_the_middle_leaves_what_followed(self, owner: Owner) -> None:
        first = factories.answered(owner)
        factories.ended(factories.asked(owner, first.conversation_id, "And then?"))

        factories.ended(retry(owner, first), "Otherwise")
        asked = factories.asked(owner, first.conversation_id, "Go on")

        shown = messages.shown(first.conversation_id, asked.answer).messages
        assert [row.position for row in shown] == [1, 5, 6, 7]
        assert len(factories.rows(Message)) == 7

    @pytest.mark.parametrize("position", [-1, 0, 1, 3, 2**31, 2**63, 2**200])
    def test_is_of_an_answer_that_is_there(self, owner: Owner, position: int) -> None:
        first = factories.answered(owner)

        with pytest.raises(NotFound):
            questions.retry(
                owner, first.conversation_id, position, uuid4(), factories.process(), UNLIMITED
            )


class TestSomebodyElse:
    @pytest.mark.parametrize("state", ["foreign", "deleted", "unknown"])
    def test_cannot_ask(self, owner: Owner, stranger: Owner, state: str) -> None:
        first = factories.answered(owner)
        who, conversation_id = owner, first.conversation_id
        if state == "foreign":
            who = stranger
        elif state == "deleted":
            conversations.delete(owner, conversation_id)
        else:
            conversation_id = uuid4()
        before = factories.rows(Message)

        with pytest.raises(NotFound):
            factories.asked(who, conversation_id)
        with pytest.raises(NotFound):
            questions.retry(
                who, conversation_id, first.answer, uuid4(), factories.process(), UNLIMITED
            )
        assert factories.rows(Message) == before
