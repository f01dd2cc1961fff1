"""Feeds: what changes elsewhere, told to the open pages of its owner.

A page has one connection: while it shows an answer being written that answer's stream, else its
feed. Both bring the news of its owner's other conversations. What is told is read and rendered in
a thread, for each page by itself, since each shows something else.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from chatweb.replies.lookout import Lookout
from chatweb.replies.loop import Loop
from chatweb.replies.readers import LAST_CHUNK, Reader, chunk
from chatweb.services.errors import Unavailable

logger = logging.getLogger(__name__)

HEARTBEAT = 20.0
"""Seconds of silence after which a feed gets a sign of life; many proxies cut after 60."""

CONNECTIONS = 4
"""Feeds of one owner at once, in all processes together: a browser has six connections to a site,
and some must stay free. With more pages they take turns."""

LONGEST = 600.0
"""Seconds after which a feed ends, give or take a fifth: its page comes back by itself."""


Render = Callable[..., asyncio.Future[str]]
"""Calls a function in a thread that may read the database; the future has what it returned."""


class News(Protocol):
    """What changed, for one page."""

    owner_id: UUID
    follows: UUID | None
    """The conversation whose answer the page follows, and whose news come by that stream."""
    sign_of_life: str
    come_back_later: str

    def catch_up(self) -> str:
        """What changed before the page was connected; may read the database."""

    def of(self, changed: set[UUID]) -> str:
        """What changed in these conversations; may read the database."""


class Feeds:
    """Every connection of this process that gets news, by owner."""

    def __init__(self, loop: Loop, lookout: Lookout, render: Render, processes: int) -> None:
        self._most = max(1, CONNECTIONS // processes)
        self._loop = loop
        self._lookout = lookout
        self._render = render
        self._pages: dict[UUID, dict[Reader, Page]] = {}
        self._beat: asyncio.Task[None] | None = None

    def add(self, news: News, connection: socket.socket) -> None:
        """Tell a page all news through ``connection``, from now on ours."""
        self._loop.call(lambda: asyncio.ensure_future(self._connect(news, connection)))

    async def _connect(self, news: News, connection: socket.socket) -> None:
        reader = Reader()
        if not await reader.connect(connection):
            return
        feeds = [each for each, page in self._of(news).items() if page.is_feed]
        for longest_connected in feeds[: max(0, len(feeds) + 1 - self._most)]:
            longest_connected.write(chunk(news.come_back_later))
            self._end(longest_connected)
        self.join(reader, news, is_feed=True)
        lasts = LONGEST * random.uniform(0.8, 1.2)  # noqa: S311
        end = asyncio.get_running_loop().call_later(lasts, self._end, reader)
        # Else all that the page needed stays in memory until then.
        reader.when_lost(lambda _: end.cancel())

    def join(self, reader: Reader, news: News, *, is_feed: bool = False) -> None:
        """Let a connection get news too; in the loop."""
        page = Page(reader, news, self._render, is_feed=is_feed)
        self._pages.setdefault(news.owner_id, {})[reader] = page
        reader.when_lost(lambda reader: self._leave(news.owner_id, reader))
        self._lookout.watch(news.owner_id, lambda changed: self._hear(news.owner_id, changed))
        if is_feed:
            page.catch_up()
        if self._beat is None:
            self._beat = asyncio.ensure_future(self._beating())

    def _of(self, news: News) -> dict[Reader, Page]:
        return self._pages.get(news.owner_id, {})

    def _leave(self, owner_id: UUID, reader: Reader) -> None:
        pages = self._pages.get(owner_id, {})
        pages.pop(reader, None)
        if not pages:
            self._pages.pop(owner_id, None)
            self._lookout.leave(owner_id)

    def _hear(self, owner_id: UUID, changed: set[UUID]) -> None:
        self._loop.call(self._tell, owner_id, changed)

    def _tell(self, owner_id: UUID, changed: set[UUID]) -> None:
        for page in list(self._pages.get(owner_id, {}).values()):
            page.tell(changed)

    async def _beating(self) -> None:
        while self._pages:
            await asyncio.sleep(HEARTBEAT)
            for pages in list(self._pages.values()):
                for page in list(pages.values()):
                    page.reader.write(chunk(page.news.sign_of_life))
        self._beat = None

    def _end(self, reader: Reader) -> None:
        reader.write(LAST_CHUNK)
        reader.close()

    def close(self) -> None:
        """Let everybody go: their pages come back; in the loop."""
        if self._beat:
            self._beat.cancel()
        for pages in list(self._pages.values()):
            for reader in list(pages):
                self._end(reader)


class Page:
    """One page and what it has not been told yet."""

    def __init__(self, reader: Reader, news: News, render: Render, *, is_feed: bool) -> None:
        self.is_feed = is_feed
        self.reader = reader
        self.news = news
        self._render = render
        self._changed: set[UUID] = set()
        self._catches_up = False
        self._telling: asyncio.Task[None] | None = None

    def catch_up(self) -> None:
        self._catches_up = True
        self._wake()

    def tell(self, changed: set[UUID]) -> None:
        self._changed |= changed - {self.news.follows}
        if self._changed:
            self._wake()

    def _wake(self) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        """One after the other, so that the page is told things in the order of their happening."""
        try:
            if self._catches_up:
                self._catches_up = False
                self.reader.write(chunk(await self._render(self.news.catch_up)))
            while self._changed:
                changed, self._changed = self._changed, set()
                self.reader.write(chunk(await self._render(self.news.of, changed)))
        except Unavailable as away:
            logger.warning("a page could not be told its news: %s", away.kind)
            self.reader.transport.abort()
        except Exception:
            # The page connects again, and is told then.
            logger.exception("a page could not be told its news")
            self.reader.transport.abort()
