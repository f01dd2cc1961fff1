"""The storage is full, can only be read, is taken away or fails, under a running server."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import servers
from tests.conftest import migrate
from tests.faults.conftest import Serve
from tests.faults.histories import Send
from tests.faults.people import Person
from tests.faults.witness import Witness
from tests.postgres import Cluster
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

MOUNTABLE = os.geteuid() == 0 and shutil.which("mount")
TRACEABLE = shutil.which("strace")


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = servers.temporary_folder()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)  # noqa: S603 - our own folder
    shutil.chown(folder, "nobody")  # as whom PostgreSQL runs here
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607
    servers.remove_folder(folder)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Somebody else's file takes all the room that is left."""
    other = disk / "somebody-elses"
    with other.open("wb", buffering=0) as file:
        for size in (65_536, 512):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    try:
        yield
    finally:
        other.unlink()


@pytest.fixture
def small_file_url(disk: Path) -> str:
    url = f"sqlite:///{disk / 'chat.db'}"
    migrate(url)
    return url


@pytest.fixture
def small_tablespace_url(durable_cluster: Cluster, disk: Path) -> Iterator[str]:
    with durable_cluster.fresh(migrate) as url:
        name = url.rsplit("/", 1)[1]
        durable_cluster.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        durable_cluster.execute(f'ALTER DATABASE "{name}" SET TABLESPACE small')
        yield url
        durable_cluster.terminate_backends(name)
        durable_cluster.execute(f'ALTER DATABASE "{name}" SET TABLESPACE pg_default')
        durable_cluster.execute("DROP TABLESPACE small")


def refused(send: Callable[[], Send]) -> Send:
    """Send until there is no room any more: what is written first may fit into a page's rest."""
    sends: list[Send] = []

    def is_refused() -> bool:
        sends.append(send())
        return not sends[-1].acknowledged

    wait_until(is_refused, seconds=20)
    return sends[-1]


@pytest.mark.skipif(not MOUNTABLE, reason="only root can mount a small disk")
@pytest.mark.parametrize("url", ["small_file", "small_tablespace"], indirect=True)
def test_a_full_disk_refuses_sends_and_nothing_else(
    serve: Serve, witness: Witness, model: ScriptedModel, disk: Path
) -> None:
    server = serve()
    witness.bystander(server)
    person = witness.person(server)
    model.script = Script(tokens=120, interval=0.02)
    running = person.begin("asked while there was room")
    assert running.conversation
    with person.reading(running.conversation, 2) as reading:
        reading.wait_for_words(5)
        with filled(disk):
            # What cannot be compressed, and is longer than any rest of a page.
            last = refused(lambda: person.begin(secrets.token_hex(15_000)))
            assert (last.status, last.box) == (503, last.text)
            assert "full" in person.post("/c", text=secrets.token_hex(15_000)).text
            assert person.get(f"/c/{running.conversation}").status == 200
            assert person.get("/history").status == 200
    again = person.begin(last.text, last.request_id)
    assert again.acknowledged
    kept = witness.judge(server).one(running.conversation, 2)
    assert (kept.status, kept.content) == ("complete", answer_to(running.text, 120))


@on_postgresql
def test_a_database_that_can_only_be_read_is_read(
    serve: Serve, witness: Witness, durable_cluster: Cluster, url: str
) -> None:
    server = serve()
    person = witness.person(server)
    first = person.begin("asked while it could be written")
    assert first.conversation
    witness.until_ended()
    name = url.rsplit("/", 1)[1]

    def may_be_written(is_so: bool) -> None:
        mode = "off" if is_so else "on"
        durable_cluster.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only={mode}')
        durable_cluster.terminate_backends(name)

    may_be_written(False)
    refusal = person.ask(first.conversation, "asked in vain")
    assert (refusal.status, refusal.box) == (503, "asked in vain")
    assert person.get(f"/c/{first.conversation}").status == 200
    wait_until(lambda: '"warn"' in person.get("/health").text, seconds=5)
    assert person.get("/health").status == 200
    may_be_written(True)
    assert person.ask(first.conversation, refusal.text, refusal.request_id).acknowledged
    witness.judge(server)


@on_sqlite
def test_a_file_that_is_taken_away_is_missed_and_never_made_anew(
    serve: Serve, witness: Witness, model: ScriptedModel, url: str
) -> None:
    server = serve()
    person = witness.person(server)
    model.script = Script(tokens=60, interval=0.02)
    send = person.begin("asked while the file was there")
    assert send.conversation
    file = Path(url.removeprefix("sqlite:///"))
    elsewhere = file.parent / "elsewhere"
    elsewhere.mkdir()
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(5)
        parts = list(file.parent.glob("chat.db*"))
        for part in parts:
            part.rename(elsewhere / part.name)
        refusal = person.ask(send.conversation, "asked meanwhile")
        wait_until(lambda: Person(server.port).get("/health").status == 503, seconds=5)
        page = person.get(f"/c/{send.conversation}")
        assert not file.exists()
        for part in parts:
            (elsewhere / part.name).rename(part)
    assert (refusal.status, refusal.box, page.status) == (503, "asked meanwhile", 503)
    wait_until(lambda: person.get("/health").status == 200, seconds=5)
    witness.until_ended()
    assert person.ask(send.conversation, refusal.text, refusal.request_id).acknowledged
    assert witness.judge(server).one(send.conversation, 2).status == "complete"


@contextmanager
def failing_writes(pid: int, first: int) -> Iterator[None]:
    """From the ``first`` one on, each call of a process that waits for the disk fails with EIO."""
    calls = "fsync,fdatasync"
    process = subprocess.Popen(  # noqa: S603 - our own process
        ["strace", "-f", "-p", str(pid), "-e", f"trace={calls}",  # noqa: S607
         "-e", f"inject={calls}:error=EIO:when={first}+", "-o", os.devnull],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr
    try:
        assert "attached" in process.stderr.readline()
        yield
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


@pytest.mark.skipif(not TRACEABLE, reason="strace is not installed")
@on_sqlite
@pytest.mark.parametrize("first", [1, 4])
def test_a_disk_that_does_not_confirm_a_write_is_no_acknowledgement(
    serve: Serve, witness: Witness, first: int, url: str
) -> None:
    server = serve(workers=1)
    person = witness.person(server)
    with failing_writes(server.worker_pids()[0], first):
        refusal = refused(lambda: person.begin("written, perhaps"))
        assert (refusal.status, refusal.box) == (503, refusal.text)
    again = person.begin(refusal.text, refusal.request_id)
    assert again.acknowledged
    witness.until_ended()
    server.kill_master_and_workers()
    server.start()
    witness.judge(server)
