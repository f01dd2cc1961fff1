"""The page everybody opens: 50 messages of Markdown, 30 conversations at the side."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median

from bench import content, load
from bench.places import KINDS, POSTGRESQL, SQLITE, Plain, database, folder
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
            rates = in_turns(
                {
                    "plain": lambda: load.rate(plain.port, "/", ""),
                    "usual": lambda: load.rate(server.port, visitor.usual, visitor.token),
                    "long": lambda: load.rate(server.port, visitor.long, visitor.token),
                    "crowded": lambda: load.rate(crowded.port, other.usual, other.token),
                    "packed": lambda: load.rate(
                        server.port, visitor.usual, visitor.token, gzip=True
                    ),
                }
            )
        yield from rows(kind, rates)


def html(port: int, path: str, token: str) -> bytes:
    async def once() -> bytes:
        connection = await load.Connection.to(port)
        answer = await connection.ask(load.request(path, token))
        connection.close()
        return answer.body

    return asyncio.run(once())


def in_turns(measures: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each measured in turn, several times over, after one turn to warm up."""
    for measure in measures.values():
        measure()
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def rows(kind: str, rates: dict[str, list[float]]) -> Iterator[Row]:
    def ratio(name: str, to: str) -> float:
        return median(a / b for a, b in zip(rates[name], rates[to], strict=True))

    share = ratio("usual", "plain")
    yield Row(
        f"50 messages and 30 conversations, {kind}", f"{share:.2f} of the bare page",
        f"at least {GOALS[kind]}", share >= GOALS[kind],
        f"{median(rates['usual']):.0f} /s, bare template {median(rates['plain']):.0f} /s",
    )  # fmt: skip
    yield Row("  the same, packed for the wire", f"{median(rates['packed']):.0f} /s")
    for name, what in (
        ("long", f"a conversation of {LONG:,} messages"),
        ("crowded", f"a database of {OTHERS:,} messages"),
    ):
        times = ratio("usual", name)
        yield Row(
            f"  the same, {what}", f"{times:.2f} times the time", "at most 1.2", times <= 1.2
        )  # fmt: skip
