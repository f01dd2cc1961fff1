"""From the question to its commit, and from the model's letters to the reader's."""

import asyncio
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import ClassVar
from uuid import UUID, uuid4

import psutil

from bench import load
from bench.places import KINDS, Plain, application, database
from bench.table import Row, below, p
from chatweb.services import answers, owners, questions
from chatweb.services.answers import Ending
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner
from chatweb.services.questions import Asked
from tests import scripted_model
from tests.scripted_model import Script, ScriptedModel
from tests.servers import Server

QUESTIONS = 200
LONGEST = 32_000
CHATS = 40
TOKENS = 20
EVERY = 0.25
"""Seconds between the begins of two chats whose letters are timed."""

NUMBER = re.compile(rb"[a-z]{4,5}(\d+)\b")
"""The scripted model's words are numbered."""


def commit() -> Iterator[Row]:
    """The service alone, in this process: what a request waits for before anything is shown."""
    for kind in KINDS:
        known, uncounted, new, bare = [], [], [], []
        with database(kind) as url, application(url):
            process_id = uuid4()
            answers.beat(process_id)
            owner = owners.guest(load.new_token())

            def begin(owner: Owner, process_id: UUID = process_id) -> Asked:
                return questions.begin(
                    owner, "To begin with?", LONGEST, uuid4(), process_id, counted()
                )

            def ask(
                address: UUID, allowance: Allowance, owner: Owner = owner,
                process_id: UUID = process_id,
            ) -> Asked:  # fmt: skip
                return questions.ask(
                    owner, address, "And then?", LONGEST, uuid4(), process_id, allowance
                )

            first = begin(owner)
            end(process_id, first)
            here, home = first.conversation_id, counted()
            for _ in range(QUESTIONS):
                known.append(timed(partial(ask, here, home), process_id))
                uncounted.append(timed(partial(ask, here, UNLIMITED), process_id))
                new.append(timed(partial(begin, owners.guest(load.new_token())), process_id))
                bare.append(bare_commit(process_id))
        beside = f"p95 {p(known, 95):.1f} ms; one bare commit {median(bare):.1f} ms"
        yield below(f"question to commit, {kind}, p50", median(known), 10, "ms", beside)
        ratio = median(known) / median(uncounted)
        yield Row("  as many times what it takes without limits", f"{ratio:.2f}")
        more = median(new) - median(known)
        beside = f"p95 {p(new, 95):.1f} ms in all"
        yield below("  a new visitor's new conversation, more", more, 5, "ms", beside)


def counted() -> Allowance:
    """All limits, of a visitor with an address of their own, and so wide that none is reached."""
    return Allowance(10, 10**6, 10**6, secrets.token_bytes(32))


def bare_commit(process_id: UUID) -> float:
    """Milliseconds of the least that can be kept: a heartbeat."""
    began = time.perf_counter()
    answers.beat(process_id)
    return (time.perf_counter() - began) * 1000


def timed(ask: Callable[[], Asked], process_id: UUID) -> float:
    """Milliseconds of one question; its answer is ended afterwards."""
    began = time.perf_counter()
    asked = ask()
    took = (time.perf_counter() - began) * 1000
    end(process_id, asked)
    return took


def end(process_id: UUID, asked: Asked) -> None:
    answers.keep(process_id, [], [Ending(asked.answer_id, "complete", "Yes.")], heartbeat=False)


class ClockedAnswer(scripted_model.Answer):
    """An answer that notes when each of its tokens was said."""

    said: ClassVar[dict[str, list[float]]] = defaultdict(list)

    async def say(self, *deltas: bytes) -> None:
        for number, delta in enumerate(deltas):
            if number:
                await asyncio.sleep(self.script.interval)
            self.said[self.request.question].append(time.perf_counter())
            await self.connection.write(delta)


def letters() -> Iterator[Row]:
    """How far readers are behind the model, in the process that answers and in another one."""
    scripted_model.Answer = ClockedAnswer  # type: ignore[misc]
    script = Script(tokens=TOKENS, interval=0.05, first=0.4)
    with ScriptedModel(script) as model:
        with Plain("relay", LLM_BASE_URL=model.base_url) as plain:
            relay = [each.behind(0) for each in read(plain) if each.place == "here"]
        beside = f"a bare relay: {p(relay, 50):.0f} ms, p95 {p(relay, 95):.0f} ms"
        for kind in KINDS:
            with database(kind) as url:
                settings = {"DATABASE_URL": url, "LLM_BASE_URL": model.base_url}
                with Server(workers=2, migrate=False, **settings) as server:
                    readings = read(server)
            yield from rows(kind, "in the process that answers", "here", readings, 15, 50, beside)
            yield from rows(kind, "in another process", "elsewhere", readings, 150, 300, beside)


def read(server: Server) -> list["Reading"]:
    """What readers of some chats saw, after a few to warm up."""
    asyncio.run(asyncio.wait_for(follow_each(server, 5), load.PATIENCE))
    ClockedAnswer.said.clear()
    return asyncio.run(asyncio.wait_for(follow_each(server, CHATS), load.PATIENCE))


def rows(
    kind: str,
    where: str,
    place: str,
    readings: list["Reading"],
    half: float,
    most: float,
    beside: str,
) -> Iterator[Row]:
    chosen = [each for each in readings if each.place == place]
    first = [each.behind(0) for each in chosen]
    yield below(f"first letter {where}, {kind}, p50", p(first, 50), half, "ms", beside)
    yield below("  p95", p(first, 95), most, "ms")
    every = [each.behind(number) for each in chosen for number in range(TOKENS)]
    beside = f"p50 {median(every):.0f} ms"
    if place == "elsewhere":
        yield below("  every letter, at most", max(every), 500, "ms", beside)
    else:
        yield Row("  every letter, at most", f"{max(every):.0f} ms", "", None, beside)


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


async def follow_each(server: Server, chats: int) -> list[Reading]:
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

    found = await asyncio.gather(*(follow(number) for number in range(chats)))
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
