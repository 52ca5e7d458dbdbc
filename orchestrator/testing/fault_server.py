"""A provider on loopback that speaks through a raw socket, so that it can do what no HTTP server would."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ssl import SSLContext
from typing import Self

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.testing.dialects import dialect_of
from orchestrator.testing.fault_line import FaultLine, Received
from orchestrator.testing.faults import Act, Answer, Fault

__all__ = ["FaultServer"]

_MOST_REQUESTS = 1_000


class FaultServer:
    """Plays one fault a request, first its `script`'s, then `Answer()`, in the dialect of the address that is asked.

    A fault is an act (`Reset()`, `Hold()`, ...) or a sequence of them (`[Begin(2), Reset()]`). `break_with` replaces
    the script until `mend`. `requests` holds the last 1000, `connections` counts all, and `abandoned` those that the
    client closed while the server was still talking. `tls` makes it an https server.

    >>> async def cut() -> str:
    ...     import aiohttp
    ...     from orchestrator.testing import HangUp, Head, Send
    ...     half = [Head(length=100), Send(b'{"half'), HangUp()]
    ...     async with FaultServer(half) as server, aiohttp.ClientSession() as http:
    ...         try:
    ...             return await (await http.get(server.url)).text()
    ...         except aiohttp.ClientPayloadError as error:
    ...             return type(error).__name__
    >>> asyncio.run(cut())
    'ClientPayloadError'
    """

    def __init__(self, *script: Fault, tls: SSLContext | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self.connections = 0
        self.abandoned = 0
        self.requests: deque[Received] = deque(maxlen=_MOST_REQUESTS)
        self.port = 0
        self._script = deque(map(_acts, script))
        self._broken: Sequence[Act] | None = None
        self._tls = tls
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    @classmethod
    @contextmanager
    def in_thread(cls, *script: Fault, tls: SSLContext | None = None) -> Iterator[Self]:
        """The same for code without an event loop: the server runs in a thread of its own until the block ends."""
        from orchestrator.testing.thread import run_in_thread

        server = cls(*script, tls=tls)
        with run_in_thread(server):
            yield server

    @property
    def url(self) -> str:
        """The root address."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def base_url(self, provider: str = "openai") -> str:
        """The address to give to a client of this provider; labels that are no dialect speak OpenAI's."""
        return f"{self.url}/{provider}{dialect_of(provider).BASE}"

    def script(self, *faults: Fault) -> None:
        """Add faults to what the next requests meet."""
        self._script.extend(map(_acts, faults))

    def break_with(self, fault: Fault) -> None:
        """Every request meets this fault until `mend`; the script waits meanwhile."""
        self._broken = _acts(fault)

    def mend(self) -> None:
        """Go on with the script."""
        self._broken = None

    async def until(self, met: Callable[[Self], object]) -> None:
        """Return once this holds of the server; looked at after each request and each connection that was left.

        `await server.until(lambda server: server.abandoned)`
        """
        while not met(self):
            await self._news.wait()

    def tell(self) -> None:
        """Something was counted: let those who wait look again."""
        self._news.set()
        self._news = asyncio.Event()

    def next_acts(self) -> Sequence[Act]:
        """What the request that is coming in will meet."""
        if self._broken is not None:
            return self._broken
        return self._script.popleft() if self._script else (Answer(),)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        line = FaultLine(self, reader, writer)
        try:
            while await line.serve():
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.abandoned += line.talking
            self.tell()
        except asyncio.CancelledError:
            pass  # the server closes: streams of Python 3.11 complain about a cancelled callback
        finally:
            self._talks.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


def _acts(fault: Fault) -> Sequence[Act]:
    return tuple(fault) if isinstance(fault, Sequence) else (fault,)
