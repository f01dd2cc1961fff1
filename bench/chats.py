"""Many chats begun within a second, against a relay that keeps nothing."""

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import aliased

from bench import load
from bench.pages import html as page_of
from bench.places import (
    KINDS,
    POSTGRESQL,
    SQLITE,
    Plain,
    application,
    cpu,
    database,
    megabytes,
    model,
)
from bench.table import Row, below, p
from chatweb.database import reading
from chatweb.models import Message
from tests.scripted_model import answer_to
from tests.servers import Server

ROUNDS = 2
LIMITED = {
    "LIMIT_ANSWERS_AT_ONCE": "3",
    "LIMIT_QUESTIONS_PER_MINUTE": "20",
    "LIMIT_QUESTIONS_PER_DAY": "1000",
    "TRUSTED_PROXIES": "1",
}
"""As the product comes; each visitor has an address of their own."""

TOKENS = 40
FIRST_TOKEN = {
    (200, POSTGRESQL): 0.1,
    (200, SQLITE): 0.3,
    (500, POSTGRESQL): 1.2,
    (500, SQLITE): 2.5,
}
TAG = re.compile(r"<[^>]+>")


@dataclass
class Load:
    """What one burst of chats came to."""

    chats: list[load.Chat]
    cpu: float
    megabytes: float
    kept: int = 0
    rendered: int = 0
    failures: set[str] = field(default_factory=set)

    @property
    def complete(self) -> int:
        return sum(chat.ended for chat in self.chats)

    @property
    def first_letters(self) -> list[float]:
        return [chat.first_letter - chat.asked for chat in self.chats if chat.ended]


def chats() -> Iterator[Row]:
    with model(tokens=TOKENS, interval=0.05) as address:
        for count in (200, 500):
            found: dict[str, list[Load]] = {"relay": [], SQLITE: [], POSTGRESQL: []}
            for _ in range(ROUNDS):
                with Plain("relay", LLM_BASE_URL=address) as plain:
                    found["relay"].append(burst(plain, count))
                for kind in KINDS:
                    found[kind].append(burst_kept(kind, address, count))
            yield from rows(count, found)


def burst_kept(kind: str, address: str, count: int) -> Load:
    with (
        database(kind) as url,
        Server(
            workers=2, migrate=False, DATABASE_URL=url, LLM_BASE_URL=address, **LIMITED
        ) as server,
    ):
        result = burst(server, count)
        result.kept = kept(url)
        result.rendered = sum(is_rendered(server, chat) for chat in result.chats if chat.ended)
    return result


def burst(server: Server, count: int) -> Load:
    load.chats(server.port, 4, within=0.1)  # each worker has made its threads
    used = cpu(server)
    with peak(server) as most:
        chats = load.chats(server.port, count)
    failures = {chat.failure for chat in chats if chat.failure}
    return Load(chats, cpu(server) - used, max(most), failures=failures)


@contextmanager
def peak(server: Server) -> Iterator[list[float]]:
    """Megabytes of a server, looked at twice a second."""
    seen = [megabytes(server)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            seen.append(megabytes(server))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def kept(url: str) -> int:
    """Answers in the database that are complete and just what the model said."""
    question, answer = aliased(Message), aliased(Message)
    pairs = select(question.content, answer.content).join(
        answer,
        (answer.conversation_id == question.conversation_id) & (answer.parent == question.position),
    )
    with application(url), reading() as connection:
        rows = connection.execute(pairs.where(answer.status == "complete")).all()
    return sum(
        said == answer_to(asked, TOKENS) for asked, said in rows if "of 4?" not in asked
    )  # fmt: skip


def is_rendered(server: Server, chat: load.Chat) -> bool:
    """Whether a reload shows the whole answer."""
    conversation = chat.address.split("/messages/")[0]
    text = html.unescape(TAG.sub(" ", page_of(server.port, conversation, chat.token).decode()))
    return answer_to(chat.question, TOKENS).strip() in text


def rows(count: int, found: dict[str, list[Load]]) -> Iterator[Row]:
    plain = found["relay"]
    plain_cpu = median(each.cpu for each in plain) / count * 1000
    plain_first = median(p(each.first_letters, 95) for each in plain)
    yield Row(
        f"{count} chats, a bare relay",
        f"first token p95 {plain_first:.3f} s", "", None,
        f"{plain_cpu:.1f} ms of CPU a chat, {max(each.megabytes for each in plain):.0f} MB, "
        f"{min(each.complete for each in plain)} complete",
    )  # fmt: skip
    for kind in KINDS:
        loads = found[kind]
        complete, kept, rendered = (
            min(getattr(each, name) for each in loads) for name in ("complete", "kept", "rendered")
        )
        failures = ", ".join(sorted({why for each in loads for why in each.failures}))
        yield Row(
            f"{count} chats, {kind}: complete, kept, rendered", f"{complete}, {kept}, {rendered}",
            "all", complete == kept == rendered == count, failures,
        )  # fmt: skip
        first = [p(each.first_letters, 95) for each in loads]
        half = median(p(each.first_letters, 50) for each in loads)
        yield below(
            "  first token p95", median(first), FIRST_TOKEN[count, kind], "s", f"p50 {half:.3f} s"
        )
        spent = median(each.cpu for each in loads) / count * 1000
        yield below("  CPU a chat", spent, 7.5, "ms", f"{spent / plain_cpu:.1f} times the relay's")
        yield below("  memory at the most", max(each.megabytes for each in loads), 200, "MB")
