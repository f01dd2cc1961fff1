"""From the command to the first page, and what the processes hold at rest."""

import http.client
import sys
import time
from collections.abc import Iterator
from statistics import median

from bench.places import (
    KINDS,
    POSTGRESQL,
    SQLITE,
    Plain,
    cluster,
    database,
    folder,
    has_local_model,
    megabytes,
    output,
)
from bench.table import Row, below
from tests import servers
from tests.servers import NOWHERE, REPOSITORY, Server

ROUNDS = 5

READY = """
import time
began = time.perf_counter()
from chatweb import create_app
from chatweb.database import reading
from chatweb.services.health import check_schema
with create_app().app_context(), reading() as connection:
    check_schema(connection)
print(time.perf_counter() - began)
"""


class MakeRun(Server):
    """The commands of ``make run`` once everything is installed, with the local model."""

    def start(self, *, patience: float = 30) -> None:
        python = sys.executable
        command = f"{python} -m flask db upgrade && exec {python} -m gunicorn wsgi:app"
        self._process = servers.start(
            ["sh", "-c", command], log=self._log, cwd=REPOSITORY,
            env=servers.environment(self.settings),
        )  # fmt: skip
        servers.wait_until(self._serves, seconds=patience)


def start() -> Iterator[Row]:
    """Start to first page, against a bare app; then the second start of ``make run``."""
    with Server(workers=2) as product, Plain("page") as plain:
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(seconds_to_first_page(product))
            theirs.append(seconds_to_first_page(plain))
    beside = f"bare app {median(theirs):.2f} s"
    yield below("start to first page, two workers, schema in place", median(ours), 1.0, "s", beside)
    if has_local_model():
        with MakeRun(workers=2, LLM_BASE_URL="") as server:
            again = [seconds_to_first_page(server) for _ in range(3)]
        yield Row("the same by `make run`: migrate, serve, local model", f"{median(again):.3g} s")


def seconds_to_first_page(server: Server) -> float:
    server.terminate()
    began = time.perf_counter()
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/")
    answer = connection.getresponse()
    if answer.status != 200 or not answer.read():
        raise RuntimeError(f"the first page is {answer.status}")
    return time.perf_counter() - began


def ready() -> Iterator[Row]:
    """From the first import to an answer of the database, and the migration commands."""
    for kind in KINDS:
        with database(kind) as url, folder() as place:
            settings = {"DATABASE_URL": url, "DATA_DIR": str(place), "LLM_BASE_URL": NOWHERE}
            took = [float(output([sys.executable, "-c", READY], settings)) for _ in range(ROUNDS)]
            upgrade = [sys.executable, "-m", "flask", "db", "upgrade"]
            nothing = median(seconds(upgrade, settings) for _ in range(3))
        yield below(f"database ready, {kind}", median(took), 0.5, "s")
        yield Row(f"`flask db upgrade` with nothing to do, {kind}", f"{nothing:.2f} s")


def seconds(command: list[str], settings: dict[str, str]) -> float:
    began = time.perf_counter()
    output(command, settings)
    return time.perf_counter() - began


def memory() -> Iterator[Row]:
    """Master and two workers after one page each, without the local model."""
    plain_memory = {}
    with Plain("page") as plain:
        look_at(plain)
        plain_memory = {kind: megabytes(plain, kind) for kind in ("Pss", "Rss")}
    for kind, settings in (
        (SQLITE, {}),
        (POSTGRESQL, {"DATABASE_URL": cluster().create("bench_memory")}),
    ):
        with Server(workers=2, **settings) as server:
            look_at(server)
            pss, rss = megabytes(server, "Pss"), megabytes(server, "Rss")
        beside = f"bare app {plain_memory['Pss']:.0f} MB"
        yield below(f"at rest, two workers, {kind}", pss, 130, "MB", beside)
        beside = f"bare app {plain_memory['Rss']:.0f} MB"
        yield Row(
            "  the same, shared memory counted in each process", f"{rss:.0f} MB", "", None, beside
        )
    cluster().drop("bench_memory")


def look_at(server: Server) -> None:
    """A page from every worker, as near as chance allows."""
    for _ in range(20):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
