"""How long a connection may be open without saying what it wants: slow or silent ones are closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from orchestrator.core.clock import Clock

__all__ = ["Patience"]


class Patience:
    """Closes connections whose first request is not whole within `head_s` (aiohttp itself bounds idle ones only)."""

    def __init__(self, clock: Clock, *, head_s: float) -> None:
        self._clock = clock
        self._head_s = head_s
        self._heard: set[web.RequestHandler] = set()
        self._since: dict[web.RequestHandler, float] = {}

    def hear(self, http: web.Request) -> None:
        """This connection has made a request."""
        self._heard.add(http.protocol)

    @asynccontextmanager
    async def watching(self, server: web.Server) -> AsyncIterator[None]:
        """Look after the connections of a server while inside."""
        watch = asyncio.create_task(self._watch(server), name="patience")
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def _watch(self, server: web.Server) -> None:
        while True:
            await self._clock.sleep(self._head_s / 4)
            self._sweep(server, self._clock.monotonic())

    def _sweep(self, server: web.Server, now: float) -> None:
        there = set(server.connections)
        self._heard &= there
        self._since = {one: self._since.get(one, now) for one in there - self._heard}
        for connection, since in self._since.items():
            if now - since >= self._head_s:
                connection.force_close()
