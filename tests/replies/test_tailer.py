"""The tailer: mirrors of answers that other processes write, as long as somebody watches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask

from chatweb.replies import tailer as tailers
from chatweb.replies.live import LiveText
from chatweb.replies.tailer import Tailer
from chatweb.services import answers
from chatweb.services.asking import Asked
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece
from tests import factories
from tests.replies.statements import Statements
from tests.replies.writing import PATIENCE, Outage, remove
from tests.servers import wait_until


@pytest.fixture
def tailer(context: None, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tailer]:
    for name in ("TICK", "EAGER_TICK"):
        monkeypatch.setattr(tailers, name, 0.02)
    tailer = Tailer(app)
    yield tailer
    tailer.close()


@pytest.fixture
def asked(owner: Owner, other_process: UUID) -> Asked:
    """A question whose answer another process writes."""
    return factories.begun(owner, process_id=other_process)


def write(asked: Asked, text: str, offset: int = 0) -> None:
    """What the other process does."""
    assert asked.process_id
    answers.keep(
        asked.process_id, [Piece(asked.answer_id, offset, text)], [], heartbeat=False
    )  # fmt: skip


def shows(mirror: LiveText, text: str) -> None:
    wait_until(lambda: mirror.text() == text, seconds=PATIENCE)


def looks(statements: Statements) -> list[str]:
    return statements.with_words("SELECT", "reply_piece")


def test_a_mirror_follows_an_answer_to_its_end(tailer: Tailer, asked: Asked) -> None:
    with tailer.watching(asked.answer_id) as mirror:
        write(asked, "Once ")
        shows(mirror, "Once ")
        write(asked, "upon 😀", 5)
        shows(mirror, "Once upon 😀")
        assert not mirror.over.is_set()

        factories.ended(asked, "Once upon 😀 a time")

        assert mirror.over.wait(PATIENCE)
        assert mirror.text() == "Once upon 😀 a time"


def test_a_mirror_begins_with_all_there_is(tailer: Tailer, asked: Asked) -> None:
    write(asked, "Once ")
    write(asked, "upon ", 5)

    with tailer.watching(asked.answer_id) as mirror:
        shows(mirror, "Once upon ")
        assert mirror.begun.is_set()


def test_an_answer_that_has_ended_is_mirrored_whole(tailer: Tailer, owner: Owner) -> None:
    asked = factories.answered(owner, answer="All of it")

    with tailer.watching(asked.answer_id) as mirror:
        assert mirror.over.wait(PATIENCE)
        assert mirror.text() == "All of it"


def test_a_piece_that_was_written_again_longer_is_not_lost(tailer: Tailer, asked: Asked) -> None:
    """The commit of the first one was taken for failed."""
    with tailer.watching(asked.answer_id) as mirror:
        write(asked, "Once")
        shows(mirror, "Once")

        write(asked, "Once upon")
        write(asked, " a time", 9)

        shows(mirror, "Once upon a time")


@pytest.mark.parametrize("end", ["Once", ""])
def test_an_end_that_is_shorter_than_what_was_seen_counts(
    tailer: Tailer, asked: Asked, end: str
) -> None:
    with tailer.watching(asked.answer_id) as mirror:
        write(asked, "Once upon a time")
        shows(mirror, "Once upon a time")

        factories.ended(asked, end, "stopped")

        assert mirror.over.wait(PATIENCE)
        assert mirror.text() == end


def test_an_answer_that_is_removed_is_over(tailer: Tailer, asked: Asked) -> None:
    with tailer.watching(asked.answer_id) as mirror:
        write(asked, "Once")
        shows(mirror, "Once")

        remove(asked)

        assert mirror.over.wait(PATIENCE)


def test_it_goes_on_after_an_outage(
    tailer: Tailer, asked: Asked, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    with tailer.watching(asked.answer_id) as mirror:
        write(asked, "Once")
        shows(mirror, "Once")

        with outage():
            wait_until(lambda: "cannot be followed" in caplog.text, seconds=PATIENCE)
        write(asked, " upon", 4)

        shows(mirror, "Once upon")


def test_many_are_followed_with_one_query_a_tick(
    tailer: Tailer, owner: Owner, other_process: UUID, statements: Statements
) -> None:
    many = [factories.begun(owner, process_id=other_process) for _ in range(20)]
    threads = [
        threading.Thread(target=watch_to_the_end, args=(tailer, each.answer_id)) for each in many
    ]
    for thread in threads:
        thread.start()
    wait_until(
        lambda: any(
            all(str(each.answer_id) in values for each in many) for values in looks(statements)
        ),
        seconds=PATIENCE,
    )

    for each in many:
        factories.ended(each)
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def watch_to_the_end(tailer: Tailer, answer_id: int) -> None:
    with tailer.watching(answer_id) as mirror:
        mirror.over.wait(PATIENCE)


class TestWatching:
    def test_by_several_is_one_mirror(self, tailer: Tailer, asked: Asked) -> None:
        with tailer.watching(asked.answer_id) as first:
            with tailer.watching(asked.answer_id) as second:
                assert first is second

            write(asked, "Still followed")
            shows(first, "Still followed")

    def test_by_nobody_asks_nothing(
        self, tailer: Tailer, asked: Asked, statements: Statements
    ) -> None:
        with tailer.watching(asked.answer_id):
            wait_until(lambda: looks(statements), seconds=PATIENCE)

        def quiet() -> bool:
            statements.forget()
            threading.Event().wait(0.2)
            return not looks(statements)

        wait_until(quiet, seconds=PATIENCE)  # a look may be under way

    def test_again_begins_anew(self, tailer: Tailer, asked: Asked) -> None:
        with tailer.watching(asked.answer_id) as first:
            write(asked, "Once")
            shows(first, "Once")
        write(asked, " upon", 4)

        with tailer.watching(asked.answer_id) as second:
            shows(second, "Once upon")
        assert first.text() == "Once"

    def test_of_an_ended_answer_asks_nothing_more(
        self, tailer: Tailer, owner: Owner, statements: Statements
    ) -> None:
        asked = factories.answered(owner)

        with tailer.watching(asked.answer_id) as mirror:
            assert mirror.over.wait(PATIENCE)
            statements.forget()
            threading.Event().wait(0.2)
            assert looks(statements) == []
