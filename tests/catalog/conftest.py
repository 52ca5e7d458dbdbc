"""Lists of models on loopback: an emulated town in a thread, and a desk that hands out what it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.integrations.transport import close_sessions
from orchestrator.models.portal import portal
from orchestrator.testing import EmulatedModel, Emulator

NAMES = ("gpt-4", "gpt-4o", "claude-3-opus", "llama2:7b")


@pytest.fixture
def town():
    """Every dialect, each listing the same models; a server in its own thread, so that plain code can ask it."""
    with Emulator.in_thread([EmulatedModel(name) for name in NAMES]) as emulator:
        yield emulator
        portal.close()


class Desk:
    """Answers each path with what was put there, in turn, and notes who asked; the last answer stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[web.Response]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def put(self, path: str, body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Queue a body: bytes and text as they are, anything else as JSON."""
        data = (
            body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        self.answers.setdefault(path, []).append((data, status, headers or {}))

    async def handle(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path_qs
        self.asked.append((path, {name.lower(): value for name, value in request.headers.items()}))
        queue = self.answers.get(path) or self.answers.get(path.partition("?")[0])
        if not queue:
            return web.json_response({"error": {"message": f"nothing at {path}"}}, status=404)
        data, status, headers = queue.pop(0) if len(queue) > 1 else queue[0]
        return web.Response(body=data, status=status, headers={"Content-Type": "application/json", **headers})

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
async def desk():
    """A server on this loop."""
    found = Desk()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", found.handle)
    server = TestServer(app)
    await server.start_server()
    found.url = str(server.make_url("/")).rstrip("/")
    yield found
    await close_sessions()
    await server.close()
