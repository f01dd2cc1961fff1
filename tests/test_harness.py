"""The suite's own tools keep their promises."""

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from tests import browsers, postgres, servers
from tests.proxies import Proxy


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.Cluster() as cluster:
        yield cluster


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says back what it hears."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_echo, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def _echo(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_say_back, args=(connection,), daemon=True).start()


def _say_back(connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        while data := connection.recv(1024):
            connection.sendall(data)


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=0.5)


def _says_back(connection: socket.socket) -> bool:
    connection.sendall(b"hello")
    return connection.recv(1024) == b"hello"


def _answers(url: str, command: str = "SELECT 1") -> bool:
    with contextlib.closing(psycopg2.connect(url, connect_timeout=2)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(command)
        return True


def _make_a_table(url: str) -> None:
    _answers(url, "CREATE TABLE note (id int)")


class TestPostgres:
    def test_a_fresh_database_has_what_was_prepared_once(self, cluster: postgres.Cluster) -> None:
        prepared = []

        def prepare(url: str) -> None:
            prepared.append(url)
            _make_a_table(url)

        for _ in range(2):
            with cluster.fresh(prepare) as url:
                assert _answers(url, "INSERT INTO note VALUES (1)")
        assert len(prepared) == 1

    def test_a_fresh_database_is_gone_afterwards(self, cluster: postgres.Cluster) -> None:
        with cluster.fresh() as url:
            pass
        with pytest.raises(psycopg2.OperationalError, match="does not exist"):
            _answers(url)

    def test_it_does_not_run_as_root(self, cluster: postgres.Cluster) -> None:
        assert cluster.execute("SELECT current_setting('is_superuser')") == [("on",)]
        assert psutil.Process(cluster._running().pid).uids().effective != 0

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_data_outlive_a_restart(self, cluster: postgres.Cluster, mode: str) -> None:
        with cluster.fresh() as url:
            _make_a_table(url)
            cluster.restart(mode)  # type: ignore[arg-type]
            assert _answers(url, "SELECT * FROM note")

    def test_a_stopped_server_refuses(self, cluster: postgres.Cluster) -> None:
        cluster.stop()
        with pytest.raises(psycopg2.OperationalError, match="refused"):
            _answers(cluster.url("postgres"))
        cluster.start()
        assert _answers(cluster.url("postgres"))

    def test_a_suspended_server_says_nothing(self, cluster: postgres.Cluster) -> None:
        cluster.suspend()
        with pytest.raises(psycopg2.OperationalError, match="timeout"):
            _answers(cluster.url("postgres"))
        cluster.resume()
        assert _answers(cluster.url("postgres"))

    def test_it_recovers_from_the_death_of_a_backend(self, cluster: postgres.Cluster) -> None:
        url = cluster.create("victim")
        with contextlib.closing(psycopg2.connect(url)) as connection:
            cluster.kill_backend("victim")
            with pytest.raises(psycopg2.OperationalError), connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        servers.wait_until(cluster._answers, seconds=10)
        cluster.drop("victim")

    def test_durability_and_connections_are_chosen(self) -> None:
        with postgres.Cluster(fsync=True, max_connections=30) as cluster:
            assert cluster.execute("SHOW fsync") == [("on",)]
            assert cluster.execute("SHOW max_connections") == [("30",)]

    def test_without_programs_it_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres, "_candidates", lambda: iter([Path("/nonexistent")]))
        with pytest.raises(RuntimeError, match="TEST_POSTGRES_BIN"):
            postgres.programs.__wrapped__()


class TestServer:
    def test_it_serves_dies_and_comes_back(self) -> None:
        with servers.Server(workers=2) as server:
            workers = [psutil.Process(pid) for pid in server.worker_pids()]
            assert len(workers) == 2
            server.kill_master_and_workers()
            assert not any(map(servers.lives, workers))
            server.restart()
            assert server.url.startswith("http://127.0.0.1:")
            assert "Listening at" in server.log()
            assert server.terminate(grace=10)

    def test_a_start_that_fails_shows_why(self) -> None:
        with (
            pytest.raises(RuntimeError, match="DATABASE_URL must be set"),
            servers.Server(DATABASE_TYPE="postgresql"),
        ):
            pass


class TestProcesses:
    def test_ports_are_given_once(self) -> None:
        ports = [servers.free_port() for _ in range(200)]
        assert len(set(ports)) == 200

    def test_a_killed_suite_leaves_nothing(self, tmp_path: Path) -> None:
        script = textwrap.dedent("""
            import time
            from tests import postgres, servers
            cluster = postgres.Cluster()
            cluster.start()
            cluster.suspend()
            print(cluster._running().pid, cluster.folder, flush=True)
            time.sleep(60)
        """)
        suite = subprocess.Popen(  # noqa: S603 - the script above
            [sys.executable, "-c", script], cwd=servers.REPOSITORY, stdout=subprocess.PIPE
        )
        assert suite.stdout is not None
        with suite.stdout as output:
            pid, folder = output.readline().decode().split()
        backends = psutil.Process(int(pid)).children()
        assert backends
        suite.send_signal(signal.SIGKILL)
        suite.wait()
        servers.wait_until(lambda: not Path(folder).exists(), seconds=10)
        assert not any(map(servers.lives, backends))

    def test_a_process_that_does_not_obey_is_killed(self, tmp_path: Path) -> None:
        script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(60)"
        command = [sys.executable, "-u", "-c", script]
        process = servers.start(command, log=tmp_path / "log", env=os.environ)
        servers.wait_until((tmp_path / "log").read_text, seconds=5)
        assert not servers.end(process, grace=0.1)
        assert process.returncode == -signal.SIGKILL


class TestProxy:
    def test_it_forwards_both_ways_and_the_end(self, echo: int) -> None:
        with Proxy("127.0.0.1", echo) as line, _connected(line.port) as connection:
            assert _says_back(connection)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
            assert line.accepted == 1

    def test_it_holds_back(self, echo: int) -> None:
        with Proxy("127.0.0.1", echo, delay=0.1) as line, _connected(line.port) as connection:
            begin = time.monotonic()
            assert _says_back(connection)
            assert time.monotonic() - begin > 0.2

    def test_it_refuses_and_accepts_again(self, echo: int) -> None:
        with Proxy("127.0.0.1", echo) as line:
            with _connected(line.port) as earlier:
                line.refuse()
                with pytest.raises(ConnectionRefusedError):
                    _connected(line.port)
                assert _says_back(earlier)
            line.accept()
            with _connected(line.port) as connection:
                assert _says_back(connection)

    def test_frozen_it_connects_and_says_nothing_until_thawed(self, echo: int) -> None:
        with Proxy("127.0.0.1", echo) as line:
            line.freeze()
            with _connected(line.port) as connection:
                connection.sendall(b"early")
                with pytest.raises(TimeoutError):
                    connection.recv(1024)
                line.thaw()
                assert connection.recv(1024) == b"early"

    def test_cut_connections_are_reset_and_new_ones_work(self, echo: int) -> None:
        with Proxy("127.0.0.1", echo) as line:
            with _connected(line.port) as connection:
                assert _says_back(connection)
                line.cut()
                with pytest.raises(ConnectionResetError):
                    connection.recv(1024)
            assert line.open == 0
            with _connected(line.port) as connection:
                assert _says_back(connection)


PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<link rel="icon" href="data:,"><main><h1>Heading</h1><img src="/dot.svg"><p id="theme"></p></main>
<script src="/script.js"></script></html>"""
FILES = {
    "/": (PAGE, "text/html"),
    "/dot.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    "/script.js": (
        b"""theme.textContent = matchMedia('(prefers-color-scheme: dark)').matches;
        console.error('said'); fetch('http://127.0.0.1:9/far').catch(() => null);
        throw new Error('thrown')""",
        "text/javascript",
    ),
}


class Site(http.server.BaseHTTPRequestHandler):
    """A page with a fault of each kind, under a strict policy."""

    def do_GET(self) -> None:
        body, kind = FILES[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; img-src 'self' data:; connect-src *",
        )
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[browsers.Browser]:
    with browsers.launch() as browser:
        yield browser


class TestBrowser:
    def test_every_complaint_is_heard(self, browser: browsers.Browser, site: str) -> None:
        page = browsers.new_page(browser, origin=site, theme="dark", width=400)
        page.goto("/", wait_until="networkidle")
        heard = browsers.heard(page)
        assert [line for line in heard.console if line.startswith("said")]
        assert "thrown" in heard.errors[0]
        assert heard.strangers == ["http://127.0.0.1:9/far"]
        assert page.locator("#theme").text_content() == "true"
        heard.clear()
        assert not heard
        page.context.close()

    def test_axe_finds_a_picture_without_words(self, browser: browsers.Browser, site: str) -> None:
        page = browsers.new_page(browser, origin=site)
        page.goto("/")
        (violation,) = browsers.axe(page)
        assert violation.startswith("image-alt (critical) at img:")
        page.context.close()

    def test_scripts_can_be_off(self, browser: browsers.Browser, site: str) -> None:
        page = browsers.new_page(browser, origin=site, scripts=False)
        page.goto("/", wait_until="networkidle")
        assert page.locator("#theme").text_content() == ""
        assert not browsers.heard(page)
        with pytest.raises(AssertionError, match="needs a page with scripts"):
            browsers.axe(page)
        page.context.close()

    def test_a_missing_one_is_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHROMIUM", "no-such-browser")
        with pytest.raises(RuntimeError, match="CHROMIUM names no-such-browser"):
            browsers.find()
        monkeypatch.delenv("CHROMIUM")
        monkeypatch.setenv("PATH", "")
        with pytest.raises(RuntimeError, match="apt-get install chromium"):
            browsers.find()
