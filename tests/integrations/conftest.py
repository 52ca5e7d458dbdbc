"""A tiny provider on loopback: it records what it is sent and answers what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.integrations.transport import close_sessions


class TinyProvider:
    """Answers every request with the next of its answers, the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Callable[[web.Request], Any]] = []
        self.url = ""

    def reply(self, body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Queue a body: bytes as they are, anything else as JSON."""
        kind = {"Content-Type": "application/json"} | (headers or {})
        data = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(body=data, status=status, headers=kind)

        self.answers.append(answer)

    def stream(self, *events: Any, kind: str = "text/event-stream", done: bool = True) -> None:
        """Queue a stream of events: bytes as they are, anything else as one event of JSON."""
        raw = [e if isinstance(e, bytes) else b"data: " + json.dumps(e).encode() + b"\n\n" for e in events]

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": kind})
            await response.prepare(request)
            for piece in raw:
                await response.write(piece)
            if done:
                await response.write(b"data: [DONE]\n\n")
            return response

        self.answers.append(answer)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.requests.append(
            {
                "method": request.method,
                "path": request.rel_url.raw_path_qs,
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "body": json.loads(text) if text else None,
            }
        )
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return await answer(request)

    @property
    def last(self) -> dict[str, Any]:
        return self.requests[-1]


@pytest.fixture
async def tiny():
    """A provider on loopback."""
    provider = TinyProvider()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", provider.handle)
    server = TestServer(app)
    await server.start_server()
    provider.url = str(server.make_url("/")).rstrip("/")
    yield provider
    await close_sessions()
    await server.close()
