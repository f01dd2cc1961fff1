"""Asking a model, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chatweb.llm.client import Client, Endpoint, ModelError, Outcome

KEY = "sk-canary-0123456789abcdef"


class Asked:
    """What came of one question."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.outcome: Outcome | None = None
        self.error: ModelError | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def kind(self) -> str | None:
        return self.error.kind if self.error else None


Ask = Callable[..., Asked]


def asking(endpoint: Endpoint, work: Callable[[Client], Awaitable[Any]]) -> Any:
    """Run ``work`` with a client in a loop of its own, and close it."""

    async def run() -> Any:
        client = Client(endpoint)
        try:
            return await work(client)
        finally:
            await client.close()

    return in_a_loop(run())


def in_a_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run ``work`` in a new loop, in a thread of its own: the browser of other tests has a loop
    running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def answer(client: Client, question: str) -> Asked:
    asked = Asked()
    try:
        messages = [{"role": "user", "content": question}]
        asked.outcome = await client.answer(messages, asked.pieces.append)
    except ModelError as error:
        asked.error = error
    return asked
