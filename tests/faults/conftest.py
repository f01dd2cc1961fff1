"""chatweb under gunicorn, on a SQLite file and on a PostgreSQL that waits for the disk."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.conftest import migrate
from tests.faults.invariants import History, Stored, stored, violations
from tests.faults.people import Person, log_lines
from tests.postgres import Cluster
from tests.scripted_model import ScriptedModel
from tests.servers import Server, wait_until

KEY = "sk-canary-0123456789abcdef"

Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def durable_cluster() -> Iterator[Cluster]:
    """A PostgreSQL as users run it; whoever stops or suspends it starts it again."""
    with Cluster(fsync=True) as cluster:
        yield cluster


@pytest.fixture
def durable_url(durable_cluster: Cluster) -> Iterator[str]:
    with durable_cluster.fresh(migrate) as url:
        yield url


@pytest.fixture
def file_url(sqlite_template: Path) -> Iterator[str]:
    """A migrated file on a disk, not in memory."""
    folder = servers.temporary_folder()
    shutil.copy(sqlite_template, folder / "chat.db")
    yield f"sqlite:///{folder / 'chat.db'}"
    servers.remove_folder(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The database of the server under test, empty."""
    name = "file_url" if request.param == "sqlite" else "durable_url"
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
def serve(url: str, model: ScriptedModel) -> Iterator[Serve]:
    """Starts a server on the database and the model of this test."""
    with contextlib.ExitStack() as stack:

        def start(workers: int = 2, **settings: str) -> Server:
            ours = {"DATABASE_URL": url, "LLM_BASE_URL": model.base_url, "LLM_API_KEY": KEY}
            server = Server(workers=workers, migrate=False, **(ours | settings))
            return stack.enter_context(server)

        yield start


class Witness:
    """Writes the history of a test down and at last judges it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.history = History(secrets=[KEY])
        self.people: list[Person] = []

    def person(self, server: Server) -> Person:
        """Somebody new, who has opened their first page."""
        person = Person(server.port, sends=self.history.sends)
        assert person.get().status == 200
        self.people.append(person)
        self.history.secrets.append(person.cookie.partition("=")[2])
        return person

    def bystander(self, server: Server) -> None:
        """Somebody else's conversation, of which no row may change from now on."""
        person = self.person(server)
        send = person.begin("a bystander's question")
        assert send.conversation
        self.until_ended()
        self.history.bystanders = stored(self.url)

    def stored(self) -> Stored:
        return stored(self.url)

    def until_ended(self, seconds: float = 30) -> None:
        """Wait until no answer is being written any more."""

        def all_ended() -> bool:
            return all(each.status != "streaming" for each in self.stored().messages)

        wait_until(all_ended, seconds=seconds, every=0.05)

    def judge(self, server: Server) -> Stored:
        """Look at every conversation once more, and fail on whatever does not hold."""
        self.until_ended()
        found = self.stored()
        for person in self.people:
            for conversation in {
                send.conversation for send in self.history.sends if send.owner == person.cookie
            } - {None}:
                assert conversation
                page = person.get(f"/c/{conversation}").page
                for message in page.select(".message"):
                    position = int(str(message["id"]).removeprefix("message-"))
                    body = message.select_one(".body")
                    self.history.shown[conversation, position] = body.get_text() if body else ""
        self.history.log = server.log()
        self.history.secrets += [
            text
            for send in self.history.sends
            for text in [send.text, str(send.conversation)]
            if len(text) > 8
        ]
        assert violations(self.history, found) == []
        assert broken(server) == []
        return found


def broken(server: Server) -> list[object]:
    """What the server itself calls an error: whatever a fault does, it was foreseen."""
    return [
        line
        for line in log_lines(server.log())
        if line.get("exception")
        or (line["level"] == "ERROR" and line["logger"] != "gunicorn.error")
    ]


@pytest.fixture
def witness(url: str) -> Witness:
    return Witness(url)
