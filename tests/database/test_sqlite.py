"""SQLite: a file that others can lock, take away, replace, fill and damage."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import event, insert, text

from chatweb.database import db, reading, sqlite, writing
from chatweb.database.failures import Unavailable
from chatweb.database.sqlite import driver
from chatweb.models import Message, Process, User
from chatweb.services import answers, conversations
from chatweb.services.owners import Owner
from tests import factories, servers
from tests.locks import held

pytestmark = pytest.mark.usefixtures("sqlite_app")


@contextmanager
def as_nobody() -> Iterator[None]:
    """For root may write everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def failing(call: Callable[[], Any]) -> str:
    """The kind of failure of a call, which comes in the time a person waits."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        call()
    assert time.monotonic() - started < 3.5
    return caught.value.kind


def beat() -> None:
    answers.beat(uuid4())


def everything() -> list[Any]:
    return [factories.rows(User), factories.rows(Message)]


def pragma(name: str) -> Any:
    with reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


class TestAConnection:
    def test_waits_for_the_disk_and_keeps_its_constraints(self) -> None:
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1
        assert pragma("mmap_size") in (0, None)

    def test_uses_the_journal_that_is_safe_with_this_version(self) -> None:
        assert driver.sqlite_version_info >= (3, 51, 3)
        assert pragma("journal_mode") == "wal"


class TestTheLock:
    def test_is_taken_before_the_first_statement_of_a_write(self, file: Path) -> None:
        with writing():
            other = driver.connect(file, timeout=0, isolation_level=None)
            with pytest.raises(driver.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            other.close()

    def test_is_not_taken_by_a_read(self, file: Path) -> None:
        with reading() as connection:
            connection.execute(text("SELECT * FROM user")).all()
            other = driver.connect(file, timeout=0, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
            other.close()

    def test_of_another_process_is_waited_for(self, file: Path) -> None:
        with held(file, "BEGIN IMMEDIATE") as let_go:
            timer = threading.Timer(0.3, let_go)
            timer.start()
            beat()
            timer.join()

        assert len(factories.rows(Process)) == 1

    def test_of_another_writer_does_not_keep_readers_away(self, owner: Owner, file: Path) -> None:
        asked = factories.answered(owner)

        with held(file, "BEGIN IMMEDIATE"):
            assert conversations.find(owner, asked.conversation_id).message_count == 2

    def test_that_stays_makes_writers_busy(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite, "WRITE_PATIENCE", 0.2)
        with held(file, "BEGIN IMMEDIATE") as let_go:
            assert failing(beat) == "busy"
            let_go()
            servers.wait_until(lambda: beat() is None, seconds=5)

    def test_that_keeps_readers_away_too_makes_them_busy_in_time(self, file: Path) -> None:
        with held(file, "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE"):
            assert failing(everything) == "busy"

        assert everything() == [[], []]

    def test_of_another_thread_is_waited_for(self, sqlite_app: Flask) -> None:
        began = threading.Event()

        def write_slowly() -> None:
            with sqlite_app.app_context(), writing() as connection:
                began.set()
                time.sleep(0.2)
                connection.execute(insert(Process), {"id": uuid4(), "heartbeat": 0.0})
                connection.commit()

        thread = threading.Thread(target=write_slowly)
        thread.start()
        began.wait(5)
        beat()
        thread.join()

        assert len(factories.rows(Process)) == 2

    def test_of_another_thread_that_stays_makes_busy(
        self, sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite, "WRITE_PATIENCE", 0.2)
        began, over = threading.Event(), threading.Event()

        def write_for_ever() -> None:
            with sqlite_app.app_context(), writing():
                began.set()
                over.wait(10)

        thread = threading.Thread(target=write_for_ever)
        thread.start()
        began.wait(5)
        try:
            assert failing(beat) == "busy"
        finally:
            over.set()
            thread.join()
        beat()

    def test_is_given_back_when_a_write_cannot_begin(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite, "WRITE_PATIENCE", 0.1)
        with held(file, "BEGIN IMMEDIATE"):
            failing(beat)

        assert not sqlite.turn.locked()


class TestAFileThatIsGone:
    def test_never_comes_back_empty(self, owner: Owner, file: Path, sqlite_app: Flask) -> None:
        factories.answered(owner)
        file.unlink()

        for call in (beat, everything, beat):
            assert failing(call) == "away"
        assert sqlite_app.extensions["look"]().status == "fail"
        db.engine.dispose()
        assert failing(beat) == "away"
        assert not file.exists()

    def test_is_missed_by_a_connection_that_was_open(self, file: Path) -> None:
        with reading():
            file.unlink()
            assert failing(beat) == "away"

    def test_is_used_again_when_it_is_back(self, owner: Owner, file: Path) -> None:
        factories.answered(owner)
        before = everything()
        moved = file.with_suffix(".moved")
        file.rename(moved)
        assert failing(everything) == "away"

        moved.rename(file)

        assert everything() == before
        beat()

    def test_takes_its_folder_with_it(self, file: Path) -> None:
        beat()
        folder = file.parent.rename(file.parent.with_suffix(".moved"))
        try:
            assert failing(beat) == failing(everything) == "away"
            assert not file.parent.exists()
        finally:
            folder.rename(file.parent)
        beat()


class TestAFileThatWasReplaced:
    def test_is_the_one_that_is_read_and_written(self, owner: Owner, file: Path) -> None:
        pragma("journal_mode=delete")  # a WAL that is left behind belongs to the new file as well
        copy = file.with_suffix(".copy")
        shutil.copy(file, copy)
        factories.answered(owner)

        copy.replace(file)

        assert everything() == [[], []]
        beat()
        other = driver.connect(file)
        assert other.execute("SELECT count(*) FROM process").fetchone() == (1,)
        other.close()

    def test_by_an_empty_one_says_that_it_is_not_set_up(
        self, file: Path, sqlite_app: Flask
    ) -> None:
        beat()
        file.rename(file.with_suffix(".old"))
        file.touch()

        assert failing(everything) == failing(beat) == "schema"
        assert "flask db upgrade" in sqlite_app.extensions["look"]().reason

    def test_by_something_else_says_that_it_is_damaged(self, file: Path, sqlite_app: Flask) -> None:
        other = file.with_suffix(".other")
        other.write_bytes(os.urandom(8192))
        other.replace(file)

        assert failing(everything) == failing(beat) == "damaged"
        assert sqlite_app.extensions["look"]().status == "fail"


class TestAFileThatMayOnlyBeRead:
    @pytest.fixture(autouse=True)
    def written(self, sqlite_app: Flask, owner: Owner, file: Path) -> Iterator[None]:
        factories.answered(owner)
        everything()
        db.engine.dispose()
        file.parent.chmod(0o777)
        file.chmod(0o444)
        with as_nobody():
            yield
        file.parent.chmod(0o700)

    def test_is_read(self) -> None:
        assert [len(rows) for rows in everything()] == [1, 2]

    def test_refuses_writes(self) -> None:
        assert failing(beat) == "read_only"

    def test_is_a_warning(self, sqlite_app: Flask) -> None:
        found = sqlite_app.extensions["look"]()

        assert (found.status, found.reason) == ("warn", str(Unavailable("read_only")))

    def test_is_written_again_when_it_may_be(self, file: Path) -> None:
        failing(beat)
        if os.getuid() == 0:
            os.seteuid(0)
        for each in file.parent.glob(f"{file.name}*"):
            each.chmod(0o666)
        if os.getuid() == 0:
            os.seteuid(65534)

        db.engine.dispose()
        beat()


class TestAFullDisk:
    @pytest.fixture
    def room(self) -> Iterator[list[int]]:
        """How many pages the file may grow by; change it at will."""
        room = [0]

        def limit(connection: driver.Connection, *_: Any) -> None:
            (now,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count={now + room[0]}")

        event.listen(db.engine, "checkout", limit)
        yield room
        event.remove(db.engine, "checkout", limit)

    def test_refuses_what_does_not_fit_and_keeps_the_rest(
        self, owner: Owner, room: list[int]
    ) -> None:
        room[0] = 1000
        factories.answered(owner)
        before = everything()
        room[0] = 0

        assert failing(lambda: factories.begun(owner, "long " * 6000)) == "full"

        assert everything() == before
        assert pragma("integrity_check") == "ok"
        room[0] = 1000
        factories.begun(owner, "long " * 6000)
        assert len(factories.rows(Message)) == 4


def test_a_damaged_page_is_told_and_not_hidden(owner: Owner, file: Path) -> None:
    factories.conversations(owner, 5, messages=200)
    db.engine.dispose()
    size = file.stat().st_size
    with file.open("r+b") as opened:
        for page in range(4096, size, 4096):
            opened.seek(page)
            opened.write(b"\xff" * 64)

    assert failing(everything) == "damaged"


def test_a_path_with_any_letters_is_opened(
    make_app: Callable[..., Flask], file: Path, tmp_path: Path
) -> None:
    for name in ("with space", "ä€😀", "q?x%20#y", "a'b\"c", "semi;colon&and=is"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(file, folder / "chat.db")

        app = make_app(DATA_DIR=str(folder))

        with app.app_context():
            beat()
            assert len(factories.rows(Process)) == 1
