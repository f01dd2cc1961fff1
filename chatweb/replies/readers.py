"""A connection that was handed over, and what is written to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

FARTHEST_BEHIND = 1024 * 1024
"""Bytes not yet taken by a reader's connection after which it is cut: its page comes back."""

LEAVING = 10.0
"""Seconds a reader has to take what was written to it at the end."""

LAST_CHUNK = b"0\r\n\r\n"


class Reader(asyncio.Protocol):
    """One connection, whose head was sent."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._leave: list[Callable[[Reader], None]] = []

    async def connect(self, connection: socket.socket) -> bool:
        """Begin to write to ``connection``; False if its client has left already."""
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self, connection)
        return not self.transport.is_closing()

    def when_lost(self, leave: Callable[[Reader], None]) -> None:
        self._leave.append(leave)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        for leave in self._leave:
            leave(self)

    def write(self, data: bytes) -> None:
        if not data or self.transport.is_closing():
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > FARTHEST_BEHIND:
            self.transport.abort()

    def close(self) -> None:
        """Close when what was written has been taken, but do not wait for it for ever."""
        self.transport.close()
        asyncio.get_running_loop().call_later(LEAVING, self.transport.abort)


def chunk(text: str) -> bytes:
    """``text`` as one chunk of an HTTP/1.1 body whose head was sent; nothing for nothing."""
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
