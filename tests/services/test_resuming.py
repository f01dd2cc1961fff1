"""An answer is taken up by one process, and nothing comes from the one before any more."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from chatweb.database import writing
from chatweb.models import Message, ReplyPiece
from chatweb.services import answers, questions, resuming
from chatweb.services.answers import Ending
from chatweb.services.asking import Asked
from chatweb.services.limits import UNLIMITED
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece
from tests import factories

TEXT = "As far as it came"


@pytest.fixture
def dead(context: None) -> UUID:
    return factories.process()


@pytest.fixture
def mine(context: None) -> UUID:
    return factories.process()


@pytest.fixture
def orphan(owner: Owner, dead: UUID) -> Asked:
    """An answer whose process has died, with what was kept of it."""
    asked = factories.begun(owner, process_id=dead)
    answers.keep(dead, [Piece(asked.answer_id, 0, TEXT)], [], heartbeat=False)
    factories.silence(dead)
    return asked


def row(asked: Asked) -> Any:
    return next(row for row in factories.rows(Message) if row.id == asked.answer_id)


def known(asked: Asked, **details: Any) -> None:
    with writing() as connection:
        connection.execute(
            update(Message).where(Message.id == asked.answer_id).values(details=details)
        )
        connection.commit()


def kept() -> list[tuple[int, str]]:
    return [(row.offset, row.text) for row in factories.rows(ReplyPiece)]


class TestTakingUp:
    def test_makes_it_ones_own_and_tells_how_to_go_on(
        self, owner: Owner, orphan: Asked, mine: UUID
    ) -> None:
        (taken,) = resuming.take_up(mine, factories.left(orphan)).taken

        assert (row(orphan).process_id, row(orphan).status) == (mine, "streaming")
        assert taken.asked.begins_with == TEXT
        assert (taken.asked.question, taken.asked.parent, taken.asked.text) == (
            1, None, orphan.text,
        )  # fmt: skip
        assert (taken.asked.answer_id, taken.asked.answer) == (orphan.answer_id, orphan.answer)
        assert (taken.asked.process_id, taken.asked.streaming) == (mine, True)
        assert taken.asked.conversation_id == orphan.conversation_id
        assert taken.stop_at is None
        assert kept() == [(0, TEXT)]
        assert factories.left(taken.asked) == {orphan.answer_id: mine}

    def test_knows_the_way_to_an_answer_further_down(self, owner: Owner, mine: UUID) -> None:
        first = factories.answered(owner)
        later = factories.asked(owner, first.conversation_id, "And then?")
        factories.ended(later)
        again = questions.retry(
            owner, first.conversation_id, 4, uuid4(), factories.process(), UNLIMITED
        )

        (taken,) = resuming.take_up(mine, factories.left(again)).taken

        assert (taken.asked.question, taken.asked.parent, taken.asked.answer) == (3, 2, 5)
        assert (taken.asked.text, taken.asked.begins_with) == ("And then?", "")

    def test_has_one_winner(self, owner: Owner, at_once: Any) -> None:
        for _ in range(5):
            orphans = [factories.begun(owner) for _ in range(3)]
            takers = [factories.process() for _ in range(4)]

            results = at_once([
                partial(resuming.take_up, taker, factories.left(*orphans)) for taker in takers
            ])  # fmt: skip

            won = [taken.asked.answer_id for each in results for taken in each.taken]
            assert sorted(won) == [each.answer_id for each in orphans]
            assert all(each.worn_out == {} for each in results)
            for taker, each in zip(takers, results, strict=True):
                assert all(row(taken.asked).process_id == taker for taken in each.taken)
            assert all(row(each).metadata == {resuming.TAKEN_UP: 1} for each in orphans)

    def test_leaves_what_has_ended_and_what_is_anothers(
        self, owner: Owner, orphan: Asked, dead: UUID, mine: UUID
    ) -> None:
        over = factories.ended(factories.begun(owner, process_id=dead))
        left = factories.left(orphan, over)
        resuming.take_up(factories.process(), factories.left(orphan))
        before = factories.rows(Message)

        divided = resuming.take_up(mine, left)

        assert divided == resuming.Divided([], {})
        assert factories.rows(Message) == before

    def test_tells_who_asked_to_stop_it(self, owner: Owner, orphan: Asked, mine: UUID) -> None:
        answers.request_stop(owner, orphan.conversation_id, orphan.answer, 5)

        (taken,) = resuming.take_up(mine, factories.left(orphan)).taken

        assert taken.stop_at == 5

    def test_is_done_three_times_at_most(self, orphan: Asked) -> None:
        left = factories.left(orphan)
        for times in range(1, resuming.MOST + 1):
            (taken,) = resuming.take_up(factories.process(), left).taken
            assert taken.details == row(orphan).metadata == {resuming.TAKEN_UP: times}
            left = factories.left(taken.asked)

        divided = resuming.take_up(factories.process(), left)

        assert (divided.taken, divided.worn_out) == ([], left)
        answers.interrupt(divided.worn_out)
        assert (row(orphan).status, row(orphan).content) == ("interrupted", TEXT)
        assert row(orphan).metadata == {resuming.TAKEN_UP: 3, "reason": answers.CUT}

    def test_keeps_what_is_known_of_it_already(self, orphan: Asked, mine: UUID) -> None:
        known(orphan, colour="blue", taken_up=1)

        (taken,) = resuming.take_up(mine, factories.left(orphan)).taken

        assert taken.details == row(orphan).metadata == {"colour": "blue", "taken_up": 2}


class TestTheOneThatOnlySlept:
    """A process that was taken for dead wakes up and goes on as if nothing had been."""

    @pytest.fixture
    def taken(self, orphan: Asked, mine: UUID) -> Asked:
        return resuming.take_up(mine, factories.left(orphan)).taken[0].asked

    def test_adds_nothing_and_learns_it(self, orphan: Asked, taken: Asked, dead: UUID) -> None:
        assert taken.process_id
        answers.keep(
            taken.process_id, [Piece(taken.answer_id, len(TEXT), ", and on")], [], heartbeat=False
        )

        late = Piece(orphan.answer_id, len(TEXT), " and what the dead would say")
        told = answers.keep(dead, [late], [], heartbeat=True)

        assert told.over == {orphan.answer_id}
        assert answers.text_so_far(orphan.answer_id) == TEXT + ", and on"

    def test_ends_nothing_and_takes_no_piece_away(
        self, orphan: Asked, taken: Asked, dead: UUID
    ) -> None:
        told = answers.keep(
            dead, [], [Ending(orphan.answer_id, "complete", "another text")], heartbeat=True
        )

        assert told.ended == frozenset()
        assert (row(orphan).status, row(orphan).content) == ("streaming", "")
        assert kept() == [(0, TEXT)]

    def test_is_not_given_its_stops(
        self, owner: Owner, orphan: Asked, taken: Asked, dead: UUID, mine: UUID
    ) -> None:
        answers.request_stop(owner, orphan.conversation_id, orphan.answer, 5)

        assert answers.stops(dead) == {}
        assert answers.stops(mine) == {orphan.answer_id: 5}

    def test_nor_can_a_third_one_interrupt_it(self, orphan: Asked, taken: Asked) -> None:
        """That looked before it was taken up, and is not allowed to go on with it itself."""
        answers.interrupt(factories.left(orphan))

        assert row(orphan).status == "streaming"
        assert kept() == [(0, TEXT)]

    def test_and_a_piece_of_it_that_comes_meanwhile_is_in_the_text_or_told(
        self, owner: Owner, at_once: Any
    ) -> None:
        outcomes = set()
        for _ in range(15):
            asked, mine = factories.begun(owner), factories.process()
            assert asked.process_id

            told, divided = at_once([
                lambda asked=asked: answers.keep(
                    asked.process_id, [Piece(asked.answer_id, 0, "late")], [], heartbeat=False
                ),
                lambda asked=asked, mine=mine: resuming.take_up(mine, factories.left(asked)),
            ])  # fmt: skip

            (taken,) = divided.taken
            outcomes.add((taken.asked.begins_with, bool(told.over)))
            assert answers.text_so_far(asked.answer_id) == taken.asked.begins_with
        assert outcomes <= {("late", False), ("", True)}
