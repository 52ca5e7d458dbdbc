"""The gateway: which path leads to whom, and the life of the server."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from orchestrator.gateway import lists
from orchestrator.gateway.dashboard import Dashboard
from orchestrator.gateway.dialects import anthropic_messages, openai_chat, openai_responses
from orchestrator.gateway.patience import Patience
from orchestrator.gateway.settings import GatewaySettings
from orchestrator.gateway.visit import Desk
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.telemetry import joining, meter_of

__all__ = ["Gateway"]

_BACKLOG = 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gateway:
    """Serves a registry over HTTP to the client libraries of OpenAI and Anthropic.

    `application()` is for those who host it themselves; `serving()` listens, and yields the address.
    """

    def __init__(self, registry: ModelRegistry, settings: GatewaySettings | None = None) -> None:
        self.registry = registry
        self.settings = settings if settings is not None else GatewaySettings()
        self.desk = Desk(registry, self.settings)
        meter_of(registry)  # what `/metrics` tells is counted from now on
        self.patience = Patience(registry.clock, head_s=self.settings.head_s)
        self.dashboard = Dashboard(self.desk)

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Every path, in the order in which the reference tells them."""
        talk, serve = self.desk.talk, partial(self.desk.serve, dialect=openai_chat)
        return [
            ("POST", "/v1/chat/completions", partial(talk, dialect=openai_chat)),
            ("POST", "/v1/responses", partial(talk, dialect=openai_responses)),
            ("POST", "/v1/messages", partial(talk, dialect=anthropic_messages)),
            ("POST", "/v1/embeddings", partial(serve, work=lists.embeddings)),
            ("GET", "/v1/models", partial(serve, work=lists.models)),
            ("GET", "/v1/models/{model:.+}", partial(serve, work=lists.model)),
            ("POST", "/v1/feedback", partial(serve, work=lists.feedback)),
            ("GET", "/openapi.json", lists.description),
            ("GET", "/healthz", partial(lists.alive, self.desk)),
            ("GET", "/readyz", partial(lists.ready, self.desk)),
            ("GET", "/metrics", partial(serve, work=lists.metrics)),
            *self.dashboard.routes(),
            ("*", "/{nowhere:.*}", lists.nowhere),
        ]

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application(client_max_size=self.settings.max_body)
        for method, path, handler in self.routes():
            application.router.add_route(method, path, self._heard(handler))
        self.dashboard.install(application)
        return application

    def _heard(self, handler: Handler) -> Handler:
        async def heard(http: web.Request) -> web.StreamResponse:
            self.patience.hear(http)
            with joining(http.headers):
                return await handler(http)

        return heard

    @asynccontextmanager
    async def serving(self, listening: socket.socket | None = None) -> AsyncIterator[str]:
        """Listen until left; calls in flight then have `drain_s` to finish, and no new ones come in.

        With a socket that several processes accept from, each takes one caller at a time, so that all get some.
        """
        runner = web.AppRunner(
            self.application(), handler_cancellation=True, access_log=None, shutdown_timeout=self.settings.drain_s
        )
        await runner.setup()
        try:
            if listening is None:
                await web.TCPSite(runner, self.settings.host, self.settings.port).start()
            else:
                await web.SockSite(runner, listening, backlog=1).start()
                listening.listen(_BACKLOG)  # that one at a time was for the loop, not for the queue
            assert runner.server is not None  # it was set up above
            async with self.patience.watching(runner.server):
                host, port = runner.addresses[0][:2]
                yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
        finally:
            await runner.cleanup()
