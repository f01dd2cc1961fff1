"""Thousands of readers of answers being written, and what they cost those who want a page."""

import asyncio
import html
import re
import resource
import socket
import time
from collections.abc import Iterator
from statistics import median

from bench import load
from bench.chats import TAG, peak
from bench.load import Chat, Connection, new_token, request
from bench.places import KINDS, database, model
from bench.table import Row, below
from tests.scripted_model import answer_to
from tests.servers import Server

ANSWERS = 200
READERS = 2000
SILENT = 200
"""Readers that never take what is written to them."""
TOKENS, INTERVAL = 120, 0.25
LOOKS = 40
COMES_BACK = 5
"""Times that a reader tries."""


def readers() -> Iterator[Row]:
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with model(tokens=TOKENS, interval=INTERVAL) as address:
        for kind in KINDS:
            with (
                database(kind) as url,
                Server(workers=2, migrate=False, DATABASE_URL=url, LLM_BASE_URL=address) as server,
            ):
                load.chats(server.port, 4, within=0.1)
                with peak(server) as most:
                    found = asyncio.run(asyncio.wait_for(_crowd(server.port), 240))
            yield from rows(kind, *found, max(most))


async def _crowd(port: int) -> tuple[list[str], dict[str, float], dict[str, float]]:
    """What each reader missed; seconds for a page and for health, idle and crowded."""
    visitor = new_token()
    idle = await _looks(port, visitor)
    chats = [Chat(f"Question {number}?") for number in range(ANSWERS)]
    asked: list[Connection] = []
    for chat in chats:
        asked.append(await chat.ask(port))
        await asyncio.sleep(0.01)
    silent = [_never_reads(port, chats[number % ANSWERS]) for number in range(SILENT)]
    reading = [
        asyncio.ensure_future(_reads_all(port, chats[number % ANSWERS]))
        for number in range(READERS - SILENT)
    ]
    await asyncio.sleep(5)
    crowded = await _looks(port, visitor)
    missed = await asyncio.gather(*reading)
    for connection in [*asked, *silent]:
        connection.close()
    return missed, idle, crowded


async def _looks(port: int, token: str) -> dict[str, float]:
    """Median seconds of a page and of ``/livez``, asked one after the other."""
    connection = await Connection.to(port)
    found: dict[str, list[float]] = {"/": [], "/livez": []}
    for _ in range(LOOKS):
        for path, times in found.items():
            began = time.perf_counter()
            await connection.ask(request(path, token))
            times.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
    connection.close()
    return {path: median(times) for path, times in found.items()}


def _never_reads(port: int, chat: Chat) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request(chat.address, chat.token))
    return connection


async def _reads_all(port: int, chat: Chat) -> str:
    """What a reader missed; nothing, where it was sent every word. As a page does, it comes back
    where its connection ends too soon."""
    for _ in range(COMES_BACK):
        try:
            connection = await Connection.to(port)
            arrivals = await connection.follow(request(chat.address, chat.token))
        except OSError as error:
            missed = f"{type(error).__name__}: {error}"
            await asyncio.sleep(0.5)
            continue
        connection.close()
        said = html.unescape(TAG.sub(" ", b"".join(data for _, data in arrivals).decode()))
        missing = set(answer_to(chat.question, TOKENS).split()) - set(re.findall(r"\w+", said))
        return f"{len(missing)} words" if missing else ""
    return missed


def rows(
    kind: str, missed: list[str], idle: dict[str, float], crowded: dict[str, float],
    megabytes: float,
) -> Iterator[Row]:  # fmt: skip
    whole, count = missed.count(""), len(missed)
    reasons = "".join(f"; missed: {each}" for each in sorted({*missed} - {""}))
    yield Row(
        f"{READERS} readers of {ANSWERS} answers, {kind}: saw every word", f"{whole} of {count}",
        "all that read", whole == count, f"{SILENT} more never read{reasons}",
    )  # fmt: skip
    for path, name in (("/", "a page"), ("/livez", "/livez")):
        yield below(
            f"  {name}, against its time without them", crowded[path] / idle[path], 2, "times",
            f"{1000 * idle[path]:.1f} ms, then {1000 * crowded[path]:.1f} ms",
        )  # fmt: skip
    yield below("  memory at the most", megabytes, 300, "MB")
