"""Readers' connections: what is written to them, whenever they come and however they read."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from chatweb.replies import delivery as deliveries
from chatweb.replies import readers
from chatweb.replies.delivery import Delivery
from chatweb.replies.feeds import Feeds
from chatweb.replies.live import LiveText
from chatweb.replies.lookout import Lookout
from chatweb.replies.loop import Loop
from chatweb.services.errors import Unavailable
from tests.replies.writing import PATIENCE
from tests.servers import wait_until

ANSWER = 7


class Plain:
    """Tells a text as it is, and counts how often it was asked to."""

    format = "plain"
    sign_of_life = ":"

    def __init__(self, gone: Exception | None = None) -> None:
        self.updates = 0
        self.resting = threading.Event()
        self.resting.set()
        self._told = ""
        self._gone = gone

    def update(self, text: str) -> str:
        self.updates += 1
        new, self._told = text[len(self._told) :], text
        return new

    def catch_up(self, after: int | None) -> str:
        return f"<{self._told[after or 0 :]}>"

    def finish(self, text: str) -> str:
        return self.update(text)

    def rest(self) -> str:
        self.resting.wait(PATIENCE)
        if self._gone:
            raise self._gone
        return "|end"

    def event(self, change: str) -> str:
        return change

    def last_event(self, change: str, rest: str) -> str:
        return change + rest


class Reader:
    """The other end of a connection that was handed over."""

    def __init__(self, delivery: Delivery, telling: Plain, after: int | None = None) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(PATIENCE)
        delivery.add(ANSWER, telling, after, theirs)
        self.got = ""

    def read(self, words: str) -> None:
        """Read until ``words`` are the end of what has come."""
        while not self.got.endswith(words):
            self.got += self._chunk()

    def rest(self) -> str:
        """Everything until the connection ends."""
        while chunk := self._chunk():
            self.got += chunk
        return self.got

    def is_cut_off(self) -> bool:
        """Whether the connection ends in the midst of something."""
        received = b""
        try:
            while data := self.socket.recv(1 << 20):
                received += data
        except ConnectionError:
            return True
        return not received.endswith(deliveries.LAST_CHUNK)

    def _chunk(self) -> str:
        size = b""
        while not size.endswith(b"\r\n"):
            if not (byte := self.socket.recv(1)):
                return ""
            size += byte
        data = b""
        while len(data) < int(size, 16) + 2:
            data += self.socket.recv(int(size, 16) + 2 - len(data))
        return data[:-2].decode()


@pytest.fixture
def live() -> LiveText:
    return LiveText(ANSWER)


@pytest.fixture
def watched() -> list[int]:
    """Answers that are being watched."""
    return []


@pytest.fixture
def delivery(live: LiveText, watched: list[int]) -> Iterator[Delivery]:
    @contextmanager
    def watching(answer_id: int) -> Iterator[LiveText]:
        watched.append(answer_id)
        yield live
        watched.remove(answer_id)

    loop = Loop()
    finisher = ThreadPoolExecutor(1)

    def render(function: Callable[..., str], *args: Any) -> asyncio.Future[str]:
        return asyncio.get_running_loop().run_in_executor(finisher, function, *args)

    feeds = Feeds(loop, Lookout(lambda: None), render, processes=1)
    delivery = Delivery(loop, watching, feeds, render)
    yield delivery
    delivery.close()
    finisher.shutdown()
    loop.close()


def test_a_reader_gets_what_comes_and_the_end(delivery: Delivery, live: LiveText) -> None:
    reader = Reader(delivery, Plain())
    live.append("one")
    reader.read("one>")
    live.append(" two")
    reader.read(" two")
    live.finish()

    assert reader.rest() == "<one> two|end"


def test_one_who_comes_later_gets_what_is_missing(delivery: Delivery, live: LiveText) -> None:
    telling = Plain()
    first = Reader(delivery, telling)
    live.append("one two")
    first.read("two>")

    second = Reader(delivery, telling, after=4)
    second.read("<two>")
    live.append(" three")
    live.finish()

    assert second.rest() == "<two> three|end"
    assert first.rest() == "<one two> three|end"


def test_one_who_has_seen_further_waits(delivery: Delivery, live: LiveText) -> None:
    telling = Plain()
    first, second = Reader(delivery, telling), Reader(delivery, telling, after=4)
    live.append("one")
    first.read("one>")
    live.append(" two")
    live.finish()

    assert second.rest() == "<two>|end"


def test_one_who_comes_at_the_end_gets_the_last_words_once(
    delivery: Delivery, live: LiveText
) -> None:
    telling = Plain()
    first = Reader(delivery, telling)
    live.append("one")
    first.read("one>")
    telling.resting.clear()
    live.append(" two")
    live.finish()

    second = Reader(delivery, telling)
    delivery._loop.run(asyncio.sleep(0.2), PATIENCE)
    telling.resting.set()

    assert second.rest() == "<one two>|end"
    assert first.rest() == "<one> two|end"


def test_one_who_never_takes_what_was_written_is_let_go(
    delivery: Delivery, live: LiveText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LEAVING", 0.1)
    reader = Reader(delivery, Plain())
    live.append("x" * 900_000)
    live.finish()
    delivery._loop.run(asyncio.sleep(0.5), PATIENCE)

    assert reader.is_cut_off()


def test_a_text_that_is_shorter_than_what_was_seen_is_told_at_the_end(
    delivery: Delivery, live: LiveText
) -> None:
    reader = Reader(delivery, Plain(), after=100)
    live.append("one")
    live.finish()

    assert reader.rest() == "<>|end"


def test_many_readers_cost_one_telling(delivery: Delivery, live: LiveText) -> None:
    telling = Plain()
    readers = [Reader(delivery, telling) for _ in range(50)]
    live.append("one")
    for reader in readers:
        reader.read("one>")
    told = telling.updates
    live.append(" two")
    for reader in readers:
        reader.read(" two")

    assert (told, telling.updates) == (1, 2)


def test_an_answer_is_watched_while_somebody_reads(
    delivery: Delivery, live: LiveText, watched: list[int]
) -> None:
    telling = Plain()
    readers = [Reader(delivery, telling) for _ in range(2)]
    live.append("one")
    for reader in readers:
        reader.read("one>")
    assert watched == [ANSWER]

    readers[0].socket.close()
    readers[1].socket.close()

    wait_until(lambda: watched == [], seconds=PATIENCE)


def test_it_is_not_watched_for_one_who_left_before(
    delivery: Delivery, watched: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    came = threading.Event()

    async def connect(reader: readers.Reader, connection: socket.socket) -> bool:
        connection.close()
        came.set()
        return False

    monkeypatch.setattr(readers.Reader, "connect", connect)

    Reader(delivery, Plain())

    assert came.wait(PATIENCE)
    wait_until(lambda: watched == [], seconds=PATIENCE)


def test_one_who_does_not_read_is_cut_off_and_holds_nobody_up(
    delivery: Delivery, live: LiveText
) -> None:
    telling = Plain()
    idle, eager = Reader(delivery, telling), Reader(delivery, telling)
    for number in range(1, 9):
        live.append("x" * 400_000)
        while eager.got.count("x") < number * 400_000:
            eager.got += eager._chunk()
    live.finish()

    assert eager.rest().endswith("|end")
    assert idle.is_cut_off()


def test_silence_is_broken_by_signs_of_life(
    delivery: Delivery, live: LiveText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "HEARTBEAT", 0.0)
    reader = Reader(delivery, Plain())

    reader.read("::")


@pytest.mark.parametrize(
    ("gone", "level"), [(Unavailable("away"), "WARNING"), (OSError(), "ERROR")]
)
def test_without_the_database_the_connection_ends_before_the_answer(
    delivery: Delivery, live: LiveText, watched: list[int], gone: Exception, level: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    reader = Reader(delivery, Plain(gone))
    live.append("one")
    live.finish()

    assert not reader.rest().endswith("|end")
    wait_until(lambda: watched == [], seconds=PATIENCE)
    assert [record.levelname for record in caplog.records] == [level]


def test_closing_tells_the_ends_and_lets_the_others_go(
    delivery: Delivery, live: LiveText, watched: list[int]
) -> None:
    reader = Reader(delivery, Plain())
    live.append("one")
    reader.read("one>")

    delivery.close()

    assert reader.rest() == "<one>"
    assert watched == []


def test_a_reader_who_comes_while_it_closes_is_let_go(delivery: Delivery) -> None:
    delivery.close()

    assert Reader(delivery, Plain()).rest() == ""


def test_readers_cost_no_threads(delivery: Delivery, live: LiveText) -> None:
    telling = Plain()
    Reader(delivery, telling)
    live.append("one")
    before = threading.active_count()

    readers = [Reader(delivery, telling) for _ in range(100)]
    for reader in readers:
        reader.read("one>")

    assert threading.active_count() == before
