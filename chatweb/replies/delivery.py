"""Delivery: answers in progress, written to their readers' connections by the loop.

A reader who follows an answer costs no thread: the view hands the connection over. One `Channel`
for each answer turns what is new into one event for all of its readers, whatever their number.
Only the end, which reads the database, is made in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from chatweb.replies.feeds import Feeds, News, Render
from chatweb.replies.live import HEARTBEAT, PACE, LiveText
from chatweb.replies.loop import Loop
from chatweb.replies.readers import LAST_CHUNK, Reader, chunk
from chatweb.services.errors import Unavailable

logger = logging.getLogger(__name__)

SHARE = 3
"""A round of looks rests so many times as long as it took, and ``PACE`` at the least."""

Watching = Callable[[int], AbstractContextManager[LiveText]]


class Telling(Protocol):
    """Text into what readers are sent; empty when there is nothing to say.

    All readers of an answer in one ``format`` are told the same, by the first one's.
    """

    format: str
    sign_of_life: str

    def update(self, text: str) -> str:
        """What brings readers from what they were told last to ``text``."""

    def catch_up(self, after: int | None) -> str:
        """What brings a reader to what all others were told; ``after`` is the place up to which it
        was told before."""

    def finish(self, text: str) -> str:
        """The last change: afterwards readers have been told all of ``text``."""

    def rest(self) -> str:
        """What changes besides when an answer has ended; may read the database."""

    def event(self, change: str) -> str:
        """A change as it is sent."""

    def last_event(self, change: str, rest: str) -> str:
        """The last change, with the rest, as it is sent."""


class Progress:
    """How far a reader is who was told up to ``after`` before."""

    def __init__(self, after: int | None) -> None:
        self.after = after
        self.is_up_to_date = False

    def catches_up(self, known: int) -> bool:
        """Whether to tell them now what they miss of the ``known`` characters; from then on they
        are told what all others are. One that has seen further than we know waits for us."""
        self.is_up_to_date = known > (self.after or 0)
        return self.is_up_to_date


class Delivery:
    """Every connection of this process whose reader follows an answer."""

    def __init__(self, loop: Loop, watching: Watching, feeds: Feeds, render: Render) -> None:
        self.feeds = feeds
        self._loop = loop
        self._watching = watching
        self._channels: dict[tuple[int, str], Channel] = {}
        self._closing = False
        self._rounds: asyncio.Task[None] | None = None
        self._render = render

    def add(
        self, answer_id: int, telling: Telling, after: int | None, connection: socket.socket,
        news: News | None = None,
    ) -> None:  # fmt: skip
        """Write what comes to ``connection``, from now on ours, until the end of the answer;
        ``news`` is told besides."""
        self._loop.call(self._add, answer_id, telling, after, connection, news)

    def _add(
        self, answer_id: int, telling: Telling, after: int | None, connection: socket.socket,
        news: News | None,
    ) -> None:  # fmt: skip
        if self._closing:
            return connection.close()
        key = (answer_id, telling.format)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(self, answer_id, telling)
        channel.connecting(asyncio.ensure_future(channel.join(after, connection, news)))
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        """See what is new in every channel, as long as there is one."""
        now = asyncio.get_running_loop().time
        while self._channels:
            began = now()
            for channel in list(self._channels.values()):
                channel.look()
            await asyncio.sleep(max(PACE, SHARE * (now() - began)))

    def watch(self, answer_id: int) -> AbstractContextManager[LiveText]:
        return self._watching(answer_id)

    def forget(self, channel: Channel) -> None:
        self._channels.pop(channel.key, None)

    def soon(self, function: Callable[[], None]) -> None:
        self._loop.call(function)

    async def rest(self, telling: Telling) -> str:
        return await self._render(telling.rest)

    def wait_for_ends(self, patience: float) -> None:
        """Wait at most ``patience`` seconds until nobody follows an answer here any more."""
        latest = time.monotonic() + patience
        while self._channels and time.monotonic() < latest:
            time.sleep(0.05)

    def close(self, timeout: float = 2.0) -> None:
        """Deliver the ends there are, and let all other readers go: their pages come back."""
        self._loop.run(self._wind_up(), timeout)

    async def _wind_up(self) -> None:
        self._closing = True
        if self._rounds:
            self._rounds.cancel()
        channels = list(self._channels.values())
        for channel in channels:
            channel.look()
        endings = [each.ending for each in channels if each.ending]
        await asyncio.gather(*endings, return_exceptions=True)
        for channel in channels:
            channel.close()
        self.feeds.close()


class Channel:
    """The readers of one answer in one format."""

    def __init__(self, delivery: Delivery, answer_id: int, telling: Telling) -> None:
        self.answer_id = answer_id
        self.key = (answer_id, telling.format)
        self.ending: asyncio.Task[None] | None = None
        self._delivery = delivery
        self._telling = telling
        self._closed = False
        self._connecting: set[asyncio.Future[None]] = set()
        self._readers: set[Follower] = set()
        self._known = 0
        self._spoke = asyncio.get_running_loop().time()
        self._watch = delivery.watch(answer_id)
        self._live = self._watch.__enter__()
        self._live.hears.add(self._hear)

    def connecting(self, reader: asyncio.Future[None]) -> None:
        self._connecting.add(reader)
        reader.add_done_callback(self._connected)

    def _connected(self, reader: asyncio.Future[None]) -> None:
        self._connecting.discard(reader)
        self._close_if_alone()

    async def join(self, after: int | None, connection: socket.socket, news: News | None) -> None:
        reader = Follower(after)
        if not await reader.connect(connection):
            return
        if self._closed:
            return reader.close()
        self._readers.add(reader)
        reader.when_lost(self.leave)
        self.look()
        self._send("")
        if news:
            self._delivery.feeds.join(reader, news)

    def leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        self._close_if_alone()

    def _close_if_alone(self) -> None:
        if not self._readers and not self._connecting and self.ending is None:
            self.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._delivery.forget(self)
        self._live.hears.discard(self._hear)
        self._watch.__exit__(None, None, None)
        for reader in list(self._readers):
            reader.close()

    def _hear(self) -> None:
        """The first letter or the end has come; called in any thread."""
        self._delivery.soon(self.look)

    def look(self) -> None:
        """Tell the readers what is new."""
        if self.ending is not None:
            return
        try:
            if self._live.is_elsewhere:
                self.close()
            elif self._live.over.is_set():
                self.ending = asyncio.ensure_future(self._end())
            else:
                self._tell()
        except Exception:
            logger.exception("an answer could not be told", extra={"answer": self.answer_id})
            self.close()

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        if len(self._live) != self._known:
            text = self._live.text()
            self._known = len(text)
            self._send(self._telling.update(text))
            self._spoke = now
        elif now - self._spoke > HEARTBEAT:
            for reader in list(self._readers):
                reader.write(chunk(self._telling.sign_of_life))
            self._spoke = now

    def _send(self, change: str) -> None:
        """``change`` to those who were told everything before; the others catch up.

        One that has seen further than we know waits for us.
        """
        same = chunk(self._telling.event(change))
        for reader in list(self._readers):
            if reader.progress.is_up_to_date:
                reader.write(same)
            elif self.ending is None and reader.progress.catches_up(self._known):
                reader.write(
                    chunk(self._telling.event(self._telling.catch_up(reader.progress.after)))
                )

    async def _end(self) -> None:
        try:
            rest = await self._delivery.rest(self._telling)
            # Not before: who comes while the rest is made must not be told the last change twice.
            change = self._telling.finish(self._live.text())
            same = self._telling.last_event(change, rest)
            for reader in list(self._readers):
                last = (
                    same
                    if reader.progress.is_up_to_date
                    else self._telling.last_event(
                        self._telling.catch_up(reader.progress.after), rest
                    )
                )
                reader.write(chunk(last) + LAST_CHUNK)
        except Unavailable as away:
            # The page connects again and is told then.
            logger.warning("the end could not be told: %s", away.kind)
        except Exception:
            logger.exception("the end could not be told", extra={"answer": self.answer_id})
        self.close()


class Follower(Reader):
    """A reader of an answer, and how far they are."""

    def __init__(self, after: int | None) -> None:
        super().__init__()
        self.progress = Progress(after)
