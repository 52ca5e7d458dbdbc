"""The pooled connections of an event loop: no cookies, no proxies from the environment, no address of ill repute."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from aiohttp.abc import AbstractResolver

__all__ = ["close_sessions", "look_up_with", "session_of"]

_Place = tuple[asyncio.AbstractEventLoop, bool, bool]  # the loop, and what `session_of` was asked for
_keepers: dict[_Place, AsyncGenerator[ClientSession, None]] = {}
_sessions: dict[_Place, ClientSession] = {}
_make_resolver: list[Callable[[], AbstractResolver]] = []


def look_up_with(make_resolver: Callable[[], AbstractResolver] | None) -> None:
    """Let every session that opens from now on find names this way; None for the system's own.

    The addresses found are checked all the same.
    """
    _make_resolver[:] = [] if make_resolver is None else [make_resolver]


async def session_of(*, private: bool, fresh: bool = False) -> ClientSession:
    """The session of the running loop; it closes when the loop shuts its generators down, if not before.

    With `private` a public name may lead to an address of a private network; with `fresh` each request has a
    connection of its own.
    """
    place = asyncio.get_running_loop(), private, fresh
    session = _sessions.get(place)
    if session is None or session.closed:
        for old in [known for known in _sessions if known[0].is_closed()]:
            _sessions.pop(old)
            _keepers.pop(old, None)
        keeper = _keepers[place] = _kept_session(private=private, fresh=fresh)
        session = _sessions[place] = await anext(keeper)
    return session


async def _kept_session(*, private: bool, fresh: bool) -> AsyncGenerator[ClientSession, None]:
    import aiohttp

    from orchestrator.integrations.guarded_names import GuardedResolver

    resolver = _make_resolver[0]() if _make_resolver else aiohttp.DefaultResolver()
    pooling: dict[str, Any] = {"force_close": True} if fresh else {"keepalive_timeout": 30}
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=GuardedResolver(resolver, private=private), limit=0, ttl_dns_cache=300, **pooling
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        raise_for_status=False,
    )
    try:
        yield session
    finally:
        await session.close()
        await resolver.close()


async def close_sessions() -> None:
    """Close the running loop's connections; the next call opens new ones."""
    loop = asyncio.get_running_loop()
    for place in [known for known in _keepers if known[0] is loop]:
        _sessions.pop(place, None)
        keeper = _keepers.pop(place, None)
        if keeper is not None:
            await keeper.aclose()
