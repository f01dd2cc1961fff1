"""How much may be asked: exactly so much, whoever counts, and told kindly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from chatweb.database import writing
from chatweb.models import Conversation, Message, QuestionCount, User
from chatweb.services import limits, owners, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import Conflict, TooMany
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner
from tests import factories
from tests.factories import LONGEST

HOME, SCHOOL = b"home" * 8, b"school" * 5


@pytest.fixture(autouse=True)
def minute(context: None) -> None:
    """No minute, and so no day, ends while a test runs."""
    left = 60 - time.time() % 60
    if left < 15:
        time.sleep(left)


def allowing(
    *, at_once: int = 0, minute: int = 0, day: int = 0, address: bytes | None = None
) -> Allowance:
    return Allowance(at_once, minute, day, address)


def ask(owner: Owner, allowance: Allowance) -> Asked:
    """A question whose answer has ended."""
    return factories.ended(factories.begun(owner, allowance=allowance))


def refusal(owner: Owner, allowance: Allowance) -> TooMany:
    with pytest.raises(TooMany) as caught:
        factories.begun(owner, allowance=allowance)
    return caught.value


def new_guest() -> Owner:
    return owners.guest(owners.new_token())


def counts() -> dict[int, list[int]]:
    """By the length of the period."""
    found: dict[int, list[int]] = {}
    for row in factories.rows(QuestionCount):
        found.setdefault(row.period, []).append(row.questions)
    return {period: sorted(each) for period, each in found.items()}


def pass_by(periods: int = 1) -> None:
    """Let so many periods pass since what was counted."""
    with writing() as connection:
        connection.execute(update(QuestionCount).values(number=QuestionCount.number - periods))
        connection.commit()


class TestQuestions:
    @pytest.mark.parametrize("period", ["minute", "day"])
    def test_are_taken_up_to_the_limit(self, owner: Owner, period: str) -> None:
        allowance = allowing(**{period: 3})
        for _ in range(3):
            ask(owner, allowance)

        refusal(owner, allowance)

        assert len(factories.rows(Conversation)) == 3

    def test_that_are_refused_change_nothing(self, owner: Owner) -> None:
        allowance = allowing(minute=2, day=2, address=HOME)
        ask(owner, allowance)
        ask(owner, allowance)
        tables = (User, Conversation, Message, QuestionCount)
        before = [factories.rows(table) for table in tables]

        for _ in range(3):
            refusal(owner, allowance)

        assert [factories.rows(table) for table in tables] == before

    @pytest.mark.parametrize("periods", [1, 100, -1], ids=["next", "later", "clock set back"])
    def test_are_taken_again_in_another_period(self, owner: Owner, periods: int) -> None:
        allowance = allowing(minute=2)
        ask(owner, allowance)
        ask(owner, allowance)
        pass_by(periods)

        ask(owner, allowance)

        assert counts() == {limits.MINUTE: [1]}
        ask(owner, allowance)
        refusal(owner, allowance)

    def test_of_others_do_not_count(self, owner: Owner, stranger: Owner) -> None:
        ask(owner, allowing(minute=1, day=1))

        ask(stranger, allowing(minute=1, day=1))

    def test_have_no_limit_of_0(self, owner: Owner) -> None:
        for _ in range(5):
            factories.begun(owner, allowance=UNLIMITED)

        assert factories.rows(QuestionCount) == []

    def test_sent_again_are_neither_counted_nor_refused(self, owner: Owner) -> None:
        allowance, request_id = allowing(at_once=1, minute=1, day=1, address=HOME), uuid4()
        first = factories.begun(owner, request_id=request_id, allowance=allowance)
        before = factories.rows(QuestionCount)

        for _ in range(3):
            assert factories.begun(owner, request_id=request_id, allowance=allowance) == first

        assert factories.rows(QuestionCount) == before

    def test_that_cannot_be_asked_are_not_counted(self, owner: Owner) -> None:
        running = factories.begun(owner)

        with pytest.raises(Conflict):
            factories.asked(owner, running.conversation_id, allowance=allowing(minute=1))

        assert factories.rows(QuestionCount) == []

    def test_at_once_are_taken_exactly_up_to_the_limit(self, owner: Owner, at_once) -> None:
        allowance, process_id = allowing(minute=7, day=9, address=HOME), factories.process()

        results = at_once(
            [lambda: factories.begun(owner, process_id=process_id, allowance=allowance)] * 20
        )

        assert kinds(results) == {"Asked": 7, "TooMany": 13}
        assert len(factories.rows(Conversation)) == 7
        assert counts() == {limits.MINUTE: [1, 7, 7], limits.DAY: [7, 7]}

    def test_in_many_conversations_at_once_likewise(self, owner: Owner, at_once) -> None:
        talks = [factories.answered(owner).conversation_id for _ in range(12)]
        allowance, process_id = allowing(day=5), factories.process()

        def ask_in(talk: UUID) -> Callable[[], Asked]:
            return lambda: factories.asked(owner, talk, process_id=process_id, allowance=allowance)

        results = at_once([ask_in(talk) for talk in talks])

        assert kinds(results) == {"Asked": 5, "TooMany": 7}


def kinds(results: list[Any]) -> dict[str, int]:
    names = [type(result).__name__ for result in results]
    return {name: names.count(name) for name in names}


class TestEveryWayOfAsking:
    WAYS = ("ask", "edit", "retry", "continue")

    @pytest.mark.parametrize("way", WAYS)
    def test_counts(self, owner: Owner, way: str) -> None:
        self.go(way, owner, allowing(day=1))

        assert counts() == {limits.DAY: [1]}

    @pytest.mark.parametrize("way", WAYS)
    def test_is_refused_and_changes_nothing(self, owner: Owner, way: str) -> None:
        allowance = allowing(day=1)
        ask(owner, allowance)

        with pytest.raises(TooMany):
            self.go(way, owner, allowance)

        assert counts() == {limits.DAY: [1]}
        assert len(factories.rows(Message)) == 4

    @pytest.mark.parametrize("way", WAYS)
    def test_waits_for_an_answer_to_end(self, owner: Owner, way: str) -> None:
        allowance = allowing(at_once=1)
        factories.begun(owner, allowance=allowance)

        with pytest.raises(TooMany):
            self.go(way, owner, allowance)

    def go(self, way: str, owner: Owner, allowance: Allowance) -> None:
        talk = factories.ended(factories.begun(owner), status="stopped").conversation_id
        rest = (uuid4(), factories.process(), allowance)
        if way == "ask":
            questions.ask(owner, talk, "And then?", LONGEST, *rest)
        elif way == "edit":
            questions.edit(owner, talk, 1, "Why not?", LONGEST, *rest)
        else:
            questions.retry(owner, talk, 2, *rest, goes_on=way == "continue")


class TestAnswersAtOnce:
    def test_are_written_up_to_the_limit(self, owner: Owner) -> None:
        allowance = allowing(at_once=2)
        factories.begun(owner, allowance=allowance)
        running = factories.begun(owner, allowance=allowance)
        refusal(owner, allowance)

        factories.ended(running)

        factories.begun(owner, allowance=allowance)

    def test_of_others_do_not_count(self, owner: Owner, stranger: Owner) -> None:
        factories.begun(stranger)

        factories.begun(owner, allowance=allowing(at_once=1))

    @pytest.mark.parametrize("more", [{}, {"minute": 100}, {"day": 100}], ids=str)
    def test_begun_at_once_are_exactly_as_many(
        self, owner: Owner, at_once, more: dict[str, int]
    ) -> None:
        talks = [factories.answered(owner).conversation_id for _ in range(12)]
        allowance, process_id = allowing(at_once=3, **more), factories.process()

        def ask_in(talk: UUID) -> Callable[[], Asked]:
            return lambda: factories.asked(owner, talk, process_id=process_id, allowance=allowance)

        results = at_once([ask_in(talk) for talk in talks])

        assert kinds(results) == {"Asked": 3, "TooMany": 9}


class TestAnAddress:
    def test_may_ask_ten_times_as_much(self) -> None:
        allowance = allowing(day=2, address=HOME)
        for guest in [factories.guest() for _ in range(10)]:
            ask(guest, allowance)
            ask(guest, allowance)
        guest = factories.guest()

        error = refusal(guest, allowance)

        assert str(error).startswith("The limit here is 20 questions a day from one network.")
        ask(guest, allowing(day=2, address=SCHOOL))

    def test_counts_the_guests_that_are_new(self) -> None:
        allowance = allowing(minute=3, address=HOME)
        guests = [new_guest() for _ in range(3)]
        for guest in guests:
            ask(guest, allowance)

        for _ in range(3):
            error = refusal(new_guest(), allowance)
            assert str(error).startswith("The limit here is 3 new visitors a minute from one")
        # Those that are known go on, others come from elsewhere.
        ask(guests[0], allowance)
        ask(new_guest(), allowing(minute=3, address=SCHOOL))
        assert len(factories.rows(User)) == 4

    def test_counts_a_guest_as_new_until_the_first_question(self) -> None:
        """Whatever else gave it rows."""
        allowance = allowing(minute=1, address=HOME)
        ask(factories.guest(), allowance)

        refusal(factories.guest(), allowance)

    def test_of_new_guests_at_once_takes_exactly_so_many(self, at_once) -> None:
        allowance, process_id = (
            allowing(at_once=3, minute=6, day=50, address=HOME),
            factories.process(),
        )

        results = at_once(
            [lambda: factories.begun(new_guest(), process_id=process_id, allowance=allowance)] * 20
        )

        assert kinds(results) == {"Asked": 6, "TooMany": 14}
        assert len(factories.rows(User)) == 6

    def test_does_not_count_for_an_account(self) -> None:
        token = owners.new_token()
        ask(owners.guest(token), UNLIMITED)
        with writing() as connection:
            connection.execute(update(User).values(email="ada@example.org"))
            connection.commit()
        account = owners.recognise(token)
        assert account
        assert not account.is_guest

        ask(account, allowing(minute=5, day=5, address=HOME))

        assert counts() == {limits.MINUTE: [1], limits.DAY: [1]}

    def test_that_is_unknown_does_not_count(self, owner: Owner) -> None:
        ask(owner, allowing(minute=5, day=5))

        assert counts() == {limits.MINUTE: [1], limits.DAY: [1]}


def count(owner: Owner, allowance: Allowance) -> None:
    """Count a question that is not asked."""
    with writing() as connection:
        limits.count(connection, owner, allowance)
        connection.commit()


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        ("allowance", "limit", "within"),
        [
            (allowing(minute=1), "1 question a minute for each person", 60),
            (allowing(day=1), "1 question a day for each person", 86_400),
            (allowing(minute=1, day=1), "1 question a day for each person", 86_400),
            (allowing(minute=2, address=HOME), "2 questions a minute for each person", 60),
        ],
    )  # fmt: skip
    def test_is_the_limit_and_when_one_can_go_on(
        self, owner: Owner, allowance: Allowance, limit: str, within: int
    ) -> None:
        for _ in range(max(allowance.questions_per_minute, allowance.questions_per_day)):
            ask(owner, allowance)

        error = refusal(owner, allowance)

        assert str(error).startswith(f"The limit here is {limit}. You can go on in ")
        left = within - time.time() % within
        assert left - 15 < error.retry_after < left + 2

    def test_is_how_many_answers_there_may_be(self, owner: Owner) -> None:
        factories.begun(owner)

        error = refusal(owner, allowing(at_once=1))

        assert str(error) == (
            "The limit here is 1 answer at once for each person. "
            "Wait for one to end or stop one, then send again."
        )
        assert error.retry_after == limits.SOON

    @pytest.mark.parametrize(
        ("left", "seconds", "words"),
        [
            (0.01, 1, "1 second"), (-0.2, 1, "1 second"), (1.2, 2, "2 seconds"),
            (60, 60, "60 seconds"), (90.5, 91, "2 minutes"), (3600, 3600, "60 minutes"),
            (5401, 5401, "2 hours"), (86_399.5, 86_400, "24 hours"),
        ],
    )  # fmt: skip
    def test_is_a_time_that_is_not_too_short(self, left: float, seconds: int, words: str) -> None:
        rule = limits.Rule(b"", limits.DAY, 1000, "question", "for each person")

        error = limits._too_many(left, rule)

        assert error.retry_after == seconds
        assert str(error) == (
            f"The limit here is 1,000 questions a day for each person. You can go on in {words}."
        )


class TestForgetting:
    def test_takes_what_is_over(self, owner: Owner, stranger: Owner) -> None:
        ask(owner, allowing(minute=5, day=5))
        pass_by(2)
        ask(stranger, allowing(minute=5, day=5))

        limits.forget()

        assert counts() == {limits.MINUTE: [1], limits.DAY: [1]}
        ask(owner, allowing(minute=5, day=5))
        assert counts() == {limits.MINUTE: [1, 1], limits.DAY: [1, 1]}

    def test_leaves_what_is_being_counted(self, owner: Owner) -> None:
        ask(owner, allowing(minute=2, day=2, address=HOME))
        before = factories.rows(QuestionCount)

        limits.forget()

        assert factories.rows(QuestionCount) == before

    def test_does_not_wait_for_those_who_count(
        self, owner: Owner, stranger: Owner, at_once
    ) -> None:
        """Or they might wait for it, in a circle."""
        allowance = allowing(day=5)
        count(stranger, allowance)
        count(owner, allowance)
        pass_by()
        is_held = threading.Event()

        def count_both() -> None:
            with writing() as connection:
                limits.count(connection, owner, allowance)
                is_held.set()
                time.sleep(0.3)
                limits.count(connection, stranger, allowance)
                connection.commit()

        def forget() -> None:
            is_held.wait(10)
            limits.forget()

        assert at_once([count_both, forget]) == [None, None]

        assert counts() == {limits.DAY: [1, 1]}


def test_those_who_share_counts_do_not_wait_in_a_circle(at_once) -> None:
    allowance, process_id = allowing(minute=500, day=500, address=HOME), factories.process()
    guests = [factories.guest() for _ in range(3)]

    def keep_asking(guest: Owner) -> None:
        for _ in range(5):
            count(guest, allowance)
            factories.begun(new_guest(), process_id=process_id, allowance=allowance)

    assert at_once([partial(keep_asking, guest) for guest in guests * 3]) == [None] * 9

    assert counts()[limits.DAY] == [1] * 45 + [15, 15, 15, 90]
