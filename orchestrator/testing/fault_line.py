"""One connection of the fault server: requests are read, acts are played, and the dialect lends its words."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.testing import exchange
from orchestrator.testing.behaviour import Fail
from orchestrator.testing.dialects import dialect_of
from orchestrator.testing.faults import Head, NeverRead

if TYPE_CHECKING:
    from orchestrator.testing.fault_server import FaultServer

__all__ = ["FaultLine", "Received"]

_TLS = b"\x16"  # the first byte of a TLS handshake, which a server of plain HTTP hangs up on
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: closing sends RST


class Received(NamedTuple):
    """One request as it came; the names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class FaultLine:
    """One connection, and the request on it that is being answered."""

    def __init__(self, server: FaultServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._dialect = dialect_of("")
        self._asked = exchange.Asked("chat")
        self._chunked = False
        self.talking = False

    async def serve(self) -> bool:
        """Read one request and play what it meets; False once the connection is over."""
        start = await self._reader.read(1)
        if not start or start == _TLS:
            return False
        acts = self._server.next_acts()
        self.talking = True
        if not isinstance(acts[0], NeverRead):
            received = await _request(self._reader, start)
            self._server.requests.append(received)
            self._server.tell()
            self._understand(received)
        for act in acts:
            await act.play(self)
        await self._writer.drain()
        self.talking = False
        return not self._writer.is_closing()

    def _understand(self, received: Received) -> None:
        """Find out in which dialect what is asked; what cannot be read counts as a chat."""
        path, _, query = received.target.partition("?")
        provider, _, rest = path[1:].partition("/")
        self._dialect = dialect_of(provider)
        self._asked = exchange.Asked("chat")
        with suppress(ValueError, LookupError, TypeError, AttributeError):
            self._asked = self._dialect.read(received.method, "/" + rest, query, received.body) or self._asked

    # what acts do

    @property
    def streams(self) -> bool:
        """True when the request asked for a stream."""
        return self._asked.stream

    async def raw(self, data: bytes) -> None:
        """These bytes; ConnectionResetError once the client has left."""
        self._writer.write(data)
        await self._writer.drain()
        if self._writer.is_closing():
            raise ConnectionResetError("the client has left")

    async def body(self, data: bytes) -> None:
        """These bytes, as a chunk where the reply is chunked; none end it."""
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def head(self, head: Head) -> None:
        """A status line and headers, which decide how the body is framed."""
        self._chunked = head.chunked
        await self.raw(head.encoded())

    async def pause(self, delay_s: float) -> None:
        """Wait on the server's clock."""
        await self._server.clock.sleep(delay_s)

    async def until_left(self) -> None:
        """Read and forget until the client leaves, which is told as ConnectionResetError."""
        while await self._reader.read(65_536):
            pass
        raise ConnectionResetError("the client has left")

    def close(self) -> None:
        """FIN, once what was written has left."""
        self._writer.close()

    def reset(self) -> None:
        """RST, and nothing more."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    def half_close(self) -> None:
        """FIN of this side alone."""
        self._writer.write_eof()

    # what the dialect says

    def whole(self, text: str) -> bytes:
        """A whole answer of the asked dialect."""
        return exchange.dumps(self._dialect.reply(self._answer(text)))

    def frames(self, text: str) -> exchange.Frames:
        """The same as a stream."""
        return self._dialect.stream(self._asked, self._answer(text))

    def error(self, fail: Fail) -> exchange.ErrorReply:
        """A refusal of the asked dialect."""
        return self._dialect.error(fail, self._asked, window=0)

    def error_inside(self, fail: Fail) -> bytes:
        """A refusal in the middle of its stream."""
        return self._dialect.stream_error(self.error(fail))

    def _answer(self, text: str) -> exchange.Answer:
        prompt, said = exchange.tokens_in(self._asked.chars), exchange.tokens_in(len(text))
        return exchange.Answer(self._asked.model, text, "stop", prompt, said, 1, self._server.clock.time())


async def _request(reader: asyncio.StreamReader, start: bytes) -> Received:
    """One request, read to its end."""
    first, *lines = (start + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    method, target, _ = f"{first}  ".split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        return Received(method, target, headers, await _chunks(reader))
    return Received(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while length := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(length + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body
