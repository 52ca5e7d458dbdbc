"""Single flight: equal calls that are under way at the same time become one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar, TypeVarTuple

from orchestrator.core.clock import SYSTEM_CLOCK, Clock

__all__ = ["Flights", "ImpatientError", "Landed", "Seat"]

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
_Name = tuple[asyncio.AbstractEventLoop, Hashable]


class _Flight:
    """A call under way, and those who wait for it."""

    __slots__ = ("_name", "_under_way", "waiters")

    def __init__(self, name: _Name, under_way: dict[_Name, _Flight]) -> None:
        self.waiters: deque[asyncio.Future[Any]] = deque()
        self._name = name
        self._under_way = under_way
        under_way[name] = self

    def land(self, what: Any) -> None:
        """Everybody has it."""
        del self._under_way[self._name]
        for future in self.waiters:
            if not future.done():
                future.set_result(what)

    def hand_over(self) -> None:
        """The next one leads, if there is any."""
        while self.waiters:
            future = self.waiters.popleft()
            if not future.done():
                future.set_result(_LEAD)
                return
        del self._under_way[self._name]


class Seat(Generic[T]):
    """A caller's place on somebody else's flight: inside `with`, await its `future`; then it `leads`, or has `landed`.

    Each caller has a future of its own, so that one's cancellation is not another's. No coroutine: of thousands who
    wait, each then costs a frame less.
    """

    __slots__ = ("_flight", "_limit", "future")

    def __init__(self, flight: _Flight, limit: Any, future: asyncio.Future[Any]) -> None:
        self._flight = flight
        self._limit = limit
        self.future = future
        flight.waiters.append(future)

    @property
    def leads(self) -> bool:
        """True when the leader is gone, and this caller is the next."""
        return self.future.result() is _LEAD

    def landed(self) -> T:
        """What the flight brought; raises what it was lost by."""
        what = self.future.result()
        if type(what) is _Lost:
            raise what.error.with_traceback(what.trace)
        found: T = what
        return found

    def __enter__(self) -> Self:
        self._limit.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        future = self.future
        if error is not None and future.done() and not future.cancelled() and self.leads:
            self._flight.hand_over()  # just made leader, and gone in the same turn
        try:
            self._limit.__exit__(kind, error, trace)
        except TimeoutError as gone:
            raise ImpatientError from gone


class Flights(Generic[T]):
    """One call upstream for any number of equal ones; flights of two event loops never mix.

    The first caller leads and calls in its own task, so that its deadline and its cancellation are its own. Its
    failure reaches everybody who waits; when it is cancelled, exactly one of the waiting callers takes over. Who waits
    longer than `patience_s` gets an ImpatientError and leaves the others flying.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._under_way: dict[_Name, _Flight] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    async def run(
        self,
        key: Hashable,
        fly: Callable[[*Arguments], Awaitable[T]],
        *arguments: *Arguments,
        patience_s: float | None = None,
    ) -> Landed[T]:
        """The result of `fly(*arguments)`, called by whoever came first."""
        seat = self.seat(key, patience_s)
        if seat is not None:
            with seat:
                await seat.future
            if not seat.leads:
                return Landed(seat.landed(), shared=True)
        return Landed(await self.lead(key, fly(*arguments)), shared=False)

    # the same in its two halves

    def seat(self, key: Hashable, patience_s: float | None = None) -> Seat[T] | None:
        """A place on the flight that is under way, if there is one; else it is yours to `lead`, at once."""
        loop = asyncio.get_running_loop()
        flight = self._under_way.get((loop, key))
        return None if flight is None else Seat(flight, self._clock.timeout(patience_s), loop.create_future())

    async def lead(self, key: Hashable, flying: Awaitable[T]) -> T:
        """What the call brings, to all who wait for it."""
        name = (asyncio.get_running_loop(), key)
        flight = self._under_way.get(name) or _Flight(name, self._under_way)
        try:
            value = await flying
        except Exception as error:
            flight.land(_Lost(error, error.__traceback__))
            raise
        except BaseException:  # cancelled: nobody else's business
            flight.hand_over()
            raise
        flight.land(value)
        return value
