"""A scripted model for every test that wants one, and the real local model, started once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from chatweb.llm import local
from chatweb.llm.client import Client, Endpoint, ModelError, Outcome
from tests.llm.waiting import until
from tests.scripted_model import ScriptedModel

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


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


def asking(endpoint: Endpoint, work: Callable[[Client], Awaitable[Any]]) -> Any:
    """Run ``work`` with a client in a loop of its own, and close it."""

    async def run() -> Any:
        client = Client(endpoint)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


async def answer(client: Client, question: str) -> Asked:
    asked = Asked()
    try:
        messages = [{"role": "user", "content": question}]
        asked.outcome = await client.answer(messages, asked.pieces.append)
    except ModelError as error:
        asked.error = error
    return asked


@pytest.fixture
def ask(model: ScriptedModel) -> Ask:
    """Ask ``model`` one question; the rest are settings of the endpoint."""

    def ask(question: str, **settings: Any) -> Asked:
        settings = {"base_url": model.base_url, "api_key": KEY, "model": "asked", **settings}
        return asking(Endpoint(**settings), lambda client: answer(client, question))

    return ask


@pytest.fixture(scope="session")
def local_address() -> Iterator[local.LocalAddress]:
    """The real local model, loaded."""
    address = local.choose_address({})
    running = local.start(address)
    try:
        assert until(lambda: local.is_ready(address), 30), "the local model did not start"
        yield address
    finally:
        running.stop()
