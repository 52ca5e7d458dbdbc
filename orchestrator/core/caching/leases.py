"""One flight over all processes that share a far level."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from orchestrator.core.caching.levels import Store
from orchestrator.core.clock import Clock
from orchestrator.errors import ConfigurationError

__all__ = ["Leases", "Lessor"]

T = TypeVar("T")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.25


class Lessor(Protocol):
    """A level that grants leases: a token, None while another holds it, or "" when it cannot say."""

    async def lease(self, key: str, lease_s: float) -> str | None:
        """Ask for it."""

    async def renew(self, key: str, token: str, lease_s: float) -> None:
        """Hold it for longer, if it is still ours."""

    async def release(self, key: str, token: str) -> None:
        """Give it back, if it is still ours."""


class Leases:
    """Who holds the lease of a key asks the model; the others look until the answer is there or the lease is free.

    A lease is renewed while its holder works, and runs out when the holder dies.
    """

    def __init__(self, lessor: Lessor, lease_s: float, clock: Clock) -> None:
        self._lessor, self._lease_s, self._clock = lessor, lease_s, clock

    @classmethod
    def of(cls, stores: Sequence[Store], lease_s: float | None, clock: Clock) -> Leases | None:
        """By the first level that grants leases; None where none was asked for."""
        if lease_s is None:
            return None
        lessor = next((store for store in stores if hasattr(store, "lease")), None)
        if lessor is None:
            raise ConfigurationError(f"cache lease_s={lease_s!r}: only a cache with a 'redis' level can lease")
        return cls(lessor, lease_s, clock)  # type: ignore[arg-type]  # it has the verb, so it has them all

    async def alone(self, key: str, ask: Callable[[], Awaitable[T]], look: Callable[[], Awaitable[T | None]]) -> T:
        """What `ask` brings if nobody else asks, else what `look` finds once somebody has."""

        async def look_or_ask() -> T:
            found = await look()
            return await ask() if found is None else found

        pause_s, work = _FIRST_PAUSE_S, ask
        while True:
            token = await self._lessor.lease(key, self._lease_s)
            if token is not None:
                return await self._holding(key, token, work) if token else await work()
            if work is look_or_ask and (found := await look()) is not None:
                return found
            await self._clock.sleep(pause_s)
            pause_s, work = min(2 * pause_s, _LONGEST_PAUSE_S), look_or_ask  # others may have the answer by now

    async def _holding(self, key: str, token: str, ask: Callable[[], Awaitable[T]]) -> T:
        keeper = asyncio.get_running_loop().create_task(self._keep(key, token), name="cache lease")
        try:
            return await ask()
        finally:
            keeper.cancel()
            try:
                await asyncio.gather(keeper, return_exceptions=True)
            finally:  # whoever is called off even here
                await self._lessor.release(key, token)

    async def _keep(self, key: str, token: str) -> None:
        while True:
            await self._clock.sleep(self._lease_s / 3)
            await self._lessor.renew(key, token, self._lease_s)
