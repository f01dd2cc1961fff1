"""Starting the local model in a process that may be killed, and waiting for what follows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from chatweb.llm import local, supervisor

ROOT = Path(__file__).parents[2]
STARTER = """
    import sys, time
    from pathlib import Path
    from chatweb.llm import local
    weights = Path(sys.argv[1]) if sys.argv[1:] else None
    running = local.start(local.choose_address(), weights)
    print(running.process.pid, flush=True)
    sys.stdin.readline()
    local.stop()
"""


class Starter:
    """A process that starts the local model, as gunicorn's master does."""

    def __init__(self, errors: Path, *arguments: str) -> None:
        environ: dict[str, str] = dict(os.environ)
        environ.pop(supervisor.ADDRESS, None)
        self.address = local.choose_address(environ)
        self.errors = errors
        command = [sys.executable, "-c", textwrap.dedent(STARTER), *arguments]
        with errors.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603, ours
                command, cwd=ROOT, env=environ, text=True, stderr=log,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        assert self.process.stdout
        self.supervisor = psutil.Process(int(self.process.stdout.readline()))

    @property
    def servers(self) -> list[psutil.Process]:
        try:
            return list(self.supervisor.children())
        except psutil.NoSuchProcess:
            return []

    def ready(self) -> bool:
        return until(lambda: local.is_ready(self.address), 30)

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.errors.read_text().splitlines()]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def until(fact: Callable[[], Any], seconds: float = 15.0) -> bool:
    """Whether ``fact()`` came to hold within ``seconds``."""
    end = time.monotonic() + seconds
    while not (holds := bool(fact())) and time.monotonic() < end:
        time.sleep(0.02)
    return holds


def gone(*processes: psutil.Process) -> bool:
    """Whether all of them ended, soon."""
    return until(lambda: not any(process.is_running() for process in processes))
