"""Clients that hold connections, send slowly or talk nonsense do not hold up the others."""

from __future__ import annotations

import contextlib
import http.client
import socket

import psutil
import pytest

from tests.faults.conftest import Serve, Witness
from tests.faults.people import Line, Person, log_lines
from tests.scripted_model import Script, ScriptedModel
from tests.servers import Server, wait_until

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

REQUEST = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def spoken(server: Server, words: bytes) -> bytes:
    """The first line that the server answers to ``words``; empty when it just closes."""
    with connected(server) as connection, contextlib.suppress(ConnectionResetError):
        connection.sendall(words)
        return connection.recv(65_536).partition(b"\r\n")[0]
    return b""


def test_connections_that_end_while_idle_hold_nobody_up(serve: Serve) -> None:
    # gunicorn closes them on the worker's main thread, and by default waits 2 s for each.
    server = serve(workers=1, GUNICORN_CMD_ARGS="--keep-alive 1")
    idle = [connected(server) for _ in range(3)]
    for connection in idle:
        connection.sendall(REQUEST)
        assert connection.recv(65_536)
    times = []

    def all_closed() -> bool:
        times.append(Person(server.port).get("/livez").seconds)
        return all(map(is_closed, idle))

    wait_until(all_closed, seconds=10, every=0.05)
    assert max(times) < 1
    for connection in idle:
        connection.close()


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        # What is left of the answer may have come in a packet of its own.
        while connection.recv(65_536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_slow_senders_hold_nobody_up(serve: Serve) -> None:
    server = serve(workers=1)
    slow = [connected(server) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        assert Person(server.port).get("/").status == 200
        for connection in slow:
            connection.sendall(b".0.0.1\r\n")
        assert Person(server.port).get("/livez").status == 200
    finally:
        for connection in slow:
            connection.close()


def test_requests_that_stand_still_give_their_threads_back(serve: Serve) -> None:
    server = serve(workers=1, THREADS="2")
    halves = [
        b"GET / HTTP/1.1\r\nHost: 127",
        b"POST /c HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\ntext=",
    ]
    with contextlib.ExitStack() as stack:
        for half in halves:
            stack.enter_context(connected(server)).sendall(half)
        assert Person(server.port, Line(server.port, timeout=40)).get("/livez").status == 200
        assert Person(server.port).get("/").status == 200
    assert [line for line in log_lines(server.log()) if line["level"] == "ERROR"] == []


def test_readers_in_every_thread_leave_health_alone(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(workers=1, THREADS="4")
    person = witness.person(server)
    model.script = Script(tokens=200, interval=0.02)
    send = person.begin("a question with many readers")
    assert send.conversation
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(person.reading(send.conversation, 2))
        assert Person(server.port).get("/livez").status == 200
        assert Person(server.port).get("/health").status == 200
    witness.judge(server)


@pytest.mark.parametrize(
    "words",
    [
        b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
        b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nName : value\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nName: value\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"Name: value\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nName: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /c HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nzz\r\n",
    ],
    ids=[
        "two-lengths", "two-content-lengths", "signed-length", "unknown-encoding",
        "space-before-colon", "folded", "two-hosts", "no-host", "long-address", "many-headers",
        "large-header", "bad-chunk",
    ],
)  # fmt: skip
def test_nonsense_is_refused(nonsense_server: Server, words: bytes, url: str) -> None:
    line = spoken(nonsense_server, words)
    assert not line or line.split()[1][:1] == b"4" or line.split()[1] == b"501"
    assert Person(nonsense_server.port).get("/livez").status == 200


def test_a_false_length_is_cut_off(nonsense_server: Server, url: str) -> None:
    head = (
        b"POST /c HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    )
    assert spoken(nonsense_server, head + b"text=short").split()[1] == b"413"


def test_a_body_without_a_length_is_refused_or_bounded(nonsense_server: Server, url: str) -> None:
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    head = (
        b"POST /c HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    )
    with connected(nonsense_server) as connection:
        with contextlib.suppress(OSError):
            for _ in range(160):
                connection.sendall(head + chunk)
                head = b""
            connection.sendall(b"0\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100).split()[1] in {b"400", b"411", b"413"}


@pytest.fixture(scope="module")
def nonsense_server() -> object:
    with Server(workers=1) as server:
        yield server


def test_a_line_survives_an_error(serve: Serve) -> None:
    server = serve(workers=1)
    with contextlib.closing(Line(server.port)) as line:
        assert line.ask("GET", "/nowhere", None, {}).status == 404
        assert line.ask("GET", "/livez", None, {}).status == 200


def test_connections_beyond_what_the_system_allows_are_survived(
    serve: Serve, witness: Witness, model: ScriptedModel
) -> None:
    server = serve(workers=1)
    witness.bystander(server)
    person = witness.person(server)
    model.script = Script(tokens=50, interval=0.02)
    send = person.begin("asked while files run out")
    assert send.conversation
    (worker,) = map(psutil.Process, server.worker_pids())
    worker.rlimit(psutil.RLIMIT_NOFILE, (48, 48))
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(connected(server))
            with contextlib.suppress(OSError):
                connection.sendall(REQUEST)
    wait_until(lambda: well(server), seconds=20)
    assert person.ask(send.conversation, "and now?").status in {303, 409}
    witness.judge(server, foreseen="Too many open files")


def well(server: Server) -> bool:
    try:
        return Person(server.port).get("/health").status == 200
    except (OSError, http.client.HTTPException):
        return False
