"""One producer for everybody who watches: it looks once, and the same bytes go to all (server-sent events)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import Any

from aiohttp import HttpVersion11, web

from orchestrator.core.clock import Clock
from orchestrator.gateway.dashboard.view import View
from orchestrator.gateway.frames import HEADERS, event
from orchestrator.gateway.refusals import RefusedError

__all__ = ["Feed", "merged"]

_TICK_S = 1.0
_MOST_SHARE = 0.02  # of the time: a crowd stretches the tick instead of slowing the calls
_AT_ONCE = 50  # watchers that are told before calls get their turn
_BEAT_TICKS = 15
_BEAT = b": still here\n\n"
_MOST_WATCHERS = 2_000
_MOST_UNREAD = 64 * 1024  # bytes: who leaves more unread misses frames, and is told the whole once it has read on
_PATIENCE_S = 60.0  # a watcher that reads nothing for so long is gone
_log = logging.getLogger(__name__)


class _Watcher:
    """One page that watches. Its queue is the transport's buffer, which takes no more once it is long.

    `behind_since` is when it missed something: it has to be told the whole. A page that has just come has missed all.
    """

    __slots__ = ("behind_since", "is_chunked", "left", "transport")

    def __init__(self, transport: asyncio.Transport, *, is_chunked: bool) -> None:
        self.transport = transport
        self.is_chunked = is_chunked
        self.behind_since: float | None = None
        self.left = asyncio.Event()

    @property
    def may_start_anew(self) -> bool:
        """True once everything that it was behind with is read."""
        return self.behind_since is not None and self.transport.get_write_buffer_size() == 0

    def begin(self, whole: bytes) -> None:
        """From here on it is told what changes."""
        self.behind_since = None
        self.write(whole)

    def write(self, frame: bytes) -> None:
        self.transport.write(b"%x\r\n%b\r\n" % (len(frame), frame) if self.is_chunked else frame)


class Feed:
    """Looks once a tick while somebody watches, and sees to it that the steps of the history end in time."""

    def __init__(self, view: View, clock: Clock) -> None:
        self.view = view
        self.watchers: dict[_Watcher, None] = {}
        self.tick_s = _TICK_S
        self._clock = clock
        self._closing = False
        self._whole: bytes | None = None
        self._making = asyncio.Lock()
        self._quiet_ticks = 0

    async def run(self) -> None:
        """Look and tell, until cancelled; what goes wrong in a look is logged and the next one is taken."""
        while True:
            await self._clock.sleep(self.tick_s)
            try:
                self.view.watchman.turn_when_due()
                await self.tick()
            except Exception:  # noqa: BLE001 - the boundary: the page must outlive whatever a model's figures hold
                _log.exception("the dashboard could not look at the registry")

    async def tick(self) -> None:
        """Tell every watcher what is new; the time it took decides when the next tick comes."""
        news = await self._news()
        if not self.watchers:
            return
        started = self._clock.monotonic()
        self._quiet_ticks = 0 if news else self._quiet_ticks + 1
        beat = _BEAT if self._quiet_ticks % _BEAT_TICKS == 0 else b""
        frame = event(news, "change") if news else beat
        if any(watcher.may_start_anew for watcher in self.watchers):
            await self.whole()
        took_s = self._clock.monotonic() - started
        waiting = iter(list(self.watchers))
        while some := list(islice(waiting, _AT_ONCE)):
            started = self._clock.monotonic()
            for watcher in some:
                self._offer(watcher, frame, started)
            took_s += self._clock.monotonic() - started
            await asyncio.sleep(0)
        self.tick_s = max(_TICK_S, took_s / _MOST_SHARE)

    def _offer(self, watcher: _Watcher, frame: bytes, now: float) -> None:
        """Write, unless the watcher has not read what it got; one that was behind starts anew from the whole."""
        unread = watcher.transport.get_write_buffer_size()
        if watcher.transport.is_closing():
            watcher.left.set()
        elif watcher.behind_since is None and unread <= _MOST_UNREAD:
            if frame:
                watcher.write(frame)
        elif unread == 0 and self._whole is not None:
            watcher.begin(self._whole)
        elif watcher.behind_since is None:
            watcher.behind_since = now
        elif now - watcher.behind_since > _PATIENCE_S:
            watcher.transport.abort()

    def close(self) -> None:
        """Let every watcher go: the gateway ends."""
        self._closing = True
        for watcher in self.watchers:
            watcher.left.set()

    async def watch(self, http: web.Request, headers: Mapping[str, str]) -> web.StreamResponse:
        """One page's stream, until it leaves; RefusedError when there are too many."""
        if len(self.watchers) >= _MOST_WATCHERS:
            raise RefusedError(503, "overloaded", f"{_MOST_WATCHERS} pages are watching; retry later", retry_after_s=30)
        response = web.StreamResponse(headers={**HEADERS, **headers})
        await response.prepare(http)
        if http.method == "HEAD":
            return response
        with suppress(ConnectionError):
            await response.write(_BEAT)  # with which the head leaves, for frames go past the response
            if not self.watchers:
                await self.view.news()  # from here on, news are news
            async with self._watching(http) as watcher:
                whole = await self.whole()
                if watcher.behind_since is not None:  # a tick may have told it meanwhile
                    watcher.begin(whole)
                await watcher.left.wait()
        return response

    @asynccontextmanager
    async def _watching(self, http: web.Request) -> AsyncIterator[_Watcher]:
        if http.transport is None:
            raise ConnectionResetError
        watcher = _Watcher(http.transport, is_chunked=http.version >= HttpVersion11)
        if self._closing:
            watcher.left.set()
        watcher.behind_since = self._clock.monotonic()
        self.watchers[watcher] = None
        try:
            yield watcher
        finally:
            self.watchers.pop(watcher, None)

    async def _news(self) -> dict[str, Any]:
        """What has changed; what the next whole tells is never older than this."""
        async with self._making:
            self._whole = None
            return await self.view.news() if self.watchers else {}

    async def whole(self) -> bytes:
        """The whole as a frame, made once a tick however many come at the same time."""
        async with self._making:
            if self._whole is None:
                self._whole = event(await self.view.whole(), "whole")
            return self._whole


def merged(seen: Mapping[str, Any], name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a watcher knows after one more event, for readers in Python.

    >>> seen = merged({}, "whole", {"models": [{"id": "a", "calls": 1}, {"id": "b", "calls": 0}], "decisions": []})
    >>> seen = merged(seen, "change", {"models": [{"id": "a", "calls": 2}], "gone": ["b"], "decisions": ["first"]})
    >>> seen["models"], seen["decisions"]
    ([{'id': 'a', 'calls': 2}], ['first'])
    """
    if name == "whole":
        return dict(told)
    rows = {row["id"]: row for row in [*seen.get("models", ()), *told.get("models", ())]}
    for gone in told.get("gone", ()):
        rows.pop(gone, None)
    parts = {key: value for key, value in told.items() if key not in ("models", "gone", "decisions", "point")}
    known = seen.get("decisions", ())
    decisions = [*known, *(one for one in told.get("decisions", ()) if one not in known)][-40:]
    return {**seen, **parts, "models": list(rows.values()), "decisions": decisions}
