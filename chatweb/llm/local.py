"""The local demonstration model, from the web server's side: its address, start and stop.

In gunicorn's master, before the workers are forked::

    local.start(local.choose_address())  # on_starting; returns at once, the model loads meanwhile
    local.stop()                         # on_exit

(gunicorn reads its settings file anew at a reload, so a variable in there would be lost)

and in a worker `endpoint_from(local.choose_address(), …)`. The model itself runs in processes of
its own (see `supervisor`) and is never imported here.
"""

from __future__ import annotations

import http.client
import os
import random
import secrets
import socket
import subprocess
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chatweb.llm import supervisor

if TYPE_CHECKING:
    from chatweb.llm.client import Endpoint

NAME = supervisor.NAME
MAX_TOKENS = 512
PROMPT_SIZE = 1900
"""Bytes of a prompt. A byte makes one token at most, so with the marks round the messages this
always fits the 2,048 tokens of a slot; in English it is some 450 tokens, two seconds' reading."""
PATIENCE = 4
"""Times to try again: enough for the time the model takes to load."""
STOP_TIMEOUT = 5.0
NEEDED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "TMPDIR")
"""What of the environment the model gets: no password of a database, and no other key."""


@dataclass(frozen=True)
class LocalAddress:
    """Where the local model listens on loopback, and the key that it asks for."""

    port: int
    api_key: str = field(repr=False)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def choose_address(environ: MutableMapping[str, str] = os.environ) -> LocalAddress:
    """The address in ``environ``, or a new one with a free port and a random key, put there.

    So the process that starts the model calls this first, and whatever it forks, or becomes
    after a reload, gets the same answer.
    """
    known = environ.get(supervisor.ADDRESS, "").split(" ")
    if len(known) >= 2 and known[0].isdecimal():
        return LocalAddress(int(known[0]), known[1])
    address = LocalAddress(free_port(), secrets.token_urlsafe(32))
    environ[supervisor.ADDRESS] = f"{address.port} {address.api_key}"
    return address


def free_port() -> int:
    """A free port below those that systems give to outgoing connections, so it stays free."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 50):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing() -> str | None:
    """A sentence for the operator if the local model is not installed, else None."""
    return None if supervisor.weights() else supervisor.NOT_INSTALLED


class LocalModel:
    """The running processes; `start` makes one."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self.process = process
        self._owner = os.getpid()

    def stop(self) -> None:
        """End the processes. Again, or in a process forked from the owner, it does nothing."""
        process, self.process = self.process, None
        if process is None or os.getpid() != self._owner:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


started: list[LocalModel] = []


def start(address: LocalAddress, weights: Path | None = None) -> LocalModel:
    """Start the model at ``address`` and return at once; it answers within a second or so.

    If it is not installed, one line of the log says so, and whoever asks it is told that it
    cannot be reached. Call this from a thread that lives as long as the process: on Linux the
    model ends with the thread that started it. ``weights`` replaces the file of the model.
    """
    path = weights or supervisor.weights()
    if path is None:
        supervisor.say("ERROR", supervisor.NOT_INSTALLED)
        return LocalModel(None)
    command = [sys.executable, "-P", supervisor.__file__, "supervise", str(os.getpid())]
    secret = {supervisor.ADDRESS: f"{address.port} {address.api_key} {path}"}
    process = subprocess.Popen(  # noqa: S603, nothing of it comes from outside
        command,
        env={name: os.environ[name] for name in NEEDED if name in os.environ} | secret,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # Ctrl-C goes to the web server alone, which then stops the model in good order.
        start_new_session=True,
    )
    running = LocalModel(process)
    started.append(running)
    return running


def stop() -> None:
    """End every local model that this process has started."""
    while started:
        started.pop().stop()


def is_ready(address: LocalAddress, timeout: float = 1.0) -> bool:
    """Whether the model answers; ``timeout`` in seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=timeout)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def endpoint_from(
    address: LocalAddress,
    *,
    first_token_timeout: float = 60.0,
    timeout: float = 600.0,
    max_answer_chars: int = 200_000,
) -> Endpoint:
    """The local model as an endpoint: a short memory, short answers, few surprises."""
    from chatweb.llm.client import Endpoint

    return Endpoint(
        base_url=address.base_url,
        api_key=address.api_key,
        model=NAME,
        first_token_timeout=first_token_timeout,
        timeout=timeout,
        max_answer_chars=max_answer_chars,
        max_tokens=MAX_TOKENS,
        temperature=0.2,
        prompt_size=PROMPT_SIZE,
        retries=PATIENCE,
        local=True,
        name=NAME,
    )


if __name__ == "__main__":
    # By hand: runs the model at the address in the environment while the caller lives.
    given = choose_address()
    path = supervisor.weights()
    if path is None:
        raise SystemExit(supervisor.NOT_INSTALLED)
    os.environ[supervisor.ADDRESS] = f"{given.port} {given.api_key} {path}"
    supervisor.Supervisor(os.getppid()).run()
