"""The page everybody opens: 50 messages of Markdown, 30 conversations at the side."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import NamedTuple

from bench import content, load
from bench.places import KINDS, POSTGRESQL, SQLITE, Plain, cpu, database, folder
from bench.table import Row
from tests.servers import Server

ROUNDS = 3
LONG = 10_000
OTHERS = 200_000

GOALS = {SQLITE: 0.5, POSTGRESQL: 0.4}


def page() -> Iterator[Row]:
    """Requests a second on both databases, against the same HTML from a bare template."""
    for kind in KINDS:
        with ExitStack() as stack:
            url = stack.enter_context(database(kind))
            visitor = content.fill(url, long=LONG)
            server = stack.enter_context(Server(workers=2, DATABASE_URL=url, migrate=False))
            crowded_url = stack.enter_context(database(kind))
            other = content.fill(crowded_url, others=OTHERS)
            crowded = stack.enter_context(
                Server(workers=2, DATABASE_URL=crowded_url, migrate=False)
            )
            file = stack.enter_context(folder()) / "page.html"
            file.write_bytes(html(server.port, visitor.usual, visitor.token))
            plain = stack.enter_context(Plain("page", BENCH_PAGE=str(file)))
            found = in_turns(
                {
                    "plain": partial(measure, plain, "/"),
                    "usual": partial(measure, server, visitor.usual, visitor.token),
                    "long": partial(measure, server, visitor.long, visitor.token),
                    "crowded": partial(measure, crowded, other.usual, other.token),
                    "packed": partial(measure, server, visitor.usual, visitor.token, gzip=True),
                }
            )
        yield from rows(kind, found)


class Rate(NamedTuple):
    """Requests a second, and the processor time of one in milliseconds."""

    a_second: float
    cpu: float


def measure(server: Server, path: str, token: str = "", *, gzip: bool = False) -> Rate:
    used = cpu(server)
    answered, a_second = load.rate(server.port, path, token, gzip=gzip)
    return Rate(a_second, (cpu(server) - used) / answered * 1000)


def html(port: int, path: str, token: str) -> bytes:
    async def once() -> bytes:
        connection = await load.Connection.to(port)
        answer = await connection.ask(load.request(path, token))
        connection.close()
        return answer.body

    return asyncio.run(once())


def in_turns(measures: dict[str, Callable[[], Rate]]) -> dict[str, list[Rate]]:
    """Each measured in turn, several times over, after one turn to warm up."""
    for each in measures.values():
        each()
    found: dict[str, list[Rate]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, each in measures.items():
            found[name].append(each())
    return found


def rows(kind: str, found: dict[str, list[Rate]]) -> Iterator[Row]:
    rates = {name: median(each.a_second for each in found[name]) for name in found}
    costs = {name: median(each.cpu for each in found[name]) for name in found}

    def times(name: str, to: str) -> float:
        pairs = zip(found[name], found[to], strict=True)
        return median(one.a_second / other.a_second for one, other in pairs)

    share = times("usual", "plain")
    yield Row(
        f"50 messages and 30 conversations, {kind}", f"{share:.2f} of the bare page",
        f"at least {GOALS[kind]}", share >= GOALS[kind],
        f"{rates['usual']:.0f} /s, bare template {rates['plain']:.0f} /s; by processor time "
        f"{costs['plain'] / costs['usual']:.2f} ({costs['usual']:.2f} ms)",
    )  # fmt: skip
    yield Row("  packed for the wire", f"{rates['packed']:.0f} /s")
    for name, what in (
        ("long", f"a conversation of {LONG:,} messages"),
        ("crowded", f"a database of {OTHERS:,} messages"),
    ):
        longer = times("usual", name)
        yield Row(
            f"  in {what}", f"{longer:.2f} times the time", "at most 1.2", longer <= 1.2,
            f"by processor time {costs[name] / costs['usual']:.2f}",
        )  # fmt: skip
