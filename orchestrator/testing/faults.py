"""What a server can do to one request, below HTTP: small acts, of which a fault is a sequence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from orchestrator.testing.behaviour import Fail
from orchestrator.testing.exchange import ErrorReply, Frames

__all__ = [
    "Act",
    "Answer",
    "Begin",
    "Drip",
    "End",
    "Fault",
    "Finish",
    "HalfClose",
    "HangUp",
    "Head",
    "Hold",
    "Line",
    "NeverRead",
    "Raw",
    "Refuse",
    "RefuseInside",
    "Reset",
    "Send",
]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_JSON = "application/json"


class Line(Protocol):
    """One request's way back, as an act sees it: bytes as they are, and what the asked dialect would say."""

    async def raw(self, data: bytes) -> None:
        """These bytes, whatever they mean."""

    async def body(self, data: bytes) -> None:
        """These bytes as a part of the body: framed where the reply is chunked."""

    async def head(self, head: Head) -> None:
        """A status line and headers."""

    async def pause(self, delay_s: float) -> None:
        """Wait on the server's clock."""

    async def until_left(self) -> None:
        """Return when the client has closed its side."""

    def close(self) -> None:
        """Hang up once what was written has left."""

    def reset(self) -> None:
        """Break the connection (RST), whatever is still on its way."""

    def half_close(self) -> None:
        """Say no more, and go on reading."""

    def whole(self, text: str) -> bytes:
        """A whole answer in the dialect."""

    def frames(self, text: str) -> Frames:
        """The same as a stream."""

    def error(self, fail: Fail) -> ErrorReply:
        """A refusal in the dialect."""

    def error_inside(self, fail: Fail) -> bytes:
        """A refusal in the middle of a stream."""

    @property
    def streams(self) -> bool:
        """True when the request asked for a stream."""


class Act(Protocol):
    """One thing a server does; your own acts are classes with this method."""

    async def play(self, line: Line) -> None:
        """Do it."""


Fault = Act | Sequence[Act]


@dataclass(frozen=True, slots=True)
class Head:
    """A status line and headers; the body ends with the connection unless `length` (bytes) or `chunked` is given."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    length: int | None = None
    chunked: bool = False
    version: str = "1.1"

    async def play(self, line: Line) -> None:
        """Send it."""
        await line.head(self)

    def encoded(self) -> bytes:
        """The bytes, the empty line included."""
        headers = {"Content-Type": _JSON} | dict(self.headers)
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif self.length is not None:
            headers["Content-Length"] = str(self.length)
        else:
            headers["Connection"] = "close"
        lines = [f"HTTP/{self.version} {self.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that need not be HTTP."""

    data: bytes

    async def play(self, line: Line) -> None:
        """Send them."""
        await line.raw(self.data)


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes of a body, `times` over with `pause_s` between; None goes on until the client leaves."""

    data: bytes
    times: int | None = 1
    pause_s: float = 0.0

    async def play(self, line: Line) -> None:
        """Send them."""
        sent = 0
        while self.times is None or sent < self.times:
            await line.body(self.data)
            sent += 1
            await line.pause(self.pause_s)


@dataclass(frozen=True, slots=True)
class Drip:
    """Bytes of a body, one at a time with `pause_s` after each, over and over until the client leaves."""

    data: bytes
    pause_s: float

    async def play(self, line: Line) -> None:
        """Drip."""
        while True:
            for byte in self.data:
                await line.body(bytes([byte]))
                await line.pause(self.pause_s)


@dataclass(frozen=True, slots=True)
class End:
    """The proper end of a chunked body."""

    async def play(self, line: Line) -> None:
        """Send the last chunk."""
        await line.body(b"")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a healthy provider says, in the dialect and the form that was asked for."""

    text: str = "All is well."

    async def play(self, line: Line) -> None:
        """Say it all."""
        if line.streams:
            await Begin(None, self.text).play(line)
            await Finish(self.text).play(line)
            return
        body = line.whole(self.text)
        await line.head(Head(length=len(body)))
        await line.body(body)


@dataclass(frozen=True, slots=True)
class Begin:
    """The head of a healthy stream and its first `pieces` of text, or all of them; what follows is the next act's."""

    pieces: int | None = 1
    text: str = "All is well."

    async def play(self, line: Line) -> None:
        """Begin the stream."""
        frames = line.frames(self.text)
        await line.head(Head(headers={"Content-Type": frames.content_type}, chunked=True))
        await line.body(frames.head + b"".join(frames.pieces[: self.pieces]))


@dataclass(frozen=True, slots=True)
class Finish:
    """What a healthy stream says at its end: finish, usage, end marker."""

    text: str = "All is well."

    async def play(self, line: Line) -> None:
        """End the stream as it should."""
        await line.body(line.frames(self.text).tail)
        await line.body(b"")


@dataclass(frozen=True, slots=True)
class Refuse:
    """A refusal in the dialect's own words, with more headers; `Refuse(Fail(429), {"retry-after": "soon"})`."""

    fail: Fail = field(default_factory=Fail)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    async def play(self, line: Line) -> None:
        """Refuse."""
        import json

        error = line.error(self.fail)
        body = json.dumps(error.body).encode()
        await line.head(Head(error.status, {**error.headers, **self.headers}, length=len(body)))
        await line.body(body)


@dataclass(frozen=True, slots=True)
class RefuseInside:
    """A refusal inside a stream that has begun."""

    fail: Fail = field(default_factory=lambda: Fail(kind="overloaded"))

    async def play(self, line: Line) -> None:
        """Say it and end the body."""
        await line.body(line.error_inside(self.fail))
        await line.body(b"")


@dataclass(frozen=True, slots=True)
class Hold:
    """Silence, until the client gives up."""

    async def play(self, line: Line) -> None:
        """Wait."""
        await line.until_left()


@dataclass(frozen=True, slots=True)
class NeverRead:
    """The request is left unread, so that a large one gets stuck; as the first act only."""

    async def play(self, line: Line) -> None:  # noqa: ARG002 - the wire stays as it is
        """Wait without reading, longer than any client does."""
        await asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks (RST)."""

    async def play(self, line: Line) -> None:
        """Break it."""
        line.reset()


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection is closed (FIN)."""

    async def play(self, line: Line) -> None:
        """Close it."""
        line.close()


@dataclass(frozen=True, slots=True)
class HalfClose:
    """The server's side is closed (FIN), the client's stays open."""

    async def play(self, line: Line) -> None:
        """Close one side, and wait for the other."""
        line.half_close()
        await line.until_left()
