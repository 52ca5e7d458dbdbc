"""The workers of one crew among themselves: each can be asked, over a socket of its own, for what only it knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from orchestrator.errors import MalformedResponseError
from orchestrator.integrations.strict_json import dumps, loads

__all__ = ["Siblings"]

_PATIENCE_S = 1.0  # a worker that takes longer is busy or gone: the others are shown without it
_log = logging.getLogger(__name__)

Told = Callable[[Any], Awaitable[Any]]


class Siblings:
    """A worker's view of the others; a process alone has none, and asks nobody.

    The sockets lie in a folder that only their user may enter, so nobody else can ask. Who does not answer within a
    second, as a worker that has just been started, is left out.
    """

    def __init__(self, number: int | None = None, folder: Path | None = None, of: int = 1) -> None:
        self.number = number
        self.of = of
        self._folder = folder
        self._subjects: dict[str, Told] = {}
        self._lines: dict[int, aiohttp.ClientSession] = {}

    def answer(self, subject: str, told: Told) -> None:
        """Tell the others this when they ask for the subject: `told` gets what they said, and returns a JSON value."""
        self._subjects[subject] = told

    async def ask(self, subject: str, said: Any = None) -> dict[int, Any]:
        """What the others tell of a subject, by their numbers."""
        if self._folder is None:
            return {}
        others = [number for number in range(1, self.of + 1) if number != self.number]
        told = await asyncio.gather(*(self._asked(number, subject, said) for number in others))
        return {number: one for number, one in zip(others, told, strict=True) if one is not None}

    async def _asked(self, number: int, subject: str, said: Any) -> Any:
        try:
            async with self._line(number).post(f"http://worker/{subject}", data=dumps(said)) as reply:
                return loads(await reply.read()) if reply.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError, MalformedResponseError):
            return None

    def _line(self, number: int) -> aiohttp.ClientSession:
        line = self._lines.get(number)
        if line is None:
            connector, limit = aiohttp.UnixConnector(str(self._socket(number))), aiohttp.ClientTimeout(_PATIENCE_S)
            line = self._lines[number] = aiohttp.ClientSession(connector=connector, timeout=limit)
        return line

    def _socket(self, number: int | None) -> Path:
        assert self._folder is not None
        return self._folder / f"worker-{number}.sock"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer the others while inside."""
        if self._folder is None:
            yield
            return
        application = web.Application()
        application.router.add_post("/{subject}", self._told)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_PATIENCE_S)
        await runner.setup()
        try:
            await self._listen(runner)
            yield
        finally:
            await runner.cleanup()
            self._socket(self.number).unlink(missing_ok=True)
            for line in self._lines.values():
                await line.close()
            self._lines.clear()

    async def _listen(self, runner: web.AppRunner) -> None:
        path = self._socket(self.number)
        path.unlink(missing_ok=True)  # of the worker that had this number before
        try:
            await web.UnixSite(runner, str(path)).start()
        except OSError as error:
            _log.warning("worker %s cannot be asked by the others: %s", self.number, error.strerror or error)

    async def _told(self, http: web.Request) -> web.Response:
        told = self._subjects.get(http.match_info["subject"])
        if told is None:
            raise web.HTTPNotFound
        return web.Response(body=dumps(await told(loads(await http.read()))), content_type="application/json")
