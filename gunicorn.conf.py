"""How gunicorn serves chatweb: found by itself by ``gunicorn wsgi:app``."""

import errno
import os
import resource
import signal
import socket
import sys
import time

import gunicorn.http.unreader
import gunicorn.util

from chatweb import logs, replies
from chatweb.config import HOSTS_NEEDED, WrongSetting, is_loopback, load
from chatweb.llm import local

try:
    settings = load()
except WrongSetting as wrong:
    raise SystemExit(f"chatweb cannot start: {wrong}") from None

bind = f"{settings.host}:{settings.port}"
workers = settings.web_concurrency
worker_class = "gthread"
threads = settings.threads
graceful_timeout = settings.graceful_timeout
# A worker that finishes its last answers says nothing to the master meanwhile.
timeout = max(30, graceful_timeout + 5)
keepalive = 10

WINDING_UP = 3
"""Seconds of the grace that are left for keeping what answers had when it was over."""

SWITCH_INTERVAL = 0.0005
"""Seconds a thread may compute while others wait. Who writes to the database gives way at each
statement, and with Python's own 5 ms would wait too long for its turn while others wait for it."""

# Each reader of an answer has a connection, and many systems allow a process 1,024 files at first.
_, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))

# The code is loaded once, before the workers are forked: a quick start, and shared memory.
preload_app = True
# By default gunicorn opens a control socket in the home folder.
control_socket_disable = True
logconfig_dict = logs.configuration(settings.log_level)

if not settings.llm_base_url:
    # Chosen before the workers are forked, so that all of them know it.
    local.choose_address()


def _close_quickly(sock, timeout=0.02):
    """gunicorn 27 closes connections on a worker's main thread and waits up to 2 s for the
    client; three idle ones would hold up everybody."""
    _close_graceful(sock, timeout=timeout)


_close_graceful = gunicorn.util.close_graceful
gunicorn.util.close_graceful = _close_quickly


STANDS_STILL = 10.0
"""Seconds a request may stand still on its way in. gunicorn would wait for ever: each phone that
loses its network in the middle of a question would cost a thread."""


def _read_in_time(unreader, size_hint=None):
    unreader.sock.settimeout(STANDS_STILL)
    try:
        return _read(unreader, size_hint)
    except TimeoutError:
        # What gunicorn and Werkzeug know: as if the client had left.
        raise ConnectionResetError(errno.ECONNRESET, "the request stood still") from None
    finally:
        unreader.sock.settimeout(None)


_read = gunicorn.http.unreader.SocketUnreader.chunk
gunicorn.http.unreader.SocketUnreader.chunk = _read_in_time


def on_starting(server):
    addresses = [address for address in server.cfg.address if isinstance(address, tuple)]
    for host, port in addresses:
        if not settings.hosts and not is_loopback(host):
            raise SystemExit(f"chatweb cannot start: {HOSTS_NEEDED}")
        if "GUNICORN_FD" not in os.environ and port and is_taken(host, port):
            raise SystemExit(
                f"chatweb cannot start: port {port} on {host} is in use; choose another with PORT."
            )
    if not settings.llm_base_url:
        server.local_model = local.start(local.choose_address())


def is_taken(host, port):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def when_ready(server):
    if sys.stdin.isatty():
        # A terminal that is closed sends what gunicorn takes for "reload": it would go on unseen.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    for listener in server.LISTENERS:
        host, port = listener.sock.getsockname()[:2]
        sys.stdout.write(f"chatweb is ready: http://{host}:{port}\n")
        sys.stdout.flush()


def post_worker_init(worker):
    sys.setswitchinterval(SWITCH_INTERVAL)
    # The master kills a worker when the grace is over: by then its answers must have been kept.
    grace = int(settings.graceful_timeout - min(WINDING_UP, settings.graceful_timeout / 2))
    worker.cfg.set("graceful_timeout", grace)
    worker.leave_by = 0.0

    def leave(number, frame):
        worker.leave_by = time.monotonic() + grace
        replies.leave(worker.app.callable)
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, leave)
    signal.siginterrupt(signal.SIGTERM, False)
    replies.look_after(worker.app.callable)


def worker_exit(server, worker):
    # Answers nobody watches have no connection that gunicorn would wait for.
    leave_by = getattr(worker, "leave_by", 0.0)
    replies.shut_down(worker.app.callable, leave_by - time.monotonic())


def on_exit(server):
    if model := getattr(server, "local_model", None):
        model.stop()
