"""The scribe keeps what live answers gain, and ends them once."""

from __future__ import annotations

import itertools

import pytest

from chatweb.models import Process, ReplyPiece
from chatweb.replies import scribe as scribes
from chatweb.replies.live import End, LiveText
from chatweb.services import answers
from chatweb.services.asking import Asked
from chatweb.services.owners import Owner
from tests import factories
from tests.replies.statements import Statements
from tests.replies.writing import PATIENCE, Outage, TextOf, Writing, remove, row
from tests.servers import wait_until


class TestKeeping:
    def test_follows_a_text_as_it_grows(self, here: Writing, text_of: TextOf) -> None:
        asked, live = here.answer()
        for text in ("Once ", "upon 😀 ", "a time"):
            live.append(text)
            wait_until(lambda: text_of(asked.answer_id) == live.text(), seconds=PATIENCE)

        assert len(factories.rows(ReplyPiece)) == 3
        assert row(asked).status == "streaming"

    def test_is_one_transaction_a_tick_whatever_the_number_of_answers(
        self, here: Writing, statements: Statements, text_of: TextOf
    ) -> None:
        many = [here.answer() for _ in range(30)]
        statements.forget()

        for _, live in many:
            live.append("text")
        for asked, _ in many:
            wait_until(lambda asked=asked: text_of(asked.answer_id) == "text", seconds=PATIENCE)

        # More than one where ticks came in the midst of the 30 lines above.
        assert len(statements.with_words("INSERT INTO reply_piece")) < 10

    def test_writes_nothing_when_nothing_was_gained(
        self, here: Writing, statements: Statements, text_of: TextOf
    ) -> None:
        asked, live = here.answer()
        live.append("text")
        wait_until(lambda: text_of(asked.answer_id) == "text", seconds=PATIENCE)
        statements.forget()

        wait_until(lambda: len(statements.with_words("stop_at")) > 5, seconds=PATIENCE)

        assert not statements.with_words("INSERT INTO reply_piece")

    def test_goes_on_after_an_outage_without_a_gap(
        self, here: Writing, outage: Outage, text_of: TextOf, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked, live = here.answer()
        live.append("before ")
        wait_until(lambda: text_of(asked.answer_id) == "before ", seconds=PATIENCE)

        with outage():
            live.append("meanwhile ")
            wait_until(lambda: "could not be kept" in caplog.text, seconds=PATIENCE)
            live.append("still ")
        live.append("after")

        wait_until(lambda: text_of(asked.answer_id) == live.text(), seconds=PATIENCE)
        assert here.scribe.find(asked.answer_id) is live

    def test_ends_with_what_was_there(self, here: Writing, text_of: TextOf) -> None:
        asked, live = here.answer()
        live.append("as far as it came")

        here.scribe.close()

        assert text_of(asked.answer_id) == "as far as it came"
        assert {row.id for row in factories.rows(Process)} == {here.process_id}

    def test_leaves_no_process_behind_that_has_no_answers(self, here: Writing) -> None:
        _, live = here.answer()
        here.end(live)

        here.scribe.close()

        assert factories.rows(Process) == []


class TestTheEnd:
    def test_is_told_when_it_is_kept(self, here: Writing) -> None:
        asked, live = here.answer()
        live.append("All of it")

        here.end(live, "complete", model="test")

        ended = row(asked)
        assert (ended.status, ended.content) == ("complete", "All of it")
        assert ended.metadata == {"model": "test"}
        assert factories.rows(ReplyPiece) == []
        assert here.scribe.find(asked.answer_id) is None

    def test_waits_for_the_database(
        self, here: Writing, outage: Outage, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked, live = here.answer()
        live.append("All of it")

        with outage():
            live.end = End("complete")
            here.scribe.wake()
            wait_until(lambda: "could not be kept" in caplog.text, seconds=PATIENCE)
            assert not live.over.is_set()

        assert live.over.wait(PATIENCE)
        assert (row(asked).status, row(asked).content) == ("complete", "All of it")

    @pytest.mark.parametrize(("seen", "kept"), [(0, ""), (7, "All of "), (99, "All of it")])
    def test_of_a_stopped_answer_is_what_its_reader_saw(
        self, here: Writing, seen: int, kept: str
    ) -> None:
        asked, live = here.answer()
        live.append("All of it")
        live.seen_by_stopper = seen

        here.end(live, "stopped")

        assert (row(asked).content, live.text()) == (kept, kept)

    def test_that_came_second_gives_readers_the_first(self, here: Writing) -> None:
        asked, live = here.answer()
        live.append("Ours")
        factories.ended(asked, "Theirs", "interrupted")

        here.end(live)

        assert (row(asked).status, row(asked).content) == ("interrupted", "Theirs")
        assert live.text() == "Theirs"
        assert factories.rows(ReplyPiece) == []


class TestAnAnswerThatIsOverElsewhere:
    """This process was quiet, and another one took it for dead."""

    def gained(self, here: Writing, text_of: TextOf) -> tuple[Asked, LiveText]:
        asked, live = here.answer()
        live.append("As far as it came")
        wait_until(lambda: text_of(asked.answer_id) == live.text(), seconds=PATIENCE)
        return asked, live

    @pytest.mark.usefixtures("steady")
    def test_is_let_go_at_its_next_word(self, here: Writing, text_of: TextOf) -> None:
        asked, live = self.gained(here, text_of)
        answers.interrupt(factories.left(asked))

        live.append(", and more")

        assert live.over.wait(PATIENCE)
        assert live.text() == row(asked).content == "As far as it came"
        assert here.stopped == [(asked.answer_id, 0)]
        assert here.scribe.find(asked.answer_id) is None
        assert factories.rows(ReplyPiece) == []

    @pytest.mark.usefixtures("unsteady")
    def test_is_let_go_in_silence_while_the_process_is_unsteady(
        self, here: Writing, text_of: TextOf
    ) -> None:
        asked, live = self.gained(here, text_of)

        answers.interrupt(factories.left(asked))

        assert live.over.wait(PATIENCE)
        assert live.text() == row(asked).content == "As far as it came"
        assert here.stopped == [(asked.answer_id, 0)]

    def test_may_be_gone_altogether_and_the_others_go_on(
        self, here: Writing, text_of: TextOf
    ) -> None:
        gone, live = self.gained(here, text_of)
        other, other_live = here.answer()
        remove(gone)

        live.append("a word for nobody")
        other_live.append("a word for somebody")

        assert live.over.wait(PATIENCE)
        assert here.stopped == [(gone.answer_id, 0)]
        wait_until(lambda: text_of(other.answer_id) == "a word for somebody", seconds=PATIENCE)
        here.end(other_live)


def test_a_stop_that_another_process_was_asked_for_reaches_the_engine(
    here: Writing, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "BEAT", 3600.0)  # with a beat it would be seen anyway
    asked, _ = here.answer()
    other, other_live = here.answer()

    answers.request_stop(owner, asked.conversation_id, asked.answer, 7)

    wait_until(lambda: here.stopped, seconds=PATIENCE)
    assert set(here.stopped) == {(asked.answer_id, 7)}
    assert here.scribe.find(other.answer_id) is other_live


def test_many_answers_at_once_end_as_they_were(here: Writing, text_of: TextOf) -> None:
    many = [here.answer() for _ in range(20)]
    for number, (_, live) in itertools.product(range(5), many):
        live.append(f"{live.answer_id}/{number} ")
    for _, live in many:
        live.end = End("complete")
    here.scribe.wake()
    here.scribe.wait_for_ends(PATIENCE)

    for asked, live in many:
        assert live.over.is_set()
        assert row(asked).content == "".join(f"{asked.answer_id}/{n} " for n in range(5))


def test_what_is_over_is_forgotten_now_and_then(
    here: Writing, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "FORGET", 0.05)

    wait_until(
        lambda: len(statements.with_words("DELETE FROM question_count")) > 2, seconds=PATIENCE
    )
