"""A wire in the middle: between a client and a real server, slow, narrow, cut or refused as told."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Self

from orchestrator.core.clock import SYSTEM_CLOCK, Clock

__all__ = ["TcpProxy"]

_RESET = struct.pack("ii", 1, 0)
_PIECE = 65_536
_Ends = tuple[asyncio.StreamWriter, asyncio.StreamWriter]


class TcpProxy:
    r"""Listens on loopback and passes every connection on to `host:port`, until it is told otherwise.

    `delay_s` (each way) and `bytes_per_s` apply from the moment they are set. `cut`, `half_close` and `refuse` happen
    once; `accept` listens again at the same port.

    >>> async def through() -> bytes:
    ...     from orchestrator.testing import FaultServer
    ...     async with FaultServer() as server, TcpProxy("127.0.0.1", server.port) as proxy:
    ...         reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    ...         writer.write(b"GET / HTTP/1.1\r\n\r\n")
    ...         first = await reader.readline()
    ...         writer.close()
    ...         return first
    >>> asyncio.run(through())
    b'HTTP/1.1 200 Said\r\n'
    """

    def __init__(self, host: str, port: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self.port = 0
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        self.connections = 0
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], _Ends] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        links = list(self._open)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def accept(self) -> None:
        """Listen, at the port of before if there was one."""
        if self._server is None:
            self._server = await asyncio.start_server(self._link, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Listen no more: new connections are refused, those that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Break every open connection on both sides (RST)."""
        for ends in self._open.values():
            for end in ends:
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.transport.abort()

    def half_close(self) -> None:
        """Tell every client that the server has no more to say, and go on listening to it."""
        for client, _ in self._open.values():
            if not client.is_closing():
                client.write_eof()

    def stall(self) -> None:
        """Pass nothing on, and keep every connection open."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass on again, at full speed."""
        self.delay_s, self.bytes_per_s = 0.0, None
        self._flowing.set()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client and the one made for it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        far_writer = writer
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._open[task] = writer, far_writer
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, far_writer))
                both.create_task(self._pass_on(far_reader, writer))
        except (OSError, asyncio.CancelledError, ExceptionGroup):
            pass  # either side broke, or the proxy closes
        finally:
            self._open.pop(task, None)
            for end in (writer, far_writer):
                end.close()
                with suppress(OSError, asyncio.CancelledError):
                    await end.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its end."""
        while data := await reader.read(_PIECE if self.bytes_per_s is None else max(1, int(self.bytes_per_s / 10))):
            await self._flowing.wait()
            narrow_s = 0.0 if self.bytes_per_s is None else len(data) / self.bytes_per_s
            if self.delay_s or narrow_s:
                await self.clock.sleep(self.delay_s + narrow_s)
            if not writer.is_closing():
                writer.write(data)
                await writer.drain()
        if not writer.is_closing() and writer.can_write_eof():
            writer.write_eof()
