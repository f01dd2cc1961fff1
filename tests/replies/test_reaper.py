"""A process says that it lives, and ends the answers of those that do not."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from chatweb.models import Process, ReplyPiece
from chatweb.replies import scribe as scribes
from chatweb.services import answers
from chatweb.services.asking import Asked
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece
from tests import factories
from tests.replies.statements import Statements
from tests.replies.writing import PATIENCE, Clock, Outage, Writing, row
from tests.servers import wait_until


def looks(statements: Statements) -> list[str]:
    """For answers of dead processes."""
    return statements.with_words("SELECT", "process.heartbeat")


def pass_time(clock: Clock, statements: Statements, seconds: float) -> None:
    """Little by little: a process that has not beaten for long is unsteady too."""
    for _ in range(int(seconds * 2)):
        statements.forget()
        clock.now += 0.5
        wait_until(lambda: looks(statements), seconds=PATIENCE)


class TestTheHeart:
    def test_beats_while_an_answer_is_written(self, here: Writing, statements: Statements) -> None:
        here.answer()
        statements.forget()

        wait_until(lambda: len(statements.with_words("INSERT INTO process")) > 3, seconds=PATIENCE)

    def test_rests_in_a_process_that_has_nothing_to_do(
        self, here: Writing, statements: Statements, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scribes, "AWAKE", 0.0)
        statements.forget()

        wait_until(lambda: len(looks(statements)) > 10, seconds=PATIENCE)

        assert not statements.with_words("INSERT INTO process")

    def test_beats_before_an_answer_is_entrusted(self, here: Writing) -> None:
        factories.silence(here.process_id)

        here.scribe.be_alive()

        (process,) = factories.rows(Process)
        assert answers.orphans(UUID(int=0)) == []
        assert process.id == here.process_id


class TestTheReaper:
    @pytest.fixture
    def orphan(self, owner: Owner, other_process: UUID) -> Asked:
        """An answer whose process has died, and the piece that was kept of it."""
        asked = factories.begun(owner, process_id=other_process)
        piece = Piece(asked.answer_id, 0, "As far as it came")
        answers.keep(other_process, [piece], [], heartbeat=False)
        factories.silence(other_process)
        return asked

    @pytest.mark.usefixtures("steady")
    def test_ends_what_a_dead_process_left(self, orphan: Asked, here: Writing) -> None:
        wait_until(lambda: row(orphan).status == "interrupted", seconds=PATIENCE)

        assert row(orphan).content == "As far as it came"
        assert factories.rows(ReplyPiece) == []

    @pytest.mark.usefixtures("steady")
    def test_does_not_rest_while_many_are_left(
        self, owner: Owner, other_process: UUID, here: Writing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scribes, "PORTION", 1)
        left = [factories.begun(owner, process_id=other_process) for _ in range(4)]
        factories.silence(other_process)
        wait_until(lambda: any(row(each).status != "streaming" for each in left), seconds=PATIENCE)

        monkeypatch.setattr(scribes, "REAP", 3600.0)

        for each in left:
            wait_until(lambda each=each: row(each).status == "interrupted", seconds=PATIENCE)

    @pytest.mark.usefixtures("steady")
    def test_ends_what_is_said_to_be_its_own_and_is_not(self, here: Writing, owner: Owner) -> None:
        """The commit that was taken for failed."""
        asked = factories.begun(owner, process_id=here.process_id)

        wait_until(lambda: row(asked).status == "interrupted", seconds=PATIENCE)

    @pytest.mark.usefixtures("steady")
    def test_leaves_its_own_and_those_of_the_living(
        self, here: Writing, owner: Owner, other_process: UUID, statements: Statements
    ) -> None:
        mine, _ = here.answer()
        theirs = factories.begun(owner, process_id=other_process)
        statements.forget()

        wait_until(lambda: len(looks(statements)) > 5, seconds=PATIENCE)

        assert row(mine).status == row(theirs).status == "streaming"

    @pytest.mark.usefixtures("steady")
    def test_ends_nothing_that_was_seen_once_only(
        self, here: Writing, owner: Owner, statements: Statements
    ) -> None:
        for _ in range(10):
            statements.forget()
            asked = factories.begun(owner, process_id=here.process_id)
            wait_until(lambda asked=asked: row(asked).status != "streaming", seconds=PATIENCE)
            assert len(looks(statements)) >= 2

    @pytest.mark.usefixtures("unsteady")
    def test_judges_nobody_while_it_is_unsteady_itself(
        self, orphan: Asked, here: Writing, statements: Statements
    ) -> None:
        wait_until(lambda: len(looks(statements)) > 10, seconds=PATIENCE)

        assert row(orphan).status == "streaming"

    def test_judges_nobody_right_after_an_outage(
        self, clock: Clock, here: Writing, owner: Owner, outage: Outage, statements: Statements,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        """Nobody's heart could beat meanwhile, and the others may be back a moment later."""
        here.answer()
        here.scribe.be_alive()
        pass_time(clock, statements, answers.QUIET + 1)
        with outage():
            clock.now += 0.1
            wait_until(lambda: "could not be kept" in caplog.text, seconds=PATIENCE)
        clock.now += 0.1
        here.scribe.be_alive()
        theirs = factories.begun(owner)
        assert theirs.process_id
        factories.silence(theirs.process_id)

        pass_time(clock, statements, answers.QUIET - 1)
        assert row(theirs).status == "streaming"
        pass_time(clock, statements, 2)
        assert row(theirs).status == "interrupted"

    def test_gives_its_own_threads_time_to_say_what_is_theirs(
        self, clock: Clock, here: Writing, owner: Owner, statements: Statements
    ) -> None:
        """On a busy machine a second or two may pass between a commit and what follows it."""
        here.answer()
        here.scribe.be_alive()
        pass_time(clock, statements, answers.QUIET + 1)
        asked = factories.begun(owner, process_id=here.process_id)

        pass_time(clock, statements, answers.QUIET - 1)
        assert row(asked).status == "streaming"
        pass_time(clock, statements, 2.5)
        assert row(asked).status == "interrupted"

    @pytest.mark.usefixtures("unsteady")
    def test_needs_not_judge_one_that_signed_off(
        self, here: Writing, owner: Owner, other_process: UUID
    ) -> None:
        asked = factories.begun(owner, process_id=other_process)
        answers.retire(other_process)

        wait_until(lambda: row(asked).status == "interrupted", seconds=PATIENCE)

    @pytest.mark.usefixtures("steady")
    def test_stumbles_over_an_outage_and_goes_on(
        self, orphan: Asked, outage: Outage, here: Writing
    ) -> None:
        with outage():
            pass

        wait_until(lambda: row(orphan).status == "interrupted", seconds=PATIENCE)


def test_those_that_look_at_the_same_moment_begin_at_different_places() -> None:
    dead = dict.fromkeys(range(1000), uuid4())

    shares = [scribes.share(dead, uuid4()) for _ in range(20)]

    assert {len(each) for each in shares} == {scribes.PORTION}
    assert len({min(each) for each in shares}) > 1
    assert set(scribes.share(dict.fromkeys([1, 2], uuid4()), uuid4())) == {1, 2}
