"""The dashboard of one gateway: its paths, who may look and who may press, and its life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from aiohttp import web

from orchestrator.gateway.dashboard.actions import operator_of, order_of, press
from orchestrator.gateway.dashboard.feed import Feed
from orchestrator.gateway.dashboard.history import SPANS
from orchestrator.gateway.dashboard.pages import HEADERS, Pages
from orchestrator.gateway.dashboard.snapshot import Watchman
from orchestrator.gateway.dashboard.view import View
from orchestrator.gateway.dialects import openai_chat
from orchestrator.gateway.keys import Doorkeeper
from orchestrator.gateway.refusals import RefusedError
from orchestrator.gateway.settings import GatewayKey, GatewaySettings
from orchestrator.gateway.visit import Desk, sent

__all__ = ["Dashboard"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dashboard:
    """Shows the registry behind a gateway, live, and lets holders of an admin key drain, restore, probe and reset.

    Reading is open to whoever reaches a gateway on loopback or one without keys, else to admin keys only.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._operators = Doorkeeper(_keys(desk.settings), desk.registry.clock)
        self.watchman = Watchman(desk.registry)
        self.view = View(self.watchman, desk.siblings)
        self.feed = Feed(self.view, desk.registry.clock)
        desk.siblings.answer("action", self._told_to_act)

    def heed(self, settings: GatewaySettings) -> None:
        """Know the operators of these settings."""
        self._operators.heed(_keys(settings))

    @cached_property
    def _pages(self) -> Pages:
        return Pages()

    @property
    def is_private(self) -> bool:
        """True when a key is needed to look."""
        settings = self._desk.settings
        return not settings.is_local and bool(_keys(settings))

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Every path of the dashboard."""
        return [
            ("GET", "/", partial(self._guarded, self._page, opens=True)),
            ("GET", "/dashboard/feed", partial(self._guarded, self._feed)),
            ("GET", "/dashboard/snapshot", partial(self._guarded, self._snapshot)),
            ("GET", "/dashboard/history/{span}", partial(self._guarded, self._history)),
            ("GET", "/dashboard/operator", partial(self._guarded, self._operator, opens=True)),
            ("POST", "/dashboard/actions", partial(self._guarded, self._action, opens=True)),
            ("GET", "/dashboard/{name}", partial(self._guarded, self._page, opens=True)),
        ]

    def install(self, application: web.Application) -> None:
        """Live and end with this application."""
        application.cleanup_ctx.append(self._living)
        application.on_shutdown.append(self._closing)

    async def _living(self, _: web.Application) -> AsyncIterator[None]:
        producer = asyncio.create_task(self.feed.run(), name="dashboard")
        yield
        producer.cancel()
        with suppress(asyncio.CancelledError):
            await producer

    async def _closing(self, _: web.Application) -> None:
        self.watchman.draining = True
        self.feed.close()

    async def _guarded(self, work: Handler, http: web.Request, *, opens: bool = False) -> web.StreamResponse:
        """Answer, to whoever may look; failures have the shape that the rest of the gateway gives them."""
        try:
            if self.is_private and not opens:
                operator_of(self._operators, http.headers)
            return await work(http)
        except Exception as error:  # noqa: BLE001 - the boundary: a client gets an answer whatever happens
            return self._desk.refuse(error, openai_chat)

    async def _page(self, http: web.Request) -> web.StreamResponse:
        name = http.match_info.get("name", "index.html")
        answer = self._pages.answer(http, name)
        if answer is None:
            raise RefusedError(404, "not_found", f"the dashboard has no file {name[:40]!r}")
        return answer

    async def _feed(self, http: web.Request) -> web.StreamResponse:
        return await self.feed.watch(http, HEADERS)

    async def _snapshot(self, http: web.Request) -> web.StreamResponse:  # noqa: ARG002 - a handler's signature
        return sent(await self.view.whole(), headers=HEADERS)

    async def _history(self, http: web.Request) -> web.StreamResponse:
        span = http.match_info["span"]
        if span not in SPANS:
            raise RefusedError(404, "not_found", f"span {span[:40]!r}: {' and '.join(SPANS)} are kept")
        return sent(await self.view.history(span), headers=HEADERS)

    async def _operator(self, http: web.Request) -> web.StreamResponse:
        """Whose token this is; the page asks before it shows the buttons."""
        return sent({"name": operator_of(self._operators, http.headers)}, headers=HEADERS)

    async def _action(self, http: web.Request) -> web.StreamResponse:
        name = operator_of(self._operators, http.headers)
        order = await order_of(http, read_s=self._desk.settings.read_s)
        told = await press(self.watchman, order, by=name)
        await self._desk.siblings.ask("action", {**order, "by": name})
        return sent(told, headers=HEADERS)

    async def _told_to_act(self, said: Any) -> Any:
        """Do what an operator has told another worker: a button is for all of them."""
        return await press(self.watchman, said, by=said["by"])


def _keys(settings: GatewaySettings) -> tuple[GatewayKey, ...]:
    """Whoever may be known here: callers, some of whom are operators, and the operator."""
    own = () if settings.operator_key is None else (GatewayKey("operator", settings.operator_key, admin=True),)
    return (*settings.keys, *own)
