"""What durability costs, and what an answer weighs on the wire."""

import threading
import time
from collections.abc import Iterator
from uuid import uuid4

from sqlalchemy import event

from bench import load
from bench.content import ANSWER
from bench.places import KINDS, application, database, model
from bench.table import Row
from chatweb import replies
from chatweb.blueprints import htmx
from chatweb.database import db
from chatweb.rendering.growing import Growing
from chatweb.services import owners, questions
from chatweb.services.limits import UNLIMITED

LIVE = (1, 50, 200)
SECONDS = 2.0


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
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    with database(kind) as url, application(url, LLM_BASE_URL=address):
        for number in range(live):
            owner = owners.guest(load.new_token())
            asked = questions.begin(
                owner, f"{number}?", 32_000, uuid4(), replies.awake(), UNLIMITED
            )
            replies.start(asked)
        time.sleep(1.0)  # the first letters are written sooner than at the tick
        event.listen(db.engine, "commit", count)
        threading.Event().wait(SECONDS)
        return commits / SECONDS


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
