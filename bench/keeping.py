"""What durability costs, and what an answer weighs on the wire."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.request import urlopen

from bench import crowd
from bench.content import ANSWER
from bench.places import KINDS, application, database, model
from bench.table import Row
from chatweb.blueprints import htmx
from chatweb.rendering.growing import Growing
from tests.servers import REPOSITORY, environment

LIVE = (1, 50, 200)
CROWDS = (50, 1000)
PROCESSES = 2


def writes() -> Iterator[Row]:
    """Write transactions a second of one process, by the number of its live answers."""
    for kind in KINDS:
        with model(tokens=200, interval=0.05) as address:
            rates = [writes_with(kind, address, live) for live in LIVE]
        figures = ", ".join(f"{each:.1f}" for each in rates)
        counts = ", ".join(map(str, LIVE))
        constant = max(rates) < 1.5 * min(rates)
        yield Row(
            f"writes a second with {counts} live answers, {kind}", figures, "constant", constant
        )


def writes_with(kind: str, address: str, live: int) -> float:
    with database(kind) as url, application(url, LLM_BASE_URL=address):
        crowd.begin(live)
        return crowd.commits()


def crowds() -> Iterator[Row]:
    """The same with the answers of many people in two processes."""
    for kind in KINDS:
        with model(tokens=120, interval=0.5) as address:
            few, many = (shared(kind, address, live) for live in CROWDS)
        counts = " and ".join(f"{live:,}" for live in CROWDS)
        figures = f"{figure(few)} and {figure(many)}"
        yield Row(
            f"in each of two processes, {counts} answers, {kind}", figures,
            "constant", max(many) < 1.5 * max(few),
        )  # fmt: skip


def figure(rates: list[float]) -> str:
    return "/".join(f"{rate:.1f}" for rate in rates)


def shared(kind: str, address: str, live: int) -> list[float]:
    """Write transactions a second of each of two processes that share so many live answers."""
    with database(kind) as url, ExitStack() as stack:
        command = [sys.executable, "-m", "bench.crowd", url, address, str(live // PROCESSES)]
        processes = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own module
                    command, cwd=REPOSITORY, env=environment({}), text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )
            )
            for _ in range(PROCESSES)
        ]  # fmt: skip
        for process in processes:
            stack.callback(process.kill)
        lines(processes)
        for process in processes:
            assert process.stdin  # noqa: S101 for the type checker
            process.stdin.write("\n")
            process.stdin.flush()
        rates = [float(line) for line in lines(processes)]
        with urlopen(address.replace("/v1", "/counts"), timeout=5) as counts:  # noqa: S310 our own
            assert json.load(counts)["running"] == live, "some had ended"  # noqa: S101 a measurement
        return rates


def lines(processes: list[subprocess.Popen[str]]) -> list[str]:
    return [process.stdout.readline() for process in processes if process.stdout]


def wire() -> Iterator[Row]:
    """A long answer as its stream sends it, for a model of 50 tokens a second and a fast one."""
    text = "\n".join(ANSWER.format(number=number) for number in range(1, 26))
    tokens = [text[at : at + 4] for at in range(0, len(text), 4)][:3000]
    answer = "".join(tokens)
    for what, step, limit in (("at 50 tokens a second", 5, 25.0), ("every single token", 1, None)):
        state = Growing(2)
        sent = 0
        for end in range(step, len(tokens) + 1, step):
            if change := state.update("".join(tokens[:end])):
                sent += len(htmx.event(change, id=state.offset).encode())
        sent += len(htmx.event(state.finish(answer) or "").encode())
        factor = sent / len(answer.encode())
        goal = f"below {limit:g} times" if limit else ""
        yield Row(
            f"an answer of {len(tokens):,} tokens, {what}", f"{factor:.1f} times its text", goal,
            factor < limit if limit else None,
        )  # fmt: skip
