"""Answers in progress: kept piece by piece, ended exactly once, never lost with a process."""

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select

from chatweb.database import db, reading, writing
from chatweb.database.types import now_seconds
from chatweb.models import Conversation, Message, Process, ReplyPiece
from chatweb.services import answers, conversations, messages
from chatweb.services.answers import Ending
from chatweb.services.conversations import TO_THE_END
from chatweb.services.errors import NotFound
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece
from chatweb.services.questions import Asked
from tests import factories


@pytest.fixture
def process_id() -> UUID:
    return uuid4()


@pytest.fixture
def running(context: None, owner: Owner, process_id: UUID) -> Asked:
    """A question whose answer is written by ``process_id``."""
    answers.beat(process_id)
    return factories.begun(owner, process_id=process_id)


def keep(process_id: UUID, *pieces: Piece, endings: tuple[Ending, ...] = ()) -> answers.Kept:
    return answers.keep(process_id, pieces, endings, heartbeat=False)


def orphans(process_id: UUID) -> set[int]:
    return {row.id for row in answers.orphans(process_id)}


def remove(asked: Asked) -> None:
    with writing() as connection:
        connection.execute(delete(Conversation).where(Conversation.id == asked.conversation_id))
        connection.commit()


def message_of(asked: Asked) -> Message:
    return next(row for row in factories.rows(Message) if row.id == asked.answer_id)


class TestBeat:
    def test_is_told_by_the_databases_clock(self, process_id: UUID) -> None:
        answers.beat(process_id)

        with reading() as connection:
            age = connection.execute(select(now_seconds() - Process.heartbeat)).scalar_one()
        assert 0 <= age < 60

    def test_again_renews_it(self, process_id: UUID) -> None:
        answers.beat(process_id)
        factories.silence(process_id, 1000)

        answers.beat(process_id)

        (row,) = factories.rows(Process)
        with reading() as connection:
            assert connection.execute(select(now_seconds() - row.heartbeat)).scalar_one() < 60

    def test_comes_with_what_is_kept_if_asked(self, running: Asked, process_id: UUID) -> None:
        factories.silence(process_id, 1000)
        answers.keep(process_id, [], [], heartbeat=False)
        assert orphans(uuid4()) == {running.answer_id}

        answers.keep(process_id, [], [], heartbeat=True)

        assert orphans(uuid4()) == set()


class TestPieces:
    def test_add_up_to_the_text_so_far(self, running: Asked, process_id: UUID) -> None:
        keep(process_id, Piece(running.answer_id, 0, "Once "))
        keep(process_id, Piece(running.answer_id, 5, "upon 😀"))
        keep(process_id, Piece(running.answer_id, 11, " a time"))

        assert answers.text_so_far(running.answer_id) == "Once upon 😀 a time"

    @given(st.text(st.characters(exclude_characters="\x00")), st.data())
    @settings(max_examples=20)
    def test_of_any_text_cut_anywhere_add_up(
        self, owner: Owner, text: str, data: st.DataObject
    ) -> None:
        cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=5)))
        edges = [0, *cuts, len(text)]
        asked = factories.begun(owner)
        assert asked.process_id

        for start, end in pairwise(edges):
            keep(asked.process_id, Piece(asked.answer_id, start, text[start:end]))

        assert answers.text_so_far(asked.answer_id) == text

    def test_of_many_answers_come_in_one_go(self, owner: Owner, process_id: UUID) -> None:
        answers.beat(process_id)
        many = [factories.begun(owner, process_id=process_id) for _ in range(20)]

        keep(process_id, *(Piece(each.answer_id, 0, f"text {each.answer_id}") for each in many))

        for each in many:
            assert answers.text_so_far(each.answer_id) == f"text {each.answer_id}"

    def test_after_an_unclear_commit_come_again_with_more(
        self, running: Asked, process_id: UUID
    ) -> None:
        keep(process_id, Piece(running.answer_id, 0, "Once "))

        keep(process_id, Piece(running.answer_id, 0, "Once upon"))
        keep(process_id, Piece(running.answer_id, 9, " a time"))

        assert answers.text_so_far(running.answer_id) == "Once upon a time"

    @pytest.mark.parametrize("reason", ["ended", "interrupted", "removed"])
    def test_of_an_answer_that_is_over_are_left_out_and_told(
        self, owner: Owner, running: Asked, process_id: UUID, reason: str
    ) -> None:
        """Its process was quiet for a while, and others took it for dead."""
        over = factories.begun(owner, process_id=process_id)
        keep(process_id, Piece(over.answer_id, 0, "before"))
        if reason == "ended":
            factories.ended(over, "all of it")
        elif reason == "interrupted":
            answers.interrupt(factories.left(over))
        else:
            remove(over)

        kept = keep(process_id, Piece(over.answer_id, 6, "b"), Piece(running.answer_id, 0, "a"))

        assert kept.over == {over.answer_id}
        assert [tuple(row) for row in factories.rows(ReplyPiece)] == [(running.answer_id, 0, "a")]

    def test_that_are_all_kept_tell_of_nothing(self, running: Asked, process_id: UUID) -> None:
        keep(process_id, Piece(running.answer_id, 0, "a"))

        again = keep(process_id, Piece(running.answer_id, 0, "ab"))

        assert again.over == frozenset()

    def test_are_one_statement_whatever_their_number(self, owner: Owner, process_id: UUID) -> None:
        answers.beat(process_id)
        many = [factories.begun(owner, process_id=process_id) for _ in range(20)]
        statements: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            statements.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        keep(process_id, *(Piece(each.answer_id, 0, "text") for each in many))
        event.remove(db.engine, "before_cursor_execute", note)

        assert len([each for each in statements if "reply_piece" in each]) == 1


class TestTheEnd:
    @pytest.mark.parametrize("status", ["complete", "stopped", "interrupted", "failed"])
    def test_has_the_whole_text_and_what_was_true(
        self, running: Asked, process_id: UUID, status: str
    ) -> None:
        details = {"model": "test", "tokens_out": 7, "reason": "“so”"}
        keep(process_id, Piece(running.answer_id, 0, "So far"))

        kept = keep(
            process_id, endings=(Ending(running.answer_id, status, "So far, so good", details),)
        )

        row = message_of(running)
        assert kept == answers.Kept(frozenset({running.answer_id}), frozenset(), {})
        assert (row.status, row.content, row.metadata) == (status, "So far, so good", details)
        assert row.ended_at >= row.created_at
        assert row.process_id is row.stop_at is None
        assert factories.rows(ReplyPiece) == []

    def test_comes_once(self, running: Asked, process_id: UUID) -> None:
        keep(process_id, endings=(Ending(running.answer_id, "complete", "First"),))
        before = message_of(running)

        again = keep(process_id, endings=(Ending(running.answer_id, "stopped", "Second"),))

        assert again.ended == frozenset()
        assert message_of(running) == before
        assert answers.ended_text(running.answer_id) == "First"

    def test_comes_once_for_ten_who_want_it(
        self, running: Asked, process_id: UUID, at_once
    ) -> None:
        def end_it(text: str) -> frozenset[int]:
            return keep(process_id, endings=(Ending(running.answer_id, "stopped", text),)).ended

        results = at_once([lambda text=str(number): end_it(text) for number in range(10)])

        winner = results.index(frozenset({running.answer_id}))
        assert results.count(frozenset()) == 9
        assert message_of(running).content == str(winner)

    def test_of_several_is_told_for_each(self, owner: Owner, process_id: UUID) -> None:
        answers.beat(process_id)
        one, two, three = (factories.begun(owner, process_id=process_id) for _ in range(3))
        keep(process_id, endings=(Ending(two.answer_id, "failed", ""),))

        kept = keep(
            process_id,
            Piece(three.answer_id, 0, "still going"),
            endings=tuple(Ending(each.answer_id, "complete", "Done") for each in (one, two)),
        )

        assert kept.ended == {one.answer_id}
        assert [message_of(each).status for each in (one, two, three)] == [
            "complete", "failed", "streaming",
        ]  # fmt: skip
        assert answers.text_so_far(three.answer_id) == "still going"

    def test_frees_the_conversation(self, owner: Owner, running: Asked, process_id: UUID) -> None:
        keep(process_id, endings=(Ending(running.answer_id, "failed", ""),))

        assert factories.asked(owner, running.conversation_id).question == 3

    def test_of_an_answer_whose_row_is_gone_is_nobodys(self, process_id: UUID) -> None:
        kept = answers.keep(process_id, [], [Ending(7, "complete", "x")], heartbeat=True)

        assert kept.ended == frozenset()
        assert answers.ended_text(7) == ""


class TestStop:
    @pytest.mark.parametrize(
        ("seen", "noted"),
        [(None, TO_THE_END), (0, 0), (7, 7), (-5, 0), (2**31, TO_THE_END), (2**90, TO_THE_END)],
    )
    def test_is_noted_for_the_process_that_writes(
        self, owner: Owner, running: Asked, process_id: UUID, seen: int | None, noted: int
    ) -> None:
        row = answers.request_stop(owner, running.conversation_id, running.answer, seen)

        assert row
        assert tuple(row) == (running.answer_id, noted)
        assert answers.stops(process_id) == {running.answer_id: noted}
        assert keep(process_id).stops == {running.answer_id: noted}
        assert answers.stops(uuid4()) == {}

    def test_of_an_ended_answer_does_nothing(self, owner: Owner) -> None:
        asked = factories.answered(owner)
        before = message_of(asked)

        assert answers.request_stop(owner, asked.conversation_id, asked.answer, 0) is None
        assert message_of(asked) == before

    def test_of_the_question_does_nothing(self, owner: Owner, running: Asked) -> None:
        assert answers.request_stop(owner, running.conversation_id, running.question, 0) is None

    @pytest.mark.parametrize("position", [-1, 0, 2**31, 2**63, 2**200])
    def test_of_an_impossible_position_is_not_found(
        self, owner: Owner, running: Asked, position: int
    ) -> None:
        with pytest.raises(NotFound):
            answers.request_stop(owner, running.conversation_id, position, None)

    def test_is_over_with_the_end(self, owner: Owner, running: Asked, process_id: UUID) -> None:
        answers.request_stop(owner, running.conversation_id, running.answer, 3)

        keep(process_id, endings=(Ending(running.answer_id, "stopped", "Sto"),))

        assert answers.stops(process_id) == {}
        assert message_of(running).stop_at is None


class TestOrphans:
    def test_are_answers_of_processes_that_went_quiet(
        self, running: Asked, process_id: UUID
    ) -> None:
        assert orphans(uuid4()) == set()

        factories.silence(process_id, answers.QUIET + 1)

        assert orphans(uuid4()) == {running.answer_id}

    def test_are_those_said_to_be_ones_own(self, running: Asked, process_id: UUID) -> None:
        assert orphans(process_id) == {running.answer_id}

    def test_are_not_ended_answers(self, owner: Owner, process_id: UUID) -> None:
        answers.beat(process_id)
        factories.ended(factories.begun(owner, process_id=process_id))
        factories.silence(process_id, 1000)

        assert orphans(uuid4()) == orphans(process_id) == set()


class TestInterrupt:
    def test_keeps_all_that_had_arrived(self, running: Asked, process_id: UUID) -> None:
        keep(process_id, Piece(running.answer_id, 5, "upon "))
        keep(process_id, Piece(running.answer_id, 0, "Once "), Piece(running.answer_id, 10, "a 😀"))

        answers.interrupt(factories.left(running))

        row = message_of(running)
        assert (row.status, row.content) == ("interrupted", "Once upon a 😀")
        assert row.metadata == {"reason": answers.CUT}
        assert row.process_id is None
        assert factories.rows(ReplyPiece) == []

    def test_of_several_does_not_mix_them(self, owner: Owner, process_id: UUID) -> None:
        answers.beat(process_id)
        many = [factories.begun(owner, process_id=process_id) for _ in range(5)]
        for each in many:
            keep(process_id, Piece(each.answer_id, 0, str(each.answer_id)))

        assert answers.interrupt(factories.left(*many)) == len(many)

        assert [message_of(each).content for each in many] == [str(each.answer_id) for each in many]

    def test_comes_too_late_for_an_ended_one(self, owner: Owner) -> None:
        asked = factories.answered(owner)
        before = message_of(asked)

        assert answers.interrupt(factories.left(asked) | {2**40: uuid4()}) == 0

        assert message_of(asked) == before

    def test_and_the_end_itself_have_one_winner(
        self, running: Asked, process_id: UUID, at_once
    ) -> None:
        keep(process_id, Piece(running.answer_id, 0, "half"))

        results = at_once(
            [
                lambda: answers.interrupt(factories.left(running)),
                lambda: keep(process_id, endings=(Ending(running.answer_id, "complete", "whole"),)),
            ]
        )

        won = bool(results[1].ended)
        row = message_of(running)
        assert (row.status, row.content) == (
            ("complete", "whole") if won else ("interrupted", "half")
        )
        assert factories.rows(ReplyPiece) == []

    def test_and_a_piece_that_comes_meanwhile_lose_nothing(self, owner: Owner, at_once) -> None:
        """It came before the end, and is in the text, or after it, and its process learns that."""
        outcomes = set()
        for _ in range(25):
            asked = factories.begun(owner)
            assert asked.process_id
            piece = Piece(asked.answer_id, 0, "late")

            kept, _ = at_once(
                [
                    lambda asked=asked, piece=piece: keep(asked.process_id, piece),
                    lambda asked=asked: answers.interrupt(factories.left(asked)),
                ]
            )

            outcomes.add((message_of(asked).content, bool(kept.over)))
            assert factories.rows(ReplyPiece) == []
        assert outcomes <= {("late", False), ("", True)}


class TestRetire:
    def test_forgets_this_process(self, process_id: UUID) -> None:
        other = factories.process()
        answers.beat(process_id)

        answers.retire(process_id)

        assert [row.id for row in factories.rows(Process)] == [other]

    def test_signs_a_process_off_that_leaves_answers(
        self, running: Asked, process_id: UUID
    ) -> None:
        assert [row.signed_off for row in answers.orphans(process_id)] == [False]

        answers.retire(process_id)

        (left,) = answers.orphans(uuid4())
        assert (left.id, left.process_id, left.signed_off) == (running.answer_id, process_id, True)

    def test_forgets_those_long_dead(self, process_id: UUID) -> None:
        dead, quiet = factories.process(), factories.process()
        factories.silence(dead, 101 * answers.QUIET)
        factories.silence(quiet, 2 * answers.QUIET)

        answers.retire(process_id)

        assert [row.id for row in factories.rows(Process)] == [quiet]


class TestFollowed:
    def test_is_what_came_after_what_is_known(self, running: Asked, process_id: UUID) -> None:
        keep(process_id, Piece(running.answer_id, 0, "Once "), Piece(running.answer_id, 5, "upon "))

        from_the_start = answers.followed({running.answer_id: 0})
        the_rest = answers.followed({running.answer_id: 5})
        (nothing_new,) = answers.followed({running.answer_id: 10})

        assert [(row.offset, row.text) for row in from_the_start] == [(0, "Once "), (5, "upon ")]
        assert [(row.offset, row.text) for row in the_rest] == [(5, "upon ")]
        assert (nothing_new.status, nothing_new.offset, nothing_new.content) == (
            "streaming", None, None,
        )  # fmt: skip

    def test_is_the_whole_text_when_it_has_ended(self, owner: Owner) -> None:
        asked = factories.answered(owner, answer="All of it")

        (row,) = answers.followed({asked.answer_id: 3})

        assert (row.id, row.status, row.content) == (asked.answer_id, "complete", "All of it")

    def test_leaves_out_answers_whose_rows_are_gone(self, running: Asked) -> None:
        rows = answers.followed({running.answer_id: 0, 2**40: 0})

        assert [row.id for row in rows] == [running.answer_id]

    def test_is_one_query_for_many(self, owner: Owner, process_id: UUID) -> None:
        answers.beat(process_id)
        many = [factories.begun(owner, process_id=process_id) for _ in range(50)]
        keep(process_id, *(Piece(each.answer_id, 0, "x" * 3) for each in many))

        rows = answers.followed({each.answer_id: 0 for each in many})

        assert [row.id for row in rows] == sorted(each.answer_id for each in many)


def test_a_process_writes_what_is_there_and_its_own(
    owner: Owner, running: Asked, process_id: UUID
) -> None:
    over, anothers = factories.answered(owner), factories.begun(owner)
    ids = [running.answer_id, over.answer_id, anothers.answer_id, 2**40]

    assert answers.written_by(process_id, ids) == {running.answer_id}
    assert answers.written_by(process_id, []) == set()


class TestTheTextOfAnEndedAnswer:
    def test_is_what_it_ended_with(self, owner: Owner) -> None:
        assert answers.ended_text(factories.answered(owner, answer="All").answer_id) == "All"

    def test_is_nothing_when_its_row_is_gone(self) -> None:
        assert answers.ended_text(2**40) == ""

    def test_is_not_known_before(self, running: Asked) -> None:
        assert answers.ended_text(running.answer_id) is None


def test_a_conversation_that_is_removed_takes_everything_with_it(
    owner: Owner, running: Asked, process_id: UUID
) -> None:
    keep(process_id, Piece(running.answer_id, 0, "So far"))

    remove(running)

    assert factories.rows(Message) == factories.rows(ReplyPiece) == []
    with pytest.raises(NotFound):
        conversations.find(owner, running.conversation_id)


def numbered(letters: range, template: str, characters: int) -> str:
    """A text of so many characters, each word another one."""
    words, length = [], 0
    for number in range(characters):
        if length >= characters:
            break
        first, second = divmod(number, len(letters))
        words.append(template.format(chr(letters[first]) + chr(letters[second])))
        length += len(words[-1])
    return "".join(words)[:characters]


RARE = range(0x20000, 0x2A6DF)
LONGEST_ANSWERS = {
    "words of one rare letter": "".join(f"{chr(letter)} " for letter in RARE) * 3,
    "words of two rare letters": numbered(RARE, "{} ", 200_000),
    "hyphens": numbered(RARE, "{0}-{0}x-y ", 200_000),
    "one long chain of hyphens": numbered(RARE, "{}-", 200_000),
    "addresses": numbered(RARE, "http://{0}.example/{0}?{0} ", 200_000),
    "short addresses": numbered(RARE, "a.de/{} ", 200_000),
    "e-mail": numbered(RARE, "{0}@{0}.com ", 200_000),
    "paths": numbered(RARE, "/{0}/{0} ", 200_000),
    "numbers": "".join(f"{number} -{number}.{number}e9 " for number in range(20_000)),
    "tags": numbered(RARE, "<{0}>&{0}; ", 200_000),
    "one word": "𠀀" * 200_000,
    "nothing but emoji": "👨‍👩‍👧‍👦" * 30_000,
    "one line end after another": "\n" * 200_000,
    "apostrophes": "' \\ \" : & | ! ( ) * <-> " * 9_000,
}  # fmt: skip


@pytest.mark.parametrize("text", LONGEST_ANSWERS.values(), ids=LONGEST_ANSWERS)
def test_the_longest_answer_can_be_kept_whatever_it_is(owner: Owner, text: str) -> None:
    """A tsvector holds 1 MB at most; no text may fail because it cannot be searched."""
    text = text[:200_000]
    asked = factories.ended(factories.begun(owner), text)

    assert messages.find(owner, asked.conversation_id, asked.answer).content == text
