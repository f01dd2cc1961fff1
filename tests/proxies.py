"""A line between the product and a server that can be slow, dead, silent or cut.

::

    with Proxy("127.0.0.1", cluster.port) as line:
        server = Server(DATABASE_URL=f"postgresql://postgres@127.0.0.1:{line.port}/chat")
        line.freeze()
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from tests.servers import free_port

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards TCP from ``port`` of 127.0.0.1 to a target while the ``with`` lasts.

    ``delay`` is how many seconds everything is held back, either way; it may be changed at any
    time.  ``accepted`` counts the connections so far, ``open`` those that are still there.
    """

    def __init__(self, target_host: str, target_port: int, *, delay: float = 0) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.delay = delay
        self.accepted = 0
        self._target = (target_host, target_port)
        self._loop = asyncio.new_event_loop()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._listener: socket.socket | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._lines)

    def refuse(self) -> None:
        """Refuse new connections, as when no server runs; those that exist go on."""
        self._run(self._close_listener())

    def accept(self) -> None:
        """Take new connections again, on the same port."""
        self._run(self._listen())

    def freeze(self) -> None:
        """Take connections, but let nothing through, as a hung server or a lost network does."""
        self._loop.call_soon_threadsafe(self._thawed.clear)

    def thaw(self) -> None:
        """Let through what was held back, and everything after it."""
        self._loop.call_soon_threadsafe(self._thawed.set)

    def cut(self) -> None:
        """Reset every connection at both ends; what was under way is lost."""
        self._run(self._cut())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=1024)
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._take_waiting, self._listener)

    async def _close_listener(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._take_waiting(self._listener)
            self._listener.close()
            self._listener = None

    def _take_waiting(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(listener.accept()[0])

    def _take(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.accepted += 1
        line = self._loop.create_task(self._connect(connection))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _cut(self) -> None:
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _connect(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        ends = [writer]
        try:
            await self._thawed.wait()
            target_reader, target_writer = await asyncio.open_connection(*self._target)
            ends.append(target_writer)
            await asyncio.gather(
                self._forward(reader, target_writer), self._forward(target_reader, writer)
            )
        except (OSError, asyncio.CancelledError):
            for end in ends:
                end.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
                )
                end.transport.abort()
        finally:
            for end in ends:
                end.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await asyncio.sleep(self.delay)
            await self._thawed.wait()
            writer.write(data)
            await writer.drain()
        await self._thawed.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()
