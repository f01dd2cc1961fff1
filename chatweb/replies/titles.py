"""Titles by the model: a better one after the first answer, another one when somebody asks.

Whatever goes wrong on the way to the first, the conversation keeps its first words and nobody is
told. No connection to the database is held while the model is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from flask import Flask

from chatweb.llm import prompts
from chatweb.llm.client import Client, Endpoint, ModelError
from chatweb.replies.loop import Loop
from chatweb.services import texts, titles
from chatweb.services.errors import Conflict, Unavailable

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Titles that are asked for at once in the background, and as many again that people wait for."""

WAITING = 200
"""Titles that may be under way or wait for their turn; more than that stay first words."""

PATIENCE = 20.0
SHORT_PATIENCE = 8.0
"""Seconds for a title: in the background, and while somebody waits, for whom a turn counts too."""

LONGEST = 400
"""Characters after which what the model says is no title."""

NONE_CAME = "The model gave no title just now. The old one stays; try again in a moment."

Said = Sequence[tuple[str, str]]
Result = TypeVar("Result")


class Titles:
    """What this process asks the model for besides answers. ``finisher``: threads that may read
    and write the database."""

    def __init__(self, app: Flask, loop: Loop, endpoint: Endpoint, finisher: Executor) -> None:
        self._app = app
        self._loop = loop
        self._finisher = finisher
        short = min(PATIENCE, endpoint.timeout)
        self._client = Client(replace(endpoint, timeout=short, retries=0))
        self._behind = asyncio.Semaphore(AT_ONCE)
        self._in_front = asyncio.Semaphore(AT_ONCE)
        self._calls: set[asyncio.Task[Any]] = set()
        self._closing = False

    def improve(self, conversation_id: UUID, said: Said) -> None:
        """Replace a conversation's first words when the model has something better; does not
        wait, and may be called in any thread."""
        self._loop.call(self._begin, conversation_id, said)

    def _begin(self, conversation_id: UUID, said: Said) -> None:
        if self._closing or len(self._calls) >= WAITING:
            return
        call = asyncio.ensure_future(self._improve(conversation_id, said))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _improve(self, conversation_id: UUID, said: Said) -> None:
        try:
            async with self._behind:
                if not await self._in_thread(titles.has_first_words, conversation_id):
                    return
                title = await self._ask(said)
            if title:
                await self._in_thread(titles.improve, conversation_id, title)
        except ModelError as error:
            logger.warning("no title: %s", error.detail)
        except Unavailable as away:
            logger.warning("no title: the database is away (%s)", away.kind)
        except Exception:
            logger.exception("a title could not be given")

    async def _in_thread(self, function: Callable[..., Result], *args: Any) -> Result:
        def call() -> Result:
            with self._app.app_context():
                return function(*args)

        return await asyncio.get_running_loop().run_in_executor(self._finisher, call)

    async def _ask(self, said: Said) -> str | None:
        parts: list[str] = []
        outcome = await self._client.answer(prompts.for_title(said), parts.append, LONGEST)
        return None if outcome.capped else texts.suggested_title("".join(parts))

    def suggestion(self, said: Said) -> str:
        """A title for somebody who waits for it, but not in the loop's thread.

        :raises Conflict: the model gave none in time
        """
        try:
            title = self._loop.result(self._soon(said), SHORT_PATIENCE + 1)
        except ModelError as error:
            logger.warning("no title: %s", error.detail)
            title = None
        except (TimeoutError, CancelledError):
            logger.warning("no title within %g s", SHORT_PATIENCE)
            title = None
        if title is None:
            raise Conflict(NONE_CAME)
        return title

    async def _soon(self, said: Said) -> str | None:
        call = asyncio.current_task()
        assert call  # noqa: S101 for the type checker
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        async with asyncio.timeout(SHORT_PATIENCE), self._in_front:
            return await self._ask(said)

    def close(self, timeout: float = 2.0) -> None:
        """Drop what is under way: those conversations keep their first words."""
        self._loop.run(self._wind_up(), timeout)

    async def _wind_up(self) -> None:
        self._closing = True
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._client.close()
