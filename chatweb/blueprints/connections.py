"""All that is known of gunicorn's connections: how to take one away from the thread that has it.

A followed answer takes minutes, most of them spent waiting; so once its head is sent its
connection goes to the loop, and the thread to the next request. Under any other server, and
where gunicorn itself speaks TLS, a generator writes the stream instead.
"""

from __future__ import annotations

import os
import socket
import ssl

from flask import request


def can_be_taken() -> bool:
    """Whether the request came by a connection of gunicorn's, and in a way we can go on with."""
    connection = request.environ.get("gunicorn.socket")
    return (
        isinstance(connection, socket.socket)
        and not isinstance(connection, ssl.SSLSocket)
        and request.environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        # Nothing of this request is left on it: of a body all has been read.
        and request.method in {"GET", "POST"}
    )


def take() -> socket.socket:
    """The connection of a request whose head, of a chunked answer, has been sent.

    gunicorn keeps a dead one under the same number: what it writes to it fails, as if the client
    had left, and it lets go.
    """
    connection: socket.socket = request.environ["gunicorn.socket"]
    taken = connection.dup()
    taken.setblocking(False)
    dead, peer = socket.socketpair()
    peer.close()
    os.dup2(dead.fileno(), connection.fileno(), inheritable=False)
    dead.close()
    return taken
