"""A streamed answer on its way out: as fast as the client reads, with signs of life while there is nothing to say."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from aiohttp import web

from orchestrator.gateway.frames import HEADERS

__all__ = ["Speaker"]

_BEAT = b": still here\n\n"  # a comment: every reader of server-sent events skips it


class Speaker:
    """Writes frames; within `async with`, a silence of `beat_s` is broken by a comment, so that no proxy gives up."""

    def __init__(self, http: web.Request, headers: dict[str, str], *, beat_s: float) -> None:
        self.response = web.StreamResponse(headers={**HEADERS, **headers})
        self._http = http
        self._beat_s = beat_s
        self._spoke = False
        self._timer: asyncio.TimerHandle | None = None
        self._beats: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.response.prepare(self._http)
        self._listen()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for beat in self._beats:
            beat.cancel()
        if kind is None:
            await self.response.write_eof()

    async def say(self, frame: bytes) -> None:
        """Write a frame; a full socket makes the caller wait, and with it the provider's reader."""
        self._spoke = True
        if frame:
            await self.response.write(frame)

    def _listen(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._beat_s, self._on_silence)

    def _on_silence(self) -> None:
        if not self._spoke and not self._beats:
            beat = asyncio.create_task(self.response.write(_BEAT), name="heartbeat")
            self._beats.add(beat)
            beat.add_done_callback(self._beaten)
        self._spoke = False
        self._listen()

    def _beaten(self, beat: asyncio.Task[None]) -> None:
        self._beats.discard(beat)
        if not beat.cancelled():
            beat.exception()  # the client left: the next frame finds out, too
