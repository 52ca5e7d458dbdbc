"""Single flight: equal calls that are under way at the same time become one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar, TypeVarTuple

from orchestrator.core.clock import SYSTEM_CLOCK, Clock

__all__ = ["Flights", "ImpatientError", "Landed"]

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class ImpatientError(TimeoutError):
    """The call of somebody else took longer than this caller could wait."""


class Landed(NamedTuple, Generic[T]):
    """What a flight brought, and whether somebody else flew it."""

    value: T
    shared: bool


class _Lost(NamedTuple):
    error: Exception
    trace: TracebackType | None


_LEAD: Any = object()  # handed to a waiting caller: the leader is gone, fly on
_Waiters = deque["asyncio.Future[Any]"]


class Flights(Generic[T]):
    """One call upstream for any number of equal ones; flights of two event loops never mix.

    The first caller leads and calls in its own task, so that its deadline and its cancellation are its own. Its
    failure reaches everybody who waits; when it is cancelled, exactly one of the waiting callers takes over. Who waits
    longer than `patience_s` gets an ImpatientError and leaves the others flying.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._waiting: dict[tuple[asyncio.AbstractEventLoop, str], _Waiters] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def run(
        self,
        key: str,
        fly: Callable[[*Arguments], Awaitable[T]],
        *arguments: *Arguments,
        patience_s: float | None = None,
    ) -> Landed[T]:
        """The result of `fly(*arguments)`, called by whoever came first."""
        loop = asyncio.get_running_loop()
        flight = (loop, key)
        waiters = self._waiting.get(flight)
        if waiters is None:
            waiters = self._waiting[flight] = deque()
        else:
            # each caller has a future of its own, so that one's cancellation is not another's
            future: asyncio.Future[Any] = loop.create_future()
            waiters.append(future)
            try:
                if patience_s is None:
                    landed = await future
                else:
                    with self._clock.timeout(patience_s):
                        landed = await future
            except (asyncio.CancelledError, TimeoutError) as gone:
                if future.done() and not future.cancelled() and future.result() is _LEAD:
                    self._hand_over(flight, waiters)  # just made leader, and gone in the same turn
                if isinstance(gone, TimeoutError):
                    raise ImpatientError from gone
                raise
            if landed is not _LEAD:
                if type(landed) is _Lost:
                    raise landed.error.with_traceback(landed.trace)
                return Landed(landed, shared=True)
        return Landed(await self._lead(flight, waiters, fly(*arguments)), shared=False)

    async def _lead(self, flight: tuple[asyncio.AbstractEventLoop, str], waiters: _Waiters, flying: Awaitable[T]) -> T:
        try:
            value = await flying
        except Exception as error:
            self._land(flight, waiters, _Lost(error, error.__traceback__))
            raise
        except BaseException:  # cancelled: nobody else's business
            self._hand_over(flight, waiters)
            raise
        self._land(flight, waiters, value)
        return value

    def _land(self, flight: tuple[asyncio.AbstractEventLoop, str], waiters: _Waiters, what: Any) -> None:
        del self._waiting[flight]
        for future in waiters:
            if not future.done():
                future.set_result(what)

    def _hand_over(self, flight: tuple[asyncio.AbstractEventLoop, str], waiters: _Waiters) -> None:
        while waiters:
            future = waiters.popleft()
            if not future.done():
                future.set_result(_LEAD)
                return
        del self._waiting[flight]
