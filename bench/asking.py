"""From the question to its commit, and from the model's letters to the reader's."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any
from uuid import uuid4

import psutil

from bench import load
from bench.places import KINDS, application, database
from bench.table import Row, below, p
from chatweb.services import answers, owners, questions
from chatweb.services.answers import Ending
from tests import scripted_model
from tests.scripted_model import Script, ScriptedModel
from tests.servers import Server

QUESTIONS = 300
CHATS = 60
EVERY = 0.1
"""Seconds between the begins of two chats whose letters are timed."""

NUMBER = re.compile(rb"[a-z]{4,5}(\d+)\b")
"""The scripted model's words are numbered."""


def commit() -> Iterator[Row]:
    """The service alone, in this process: what a request waits for before anything is shown."""
    for kind in KINDS:
        with database(kind) as url, application(url):
            process_id = uuid4()
            answers.beat(process_id)
            owner = owners.guest(load.new_token())
            first = questions.begin(owner, "To begin with?", 32_000, uuid4(), process_id)
            end(process_id, first)
            known = [
                timed(
                    lambda: questions.ask(
                        owner, first.conversation_id, "And then?", 32_000, uuid4(), process_id
                    ),
                    process_id,
                )
                for _ in range(QUESTIONS)
            ]
            new = [
                timed(
                    lambda: questions.begin(
                        owners.guest(load.new_token()), "Why?", 32_000, uuid4(), process_id
                    ),
                    process_id,
                )
                for _ in range(QUESTIONS)
            ]
        yield below(
            f"question to commit, {kind}, p50",
            median(known),
            10,
            "ms",
            f"p95 {p(known, 95):.1f} ms",
        )
        more = median(new) - median(known)
        yield below(
            f"  a new conversation of a new visitor, more",
            more,
            5,
            "ms",
            f"p95 {p(new, 95):.1f} ms in all",
        )


def timed(ask: Callable[[], questions.Asked], process_id: Any) -> float:
    """Milliseconds of one question; its answer is ended afterwards."""
    began = time.perf_counter()
    asked = ask()
    took = (time.perf_counter() - began) * 1000
    end(process_id, asked)
    return took


def end(process_id: Any, asked: questions.Asked) -> None:
    answers.keep(process_id, [], [Ending(asked.answer_id, "complete", "Yes.")], heartbeat=False)


class ClockedAnswer(scripted_model.Answer):
    """An answer that notes when each of its tokens was said."""

    said: dict[str, list[float]] = defaultdict(list)

    async def say(self, *deltas: bytes) -> None:
        for number, delta in enumerate(deltas):
            if number:
                await asyncio.sleep(self.script.interval)
            self.said[self.request.question].append(time.perf_counter())
            await self.connection.write(delta)


def letters() -> Iterator[Row]:
    """How far readers are behind the model, in the process that answers and in another one."""
    scripted_model.Answer = ClockedAnswer  # type: ignore[misc]
    script = Script(tokens=20, interval=0.05, first=0.4)
    for kind in KINDS:
        with database(kind) as url, ScriptedModel(script) as model:
            settings = {"DATABASE_URL": url, "LLM_BASE_URL": model.base_url}
            with Server(workers=2, migrate=False, **settings) as server:
                asyncio.run(asyncio.wait_for(follow_each(server), load.PATIENCE))
                ClockedAnswer.said.clear()
                readings = asyncio.run(asyncio.wait_for(follow_each(server), load.PATIENCE))
        for place, limits in (("here", (15, 50)), ("elsewhere", (150, 300))):
            first = [each.behind(0) for each in readings if each.place == place]
            where = "in the process that answers" if place == "here" else "in another process"
            yield below(f"first letter {where}, {kind}, p50", p(first, 50), limits[0], "ms")
            yield below("  p95", p(first, 95), limits[1], "ms", f"of {len(first)}")
            later = [each.behind(n) for each in readings if each.place == place for n in range(20)]
            limit = 500 if place == "elsewhere" else float("inf")
            beside = f"p50 {median(later):.0f} ms"
            if limit == 500:
                yield below("  any letter, the greatest distance", max(later), limit, "ms", beside)
            else:
                yield Row(
                    "  any letter, the greatest distance", f"{max(later):.0f} ms", "", None, beside
                )


class Reading:
    """What one reader of an answer saw, and when."""

    def __init__(self, place: str, chat: load.Chat, arrivals: list[tuple[float, bytes]]) -> None:
        self.place = place
        self._said = ClockedAnswer.said[chat.question]
        self._seen: dict[int, float] = {}
        for at, data in arrivals:
            for number in NUMBER.findall(data):
                self._seen.setdefault(int(number), at)

    def behind(self, token: int) -> float:
        """Milliseconds between the model's saying a token and its arrival."""
        return (self._seen[token] - self._said[token]) * 1000


async def follow_each(server: Server) -> list[Reading]:
    workers = [psutil.Process(pid) for pid in server.worker_pids()]

    async def follow(number: int) -> list[Reading]:
        await asyncio.sleep(number * EVERY)
        chat = load.Chat(f"Letters {number}?")
        here = await chat.ask(server.port)
        elsewhere = await connection_elsewhere(server.port, here, workers)
        wanted = load.request(chat.address, chat.token)
        both = await asyncio.gather(here.follow(wanted), elsewhere.follow(wanted))
        here.close()
        elsewhere.close()
        return [Reading("here", chat, both[0]), Reading("elsewhere", chat, both[1])]

    found = await asyncio.gather(*(follow(number) for number in range(CHATS)))
    return [reading for pair in found for reading in pair]


async def connection_elsewhere(
    port: int, here: load.Connection, workers: list[psutil.Process]
) -> load.Connection:
    """A connection to another worker than ``here`` is served by."""
    for _ in range(100):
        connection = await load.Connection.to(port)
        await connection.ask(load.request("/livez", ""))
        if worker_of(connection, workers) != worker_of(here, workers):
            return connection
        connection.close()
    raise RuntimeError("only one worker accepts connections")


def worker_of(connection: load.Connection, workers: list[psutil.Process]) -> int:
    port = connection.transport.get_extra_info("sockname")[1]
    for worker in workers:
        for each in worker.net_connections("tcp"):
            if each.raddr and each.raddr.port == port:
                return worker.pid
    raise RuntimeError("no worker serves this connection")
