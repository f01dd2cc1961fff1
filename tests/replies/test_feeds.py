"""Feeds: each page is told its own news, in order, through one connection."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from chatweb.replies import feeds as module
from chatweb.replies.feeds import Feeds
from chatweb.replies.lookout import Hears
from chatweb.replies.loop import Loop
from chatweb.replies.readers import LAST_CHUNK
from chatweb.services.errors import Unavailable
from tests.replies.writing import PATIENCE
from tests.servers import wait_until

ME = uuid4()
TALK, OTHER = uuid4(), uuid4()


class Watchers:
    """A lookout that a test speaks for."""

    def __init__(self) -> None:
        self.hears: dict[UUID, Hears] = {}

    def watch(self, owner_id: UUID, hears: Hears) -> None:
        self.hears[owner_id] = hears

    def leave(self, owner_id: UUID) -> None:
        del self.hears[owner_id]

    def tell(self, *changed: UUID) -> None:
        self.hears[ME](set(changed))


class Plain:
    """News that name what changed."""

    sign_of_life = ":"
    come_back_later = "retry: 1\n\n"
    owner_id = ME
    follows: UUID | None = None

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def catch_up(self) -> str:
        self.may_go_on.wait(PATIENCE)
        return "<all>"

    def of(self, changed: set[UUID]) -> str:
        if self.fault:
            raise self.fault
        return "".join(f"<{'talk' if each == TALK else 'other'}>" for each in sorted(changed))


class Page:
    def __init__(self, feeds: Feeds, news: Plain) -> None:
        self.here, there = socket.socketpair()
        self.here.settimeout(PATIENCE)
        there.setblocking(False)
        self.got = b""
        feeds.add(news, there)

    def read(self, words: bytes) -> None:
        while words not in self.got:
            data = self.here.recv(4096)
            assert data, f"it was closed after {self.got!r}"
            self.got += data

    def read_all(self) -> bytes:
        while data := self.here.recv(4096):
            self.got += data
        return self.got


@pytest.fixture
def watchers() -> Watchers:
    return Watchers()


@pytest.fixture
def processes() -> int:
    return 2


@pytest.fixture
def feeds(watchers: Watchers, processes: int) -> Iterator[Feeds]:
    loop, threads = Loop(), ThreadPoolExecutor(2)

    def render(function: Callable[..., str], *args: Any) -> asyncio.Future[str]:
        return asyncio.get_running_loop().run_in_executor(threads, function, *args)

    feeds = Feeds(loop, watchers, render, processes)  # type: ignore[arg-type]

    async def close() -> None:
        feeds.close()

    yield feeds
    loop.run(close(), PATIENCE)
    threads.shutdown()
    loop.close()


def test_a_page_catches_up_and_is_told_what_changes(feeds: Feeds, watchers: Watchers) -> None:
    page = Page(feeds, Plain())
    page.read(b"<all>")

    watchers.tell(TALK)
    page.read(b"<talk>")
    watchers.tell(OTHER)

    page.read(b"<other>")


def test_what_changes_while_it_catches_up_is_told_afterwards(
    feeds: Feeds, watchers: Watchers
) -> None:
    news = Plain()
    news.may_go_on.clear()
    page = Page(feeds, news)
    wait_until(lambda: watchers.hears, seconds=PATIENCE)
    watchers.tell(TALK)
    watchers.tell(TALK)
    news.may_go_on.set()

    page.read(b"<talk>")

    assert page.got.index(b"<all>") < page.got.index(b"<talk>")


def test_nobody_is_watched_when_the_last_page_has_gone(feeds: Feeds, watchers: Watchers) -> None:
    pages = [Page(feeds, Plain()), Page(feeds, Plain())]
    for page in pages:
        page.read(b"<all>")
    pages[0].here.close()
    watchers.tell(TALK)
    pages[1].read(b"<talk>")

    pages[1].here.close()

    wait_until(lambda: not watchers.hears, seconds=PATIENCE)


def test_with_too_many_pages_the_one_that_had_longest_comes_back_later(
    feeds: Feeds, watchers: Watchers
) -> None:
    pages = []
    for _ in range(3):
        pages.append(Page(feeds, Plain()))
        pages[-1].read(b"<all>")

    first = pages[0].read_all()

    assert first.endswith(LAST_CHUNK)
    assert b"retry: " in first
    watchers.tell(TALK)
    for page in pages[1:]:
        page.read(b"<talk>")


@pytest.mark.parametrize(("processes", "most"), [(1, 4), (2, 2), (4, 1), (9, 1)])
def test_so_many_pages_are_told_at_once_and_no_fewer(
    feeds: Feeds, watchers: Watchers, most: int
) -> None:
    pages = []
    for _ in range(most + 1):
        pages.append(Page(feeds, Plain()))
        pages[-1].read(b"<all>")

    watchers.tell(TALK)

    assert pages[0].read_all().endswith(LAST_CHUNK)
    for page in pages[1:]:
        page.read(b"<talk>")


@pytest.mark.parametrize("fault", [Unavailable("away"), ValueError("broken")])
def test_what_cannot_be_told_lets_the_page_come_back(
    feeds: Feeds, watchers: Watchers, fault: Exception
) -> None:
    page = Page(feeds, Plain(fault))
    page.read(b"<all>")

    watchers.tell(TALK)

    assert not page.read_all().endswith(LAST_CHUNK)


def test_silence_is_broken_and_the_feed_ends_in_the_end(
    feeds: Feeds, watchers: Watchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    monkeypatch.setattr(module, "LONGEST", 0.2)
    page = Page(feeds, Plain())

    assert page.read_all().endswith(LAST_CHUNK)

    assert b"1\r\n:\r\n" in page.got


def test_who_has_left_before_it_began_is_not_watched_for(feeds: Feeds, watchers: Watchers) -> None:
    here, there = socket.socketpair()
    there.setblocking(False)
    here.close()

    feeds.add(Plain(), there)
    page = Page(feeds, Plain())
    page.read(b"<all>")
    page.here.close()

    wait_until(lambda: not watchers.hears, seconds=PATIENCE)


def test_nothing_is_kept_of_a_page_that_has_gone(feeds: Feeds, watchers: Watchers) -> None:
    news = Plain()
    left = weakref.ref(news)
    page = Page(feeds, news)
    page.read(b"<all>")
    page.here.close()
    wait_until(lambda: not watchers.hears, seconds=PATIENCE)
    del news

    def is_gone() -> bool:
        gc.collect()
        return left() is None

    wait_until(is_gone, seconds=PATIENCE)


def test_a_page_is_not_told_twice_of_what_it_follows(feeds: Feeds, watchers: Watchers) -> None:
    news = Plain()
    news.follows = TALK
    page = Page(feeds, news)
    page.read(b"<all>")

    watchers.tell(TALK)
    watchers.tell(TALK, OTHER)

    page.read(b"<other>")
    assert b"<talk>" not in page.got
