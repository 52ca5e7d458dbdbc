"""The gateway: which path leads to whom, and the life of the server."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from aiohttp import web

from orchestrator.gateway import lists
from orchestrator.gateway.counting import count_tokens
from orchestrator.gateway.dashboard import Dashboard
from orchestrator.gateway.dialects import anthropic_messages, openai_chat, openai_completions, openai_responses
from orchestrator.gateway.nowhere import nowhere
from orchestrator.gateway.patience import Patience
from orchestrator.gateway.settings import GatewaySettings
from orchestrator.gateway.siblings import Siblings
from orchestrator.gateway.visit import Desk
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.telemetry import joining, meter_of

__all__ = ["Gateway"]

_BACKLOG = 1024
_FOR_GOOD = ("host", "port", "max_body", "head_s", "drain_s")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gateway:
    """Serves a registry over HTTP to the client libraries of OpenAI and Anthropic.

    `application()` is for those who host it themselves; `serving()` listens, and yields the address. One of several
    workers is handed its `siblings`, so that `/metrics` and the dashboard tell of all.
    """

    def __init__(
        self, registry: ModelRegistry, settings: GatewaySettings | None = None, *, siblings: Siblings | None = None
    ) -> None:
        self.registry = registry
        self.settings = settings if settings is not None else GatewaySettings()
        self.siblings = siblings if siblings is not None else Siblings()
        self.desk = Desk(registry, self.settings, self.siblings)
        meter_of(registry)  # what `/metrics` tells is counted from now on
        self.patience = Patience(registry.clock, head_s=self.settings.head_s)
        self.dashboard = Dashboard(self.desk)
        self.siblings.answer("metrics", self._figures)

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Every path, in the order in which the reference tells them."""
        talk, serve = self.desk.talk, partial(self.desk.serve, dialect=openai_chat)
        return [
            ("POST", "/v1/chat/completions", partial(talk, dialect=openai_chat)),
            ("POST", "/v1/responses", partial(talk, dialect=openai_responses)),
            ("POST", "/v1/completions", partial(talk, dialect=openai_completions)),
            ("POST", "/v1/messages", partial(talk, dialect=anthropic_messages)),
            (
                "POST",
                "/v1/messages/count_tokens",
                partial(self.desk.serve, work=count_tokens, dialect=anthropic_messages),
            ),
            ("POST", "/v1/embeddings", partial(serve, work=lists.embeddings)),
            ("GET", "/v1/models", partial(serve, work=lists.models)),
            ("GET", "/v1/models/{model:.+}", partial(serve, work=lists.model)),
            ("POST", "/v1/feedback", partial(serve, work=lists.feedback)),
            ("GET", "/openapi.json", lists.description),
            ("GET", "/healthz", partial(lists.alive, self.desk)),
            ("GET", "/readyz", partial(lists.ready, self.desk)),
            ("GET", "/metrics", partial(serve, work=lists.metrics)),
            *self.dashboard.routes(),
            ("*", "/{nowhere:.*}", nowhere),
        ]

    async def _figures(self, _: object) -> str:
        return lists.own_figures(self.desk)

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application(client_max_size=self.settings.max_body)
        for method, path, handler in self.routes():
            add = application.router.add_get if method == "GET" else partial(application.router.add_route, method)
            add(path, self._heard(handler))  # what can be read answers HEAD, too, as balancers ask
        self.dashboard.install(application)
        return application

    def _heard(self, handler: Handler) -> Handler:
        async def heard(http: web.Request) -> web.StreamResponse:
            self.patience.hear(http)
            if "traceparent" not in http.headers:
                return await handler(http)
            with joining(http.headers):
                return await handler(http)

        return heard

    def heedable(self, settings: GatewaySettings) -> GatewaySettings:
        """These with what it was started with for good; ConfigurationError where the two do not go together."""
        return replace(settings, **{name: getattr(self.settings, name) for name in _FOR_GOOD})

    def heed(self, settings: GatewaySettings) -> None:
        """Go by other keys, profiles and times from the next request on; what it was started with for good stays."""
        self.settings = self.heedable(settings)
        self.desk.heed(self.settings)
        self.dashboard.heed(self.settings)

    @asynccontextmanager
    async def serving(self, listening: socket.socket | None = None) -> AsyncIterator[str]:
        """Listen until left; calls in flight then have `drain_s` to finish, and no new ones come in.

        With a socket that several processes accept from, each takes one caller at a time, so that all get some.
        """
        runner = web.AppRunner(
            self.application(), handler_cancellation=True, access_log=None, shutdown_timeout=self.settings.drain_s
        )
        async with self.siblings.listening(), _set_up(runner) as server:  # what is in flight may ask them to the last
            if listening is None:
                await web.TCPSite(runner, self.settings.host, self.settings.port).start()
            else:
                await web.SockSite(runner, listening, backlog=1).start()
                listening.listen(_BACKLOG)  # that one at a time was for the loop, not for the queue
            async with self.patience.watching(server):
                host, port = runner.addresses[0][:2]
                yield f"http://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def _set_up(runner: web.AppRunner) -> AsyncIterator[web.Server]:
    """Its server, until left; then nothing of it is open."""
    await runner.setup()
    try:
        assert runner.server is not None  # it was set up above
        yield runner.server
    finally:
        await runner.cleanup()
