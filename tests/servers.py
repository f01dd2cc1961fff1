"""The product as its users run it: chatweb under gunicorn, and processes that never outlive us.

Whatever the suite starts (gunicorn, PostgreSQL) goes through ``start`` and ends through ``end``.
``start`` also tells a *warden*: one small process per test process, which notices through a
closed pipe that we are gone, however we went, and then ends what is left and removes the
folders.  So a suite that is interrupted, times out or is killed leaves nothing behind.

Everything listens on 127.0.0.1, on ports below those the system gives to outgoing connections,
so that no connection of another test can take a port between the choice and its use.
"""

import atexit
import contextlib
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from dotenv import dotenv_values

REPOSITORY = Path(__file__).resolve().parent.parent
NOWHERE = "http://127.0.0.1:9/v1"
UNLIMITED = dict.fromkeys(
    ("LIMIT_ANSWERS_AT_ONCE", "LIMIT_QUESTIONS_PER_MINUTE", "LIMIT_QUESTIONS_PER_DAY"), "0"
)
_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes it private
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class Server:
    """chatweb in a data folder of its own, migrated and serving while the ``with`` lasts.

    ``settings`` are those of the README, by name; nothing but them reaches the product.  Without
    ``LLM_BASE_URL`` the model is an address where nobody listens; an empty one is the local model.
    It is asked for answers only, not for titles, and how much may be asked is not limited, unless
    they say so.
    """

    def __init__(self, *, workers: int = 1, migrate: bool = True, **settings: str) -> None:
        self.folder = temporary_folder()
        self.port = free_port()
        self.settings = {
            "DATA_DIR": str(self.folder / "data"),
            "HOME": str(self.folder),
            "HOST": "127.0.0.1",
            "LLM_BASE_URL": NOWHERE,
            "LLM_MODEL": "test",
            **UNLIMITED,
            "PORT": str(self.port),
            "TITLES_BY_MODEL": "false",
            "WEB_CONCURRENCY": str(workers),
            **settings,
        }
        self._migrate = migrate
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            if self._migrate:
                upgrade(self.settings)
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it serves, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def master(self) -> psutil.Process:
        """gunicorn's first process."""
        assert self._process is not None, "the server has not been started"
        return psutil.Process(self._process.pid)

    def start(self, *, patience: float = 30) -> None:
        """Start gunicorn and return when ``/livez`` answers 200 and every worker is there."""
        self._process = start(
            [sys.executable, "-m", "gunicorn", "wsgi:app"],
            log=self._log,
            env=environment(self.settings),
            cwd=REPOSITORY,
        )
        try:
            wait_until(self._serves, seconds=patience)
        except TimeoutError:
            raise RuntimeError(f"chatweb did not start:\n{_tail(self.log())}") from None

    def worker_pids(self) -> list[int]:
        """gunicorn's workers; not the local model, which is a child of the same master."""
        master = self.master
        command = master.cmdline()
        return [child.pid for child in master.children() if _command(child) == command]

    def kill_master_and_workers(self) -> None:
        """SIGKILL them all at once, the local model too: a lost machine, as seen from outside."""
        if self._process is not None:
            end(self._process, grace=0)
            self._process = None

    def terminate(self, grace: float = 5) -> bool:
        """Ask gunicorn to end and wait ``grace`` seconds before killing; true when it obeyed."""
        if self._process is None:
            return True
        process, self._process = self._process, None
        return end(process, grace=grace)

    def restart(self, *, grace: float = 5) -> None:
        """The same address, settings and data under new processes."""
        self.terminate(grace)
        self.start()

    def close(self) -> None:
        """End it and remove its data."""
        self.terminate(grace=2)
        remove_folder(self.folder)

    def log(self) -> str:
        """Everything written to standard output and standard error, over all starts."""
        return _read(self._log)

    def _serves(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"chatweb ended while starting:\n{_tail(self.log())}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(connection),
        ):
            connection.request("GET", "/livez")
            serves = connection.getresponse().status == 200
            return serves and len(self.worker_pids()) == int(self.settings["WEB_CONCURRENCY"])
        return False


def upgrade(settings: Mapping[str, str]) -> None:
    """Bring a database to the newest schema as a user would, by ``flask db upgrade``."""
    with _log_file() as log:
        command = [sys.executable, "-m", "flask", "db", "upgrade"]
        process = start(command, log=log, env=environment(settings), cwd=REPOSITORY)
        try:
            status = process.wait(60)
        finally:
            end(process, grace=0)
        if status != 0:
            raise RuntimeError(f"flask db upgrade failed:\n{_tail(_read(log))}")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What a product's process sees: the settings, and of ours only what any program needs."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        # A developer's .env must not reach into a test: an empty setting counts as not given.
        **dict.fromkeys(dotenv_values(REPOSITORY / ".env"), ""),
        **inherited,
        "FLASK_APP": "wsgi.py",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }


def start(command: Sequence[str | Path], *, log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own; it appends to ``log`` and can not outlive us."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - every command is written in this folder
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **options,
        )
    _processes[process.pid] = process
    _tell_warden(f"process {process.pid}")
    return process


def end(process: subprocess.Popen[bytes], *, grace: float, by: int = signal.SIGTERM) -> bool:
    """Send ``by``, wait ``grace`` seconds, then kill what is left of its tree and group.

    True when it ended by itself in time.  A grace of 0 kills at once.
    """
    obeyed = process.poll() is not None
    tree = _tree(process.pid)
    if grace > 0 and not obeyed:
        process.send_signal(by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
            obeyed = True
    _kill(process.pid, tree)
    process.wait(10)
    if _processes.pop(process.pid, None) is not None:
        _tell_warden(f"ended {process.pid}")
    return obeyed


def lives(process: psutil.Process) -> bool:
    """Whether a process can still do anything: a zombie can not, and may stay for a second."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def wait_until(claim: Callable[[], object], *, seconds: float, every: float = 0.02) -> None:
    """Return as soon as the claim holds; TimeoutError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(every)


def temporary_folder(*, in_memory: bool = False) -> Path:
    """A new folder, removed at the end of this process at the latest.

    ``in_memory`` asks for one that is no disk's, where the machine has room for it.
    """
    place = _MEMORY if in_memory and _roomy(_MEMORY) else _open_place()
    folder = Path(tempfile.mkdtemp(prefix="chatweb-", dir=place))
    _folders.add(folder)
    _tell_warden(f"folder {folder}")
    return folder


def remove_folder(folder: Path) -> None:
    """Remove one that ``temporary_folder`` gave."""
    shutil.rmtree(folder, ignore_errors=True)
    _folders.discard(folder)


def reachable(path: Path) -> bool:
    """Whether every user of this machine may enter this folder."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens, given once only by this process."""
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("every port has been given")


def _shuffled_ports() -> Iterator[int]:
    # Parallel workers of one suite take every n-th port; two suites rarely meet, and then probe.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = list(range(10_000 + worker, 32_000, workers))
    random.shuffle(ports)
    yield from ports


def _open_place() -> Path:
    # PostgreSQL runs as another user when we are root, and must be able to reach its folder.
    usual = Path(tempfile.gettempdir())
    return usual if reachable(usual) else Path("/tmp")  # noqa: S108 - mkdtemp makes it private


def _roomy(place: Path) -> bool:
    return place.is_dir() and shutil.disk_usage(place).free > 2**30


@contextlib.contextmanager
def _log_file() -> Iterator[Path]:
    folder = temporary_folder()
    try:
        yield folder / "log"
    finally:
        remove_folder(folder)


def _read(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-20:])


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def _tree(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def _kill(group: int, tree: list[psutil.Process]) -> None:
    # The group at once, also for those whose parent is gone; then the tree, for those that
    # made a group of their own, as PostgreSQL's processes do.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not any(map(lives, tree)), seconds=5, every=0.005)


_processes: dict[int, subprocess.Popen[bytes]] = {}
_folders: set[Path] = set()
_ports = _shuffled_ports()
_warden: subprocess.Popen[str] | None = None


def _tell_warden(line: str) -> None:
    global _warden
    if _warden is None:
        _warden = subprocess.Popen(  # noqa: S603 - this very file
            [sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True, text=True
        )
        atexit.register(_leave_nothing)
    assert _warden.stdin is not None
    print(line, file=_warden.stdin, flush=True)


def _leave_nothing() -> None:
    for process in list(_processes.values()):
        end(process, grace=0)
    for folder in list(_folders):
        remove_folder(folder)


def _guard() -> None:
    """The warden's life: remember what it is told, and clear it away when the teller is gone."""
    processes: set[int] = set()
    folders: list[Path] = []
    for line in sys.stdin:
        word, _, value = line.rstrip("\n").partition(" ")
        match word:
            case "process":
                processes.add(int(value))
            case "ended":
                processes.discard(int(value))
            case "folder":
                folders.append(Path(value))
    for pid in processes:
        _kill(pid, _tree(pid))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guard()
