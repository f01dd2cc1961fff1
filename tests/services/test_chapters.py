"""One talk for each owner and chapter."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from chatweb.database import writing
from chatweb.models import Conversation, Login, Message, User
from chatweb.services import chapters, conversations, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import Conflict, Invalid, NotFound, TooMany
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner
from tests import factories
from tests.factories import LONGEST

QUESTION = "What does a sensor do?"
SENSORS = "3. Sensors"


def ask(
    owner: Owner, chapter: str = SENSORS, text: str = QUESTION, *,
    request_id: UUID | None = None, process_id: UUID | None = None,
    allowance: Allowance = UNLIMITED,
) -> Asked:  # fmt: skip
    return chapters.ask(
        owner, chapter, text, LONGEST, request_id or uuid4(), process_id or factories.process(),
        allowance,
    )  # fmt: skip


def answered(owner: Owner, chapter: str = SENSORS, text: str = QUESTION, **details: Any) -> Asked:
    return factories.ended(ask(owner, chapter, text), f"{text} Indeed.", **details)


def said(owner: Owner, chapter: str | None = SENSORS, limit: int = 100) -> list[str]:
    return [row.content for row in chapters.history(owner, chapter, limit)]


class TestAQuestion:
    def test_makes_the_chapters_talk(self, owner: Owner) -> None:
        asked = ask(owner)

        (talk,) = factories.rows(Conversation)
        assert (talk.id, talk.chapter, talk.title) == (asked.conversation_id, SENSORS, SENSORS)
        assert talk.title_source == "person"  # no model improves on a chapter's name
        assert (talk.message_count, talk.head) == (2, 2)
        assert [(row.role, row.status, row.content) for row in factories.rows(Message)] == [
            ("user", "complete", QUESTION), ("assistant", "streaming", ""),
        ]  # fmt: skip

    def test_about_no_chapter_gives_its_words_as_title(self, owner: Owner) -> None:
        ask(owner, "")

        (talk,) = factories.rows(Conversation)
        assert (talk.chapter, talk.title, talk.title_source) == ("", QUESTION, "first_words")

    def test_goes_on_with_the_talk(self, owner: Owner) -> None:
        first = answered(owner)

        second = ask(owner, text="And a motor?")

        assert second.conversation_id == first.conversation_id
        assert (second.parent, second.question, second.answer) == (2, 3, 4)
        found = conversations.find(owner, first.conversation_id)
        assert (found.message_count, found.head, found.title) == (4, 4, SENSORS)

    def test_follows_the_branch_that_is_shown(self, owner: Owner) -> None:
        first = answered(owner)
        again = questions.retry(
            owner, first.conversation_id, 2, uuid4(), factories.process(), UNLIMITED
        )
        factories.ended(again, "Otherwise.")

        assert ask(owner, text="And a motor?").parent == 3

    def test_of_another_chapter_makes_another_talk(self, owner: Owner) -> None:
        ids = [answered(owner, each).conversation_id for each in (SENSORS, "4. Motors", "")]

        assert len(set(ids)) == 3

    @pytest.mark.parametrize("status", ["archived", "closed", "deleted"])
    def test_begins_anew_where_the_talk_was_put_away(self, owner: Owner, status: str) -> None:
        first = answered(owner)
        factories.set_all(status=status)

        second = answered(owner, text="And a motor?")

        assert second.conversation_id != first.conversation_id
        assert said(owner) == ["And a motor?", "And a motor? Indeed."]

    def test_does_not_go_into_a_talk_from_a_page(self, owner: Owner) -> None:
        page = factories.answered(owner)

        assert answered(owner, "").conversation_id != page.conversation_id
        assert said(owner, None) == [QUESTION, f"{QUESTION} Indeed."]

    def test_goes_into_the_newest_of_several_talks(self, owner: Owner) -> None:
        old = answered(owner)
        conversations.delete(owner, old.conversation_id)
        new = answered(owner, text="And a motor?")
        conversations.restore(owner, old.conversation_id)

        assert ask(owner, text="And then?").conversation_id == new.conversation_id

    def test_waits_for_its_turn(self, owner: Owner) -> None:
        ask(owner)

        with pytest.raises(Conflict, match="still being written"):
            ask(owner, text="And a motor?")
        assert len(factories.rows(Message)) == 2

    @pytest.mark.parametrize("first", [True, False], ids=["first", "next"])
    def test_is_counted(self, owner: Owner, first: bool) -> None:
        allowance = Allowance(0, 1, 0)
        factories.ended(ask(owner, "another", allowance=allowance))
        if not first:
            answered(owner)
        before = factories.rows(Message)

        with pytest.raises(TooMany):
            ask(owner, text="And a motor?", allowance=allowance)
        assert factories.rows(Message) == before


class TestAtOnce:
    def test_two_first_questions_make_one_talk(self, owner: Owner, at_once) -> None:
        process_id = factories.process()

        results = at_once(
            [lambda text=text: ask(owner, text=text, process_id=process_id) for text in "ab"]
        )

        assert sorted(type(each).__name__ for each in results) == ["Asked", "Conflict"]
        assert len(factories.rows(Conversation)) == 1
        assert len(factories.rows(Message)) == 2

    def test_the_same_question_twenty_times_is_one(self, owner: Owner, at_once) -> None:
        request_id, process_id = uuid4(), factories.process()

        results = at_once([lambda: ask(owner, request_id=request_id, process_id=process_id)] * 20)

        assert set(results) == {results[0]}
        assert isinstance(results[0], Asked)
        assert sum(each.is_new for each in results) == 1
        tables = (User, Login, Conversation)
        assert [len(factories.rows(table)) for table in tables] == [1, 1, 1]
        assert len(factories.rows(Message)) == 2

    def test_asking_on_a_page_and_here_and_clearing_end(self, owner: Owner, at_once) -> None:
        """Whoever waits for whom, nobody does in a circle."""
        talk = answered(owner).conversation_id
        allowance, process_id = Allowance(3, 100, 0), factories.process()
        calls = [
            lambda: ask(owner, process_id=process_id, allowance=allowance),
            lambda: factories.asked(owner, talk, process_id=process_id, allowance=allowance),
            lambda: chapters.clear(owner, None),
        ]

        results = at_once(calls * 4)

        allowed = {"Asked", "Conflict", "NotFound", "int", "TooMany"}
        assert {type(each).__name__ for each in results} <= allowed


class TestTheSameRequest:
    def test_changes_nothing_and_gives_the_same(self, owner: Owner) -> None:
        request_id = uuid4()
        first = ask(owner, request_id=request_id)

        again = ask(owner, f" {SENSORS} ", request_id=request_id)

        assert (again, again.is_new) == (first, False)
        assert len(factories.rows(Message)) == 2

    def test_is_known_when_the_talk_has_gone_on(self, owner: Owner) -> None:
        request_id = uuid4()
        first = factories.ended(ask(owner, request_id=request_id))
        answered(owner, text="And a motor?")

        again = ask(owner, request_id=request_id)

        assert (again.conversation_id, again.answer_id) == (first.conversation_id, first.answer_id)
        assert len(factories.rows(Message)) == 4

    @pytest.mark.parametrize(
        ("chapter", "text"), [("4. Motors", QUESTION), (SENSORS, "And a motor?"), ("", QUESTION)]
    )
    def test_for_something_else_is_refused(self, owner: Owner, chapter: str, text: str) -> None:
        request_id = uuid4()
        factories.ended(ask(owner, request_id=request_id))

        with pytest.raises(Invalid, match="already used"):
            ask(owner, chapter, text, request_id=request_id)
        assert len(factories.rows(Message)) == 2

    def test_of_a_page_is_refused(self, owner: Owner) -> None:
        """It was another one, in a conversation that belongs to no book."""
        request_id = uuid4()
        factories.ended(factories.begun(owner, QUESTION, request_id=request_id))

        with pytest.raises(Invalid, match="already used"):
            ask(owner, "", request_id=request_id)

    def test_of_somebody_else_is_another(self, owner: Owner, stranger: Owner) -> None:
        request_id = uuid4()

        mine, theirs = (ask(each, request_id=request_id) for each in (owner, stranger))

        assert mine.conversation_id != theirs.conversation_id


class TestWhatIsSent:
    @pytest.mark.parametrize("text", ["", " \r\n", "\u200b", "x" * (LONGEST + 1)], ids=len)
    def test_without_a_question_leaves_nothing(self, owner: Owner, text: str) -> None:
        with pytest.raises(Invalid):
            ask(owner, text=text)
        assert factories.rows(User) == factories.rows(Conversation) == []

    def test_is_stored_as_both_databases_can(self, owner: Owner) -> None:
        asked = factories.ended(ask(owner, " a\x00\ud800b\t", "c\x00\udfffd"))

        assert factories.rows(Conversation)[0].chapter == "a\ufffd\ufffdb"
        assert said(owner, "a\x00\ud800b")[0] == "c\ufffd\ufffdd"
        again = ask(owner, "a\ufffd\ufffdb", "more")
        assert again.conversation_id == asked.conversation_id

    def test_may_name_a_chapter_of_200_characters(self, owner: Owner) -> None:
        answered(owner, "𠀀" * 200)

        assert len(said(owner, "𠀀" * 200)) == 2
        for act in (ask, lambda *given: said(*given), chapters.clear):
            with pytest.raises(Invalid) as refused:
                act(owner, "𠀀" * 201)
            assert set(refused.value.fields) == {"chapter"}
        assert len(factories.rows(Message)) == 2

    @pytest.mark.parametrize("name", ["%", "_", "' OR 1=1--", "\\", "SENSORS"])
    def test_names_a_chapter_literally(self, owner: Owner, name: str) -> None:
        answered(owner, "Sensors")

        assert said(owner, name) == []
        assert chapters.clear(owner, name) == 0


class TestHistory:
    def test_is_what_was_said_about_a_chapter(self, owner: Owner) -> None:
        answered(owner)
        answered(owner, "4. Motors", "And a motor?", citations=[{"page": 4}])

        rows = chapters.history(owner, "4. Motors", 100)

        assert [(row.chapter, row.position, row.role, row.content) for row in rows] == [
            ("4. Motors", 1, "user", "And a motor?"),
            ("4. Motors", 2, "assistant", "And a motor? Indeed."),
        ]
        assert rows[1].details["citations"] == [{"page": 4}]

    def test_of_all_chapters_is_in_the_order_of_saying(self, owner: Owner) -> None:
        for text, chapter in (("1", "a"), ("2", "b"), ("3", "a"), ("4", ""), ("5", "b")):
            answered(owner, chapter, text)

        texts = [text for each in "12345" for text in (each, f"{each} Indeed.")]
        assert said(owner, None) == texts
        assert [row.chapter for row in chapters.history(owner, None, 100)][::2] == [
            "a", "b", "a", "", "b",
        ]  # fmt: skip
        assert said(owner, "a") == ["1", "1 Indeed.", "3", "3 Indeed."]
        assert said(owner, "") == ["4", "4 Indeed."]

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
    def test_is_the_newest_of_it(self, owner: Owner, limit: int) -> None:
        for text, chapter in (("1", "a"), ("2", "b"), ("3", "a")):
            answered(owner, chapter, text)
        everything = said(owner, None)

        assert said(owner, None, limit) == everything[-limit:]
        assert said(owner, "a", limit) == ["1", "1 Indeed.", "3", "3 Indeed."][-limit:]

    def test_is_of_the_branch_that_is_shown(self, owner: Owner) -> None:
        first = answered(owner)
        again = questions.retry(
            owner, first.conversation_id, 2, uuid4(), factories.process(), UNLIMITED
        )
        factories.ended(again, "Otherwise.")

        assert said(owner) == said(owner, None) == [QUESTION, "Otherwise."]

    def test_of_nothing_is_empty(self, owner: Owner) -> None:
        assert said(owner) == said(owner, None) == []

    def test_of_a_long_talk_costs_what_is_read(self, owner: Owner) -> None:
        talk = factories.conversation(owner, 3000)
        with writing() as connection:
            connection.execute(
                update(Conversation).where(Conversation.id == talk).values(chapter=SENSORS)
            )
            connection.commit()

        assert said(owner, limit=2) == ["question 2999", "answer 3000"]


class TestClearing:
    def test_takes_a_chapters_talk_away(self, owner: Owner) -> None:
        talk = answered(owner).conversation_id
        answered(owner, text="And then?")
        other = answered(owner, "4. Motors").conversation_id

        assert chapters.clear(owner, SENSORS) == 4

        assert said(owner) == []
        assert len(said(owner, None)) == 2
        with pytest.raises(NotFound):
            conversations.find(owner, talk)
        assert conversations.find(owner, other).message_count == 2
        assert len(factories.rows(Message)) == 6  # it can be brought back

    def test_takes_all_of_them_and_nothing_else(self, owner: Owner) -> None:
        page = factories.answered(owner).conversation_id
        for chapter in (SENSORS, "4. Motors", ""):
            answered(owner, chapter)

        assert chapters.clear(owner, None) == 6

        assert said(owner, None) == []
        assert conversations.find(owner, page).status == "active"
        assert chapters.clear(owner, None) == 0

    def test_stops_what_is_being_written(self, owner: Owner) -> None:
        ask(owner)

        assert chapters.clear(owner, SENSORS) == 2

        assert factories.rows(Message)[1].stop_at == conversations.TO_THE_END

    def test_of_a_restored_talk_brings_it_back_whole(self, owner: Owner) -> None:
        talk = answered(owner).conversation_id
        chapters.clear(owner, SENSORS)

        conversations.restore(owner, talk)

        assert said(owner) == [QUESTION, f"{QUESTION} Indeed."]


class TestSomebodyElse:
    def test_sees_nothing_and_clears_nothing(self, owner: Owner, stranger: Owner) -> None:
        answered(owner)
        before = factories.rows(Conversation), factories.rows(Message)

        assert said(stranger) == said(stranger, None) == []
        assert chapters.clear(stranger, SENSORS) == chapters.clear(stranger, None) == 0
        assert (factories.rows(Conversation), factories.rows(Message)) == before

    def test_has_a_talk_of_their_own(self, owner: Owner, stranger: Owner) -> None:
        answered(owner)

        answered(stranger, text="And mine?")

        assert said(stranger) == ["And mine?", "And mine? Indeed."]
        assert said(owner) == [QUESTION, f"{QUESTION} Indeed."]
