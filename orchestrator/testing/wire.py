"""Bytes onto the connection: whole bodies, streams at the pace of speech, and connections that break."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from orchestrator.core.clock import Clock

__all__ = ["Wire"]


class Wire:
    """One request's way back."""

    __slots__ = ("_clock", "_request", "headers")

    def __init__(self, request: web.BaseRequest, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self.headers: dict[str, str] = {}

    def whole(self, status: int, body: bytes, content_type: str = "application/json") -> web.Response:
        """A body that is complete."""
        return web.Response(body=body, status=status, headers={**self.headers, "Content-Type": content_type})

    async def half(self, body: bytes) -> web.StreamResponse:
        """A body that promises to be whole and breaks off."""
        response = web.StreamResponse(headers={**self.headers, "Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(self._request)
        await response.write(body[: len(body) // 2])
        self.hang_up()
        return response

    async def begin(self, content_type: str) -> web.StreamResponse:
        """A stream whose end is not known."""
        response = web.StreamResponse(headers={**self.headers, "Content-Type": content_type})
        response.enable_chunked_encoding()
        await response.prepare(self._request)
        return response

    async def speak(self, response: web.StreamResponse, pieces: Sequence[bytes], *, pause_s: float) -> None:
        """Pieces with a pause after each, or all at once where there is none."""
        if not pause_s:
            await response.write(b"".join(pieces))
            return
        for piece in pieces:
            await response.write(piece)
            await self._clock.sleep(pause_s)

    def hang_up(self) -> web.Response:
        """Close the connection once what was written has left."""
        if self._request.transport is not None:
            self._request.transport.close()
        return web.Response()
