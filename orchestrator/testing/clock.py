"""A clock that stands still until it is told to move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count

from orchestrator.core.clock import TaskLimit

__all__ = ["FakeClock"]

_TURNS = 20  # turns of the loop in which what was woken may run on; a wake-up passes through a handful of callbacks


class _Alarm:
    """Something to do once a moment has come, unless it is called off before."""

    __slots__ = ("off", "order", "ring", "when")

    def __init__(self, when: float, order: int, ring: Callable[[], object]) -> None:
        self.when, self.order, self.ring, self.off = when, order, ring, False

    def __lt__(self, other: _Alarm) -> bool:
        return (self.when, self.order) < (other.when, other.order)


class FakeClock:
    """Time for tests: nobody waits, whoever sleeps is woken by `advance`, in order. One event loop per clock.

    `start_s` is where `monotonic()` begins, `date_s` the date (seconds since 1970) at that moment.

    >>> async def brew(clock: FakeClock) -> str:
    ...     tea = asyncio.create_task(clock.sleep(180))
    ...     await clock.advance(179)
    ...     early = tea.done()
    ...     await clock.advance(1)
    ...     return f"{early} {tea.done()} {clock.monotonic()}"
    >>> asyncio.run(brew(FakeClock()))
    'False True 180.0'
    """

    def __init__(self, *, start_s: float = 0.0, date_s: float = 1_767_225_600.0) -> None:
        self._now = float(start_s)
        self._date_offset_s = date_s - start_s
        self._alarms: list[_Alarm] = []
        self._orders = count()
        self._watchers: list[asyncio.Future[None]] = []

    def monotonic(self) -> float:
        """Seconds, `start_s` at first."""
        return self._now

    def time(self) -> float:
        """The date that goes with `monotonic()`; 2026-01-01 at first."""
        return self._now + self._date_offset_s

    @property
    def sleepers(self) -> int:
        """How many sleeps and time limits are running."""
        return sum(not alarm.off for alarm in self._alarms)

    async def sleep(self, delay_s: float) -> None:
        """Wait until the clock was advanced so far; zero or less only lets others run."""
        if delay_s <= 0:
            return await asyncio.sleep(0)
        awake = asyncio.get_running_loop().create_future()
        alarm = self._set(delay_s, lambda: _wake(awake))
        try:
            await awake
        finally:
            alarm.off = True

    @contextmanager
    def timeout(self, limit_s: float | None) -> Iterator[TaskLimit]:
        """A scope that ends in TimeoutError once the clock was advanced by `limit_s`; None sets no limit."""
        with TaskLimit() as scope:
            if limit_s is None:
                yield scope
                return
            alarm = self._set(max(limit_s, 0.0), scope.expire)
            if limit_s <= 0:
                self.jump(0.0)
            try:
                yield scope
            finally:
                alarm.off = True

    async def advance(self, delay_s: float) -> None:
        """Move on, waking each sleeper at its own moment and letting it run before time goes on."""
        target = self._now + delay_s
        await self._let_run()
        while (alarm := self._next(target)) is not None:
            self._now = alarm.when
            alarm.ring()
            await self._let_run()
        self._now = target

    def jump(self, delay_s: float) -> None:
        """Move on at once, for code that does not await; who sleeps is woken when the loop runs again."""
        target = self._now + delay_s
        while (alarm := self._next(target)) is not None:
            alarm.ring()
        self._now = target

    async def wait_for_sleepers(self, number: int = 1) -> None:
        """Return once so many wait, so that a test knows that work on the far side of a socket has got that far."""
        while self.sleepers < number:
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    def _set(self, delay_s: float, ring: Callable[[], object]) -> _Alarm:
        alarm = _Alarm(self._now + delay_s, next(self._orders), ring)
        heappush(self._alarms, alarm)
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            _wake(watcher)
        return alarm

    def _next(self, until: float) -> _Alarm | None:
        """The next alarm that is due by then, taken off the list."""
        while self._alarms and self._alarms[0].when <= until:
            alarm = heappop(self._alarms)
            if not alarm.off:
                alarm.off = True
                return alarm
        return None

    @staticmethod
    async def _let_run() -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)


def _wake(waiting: asyncio.Future[None]) -> None:
    """Let who waits go on, unless it has been cancelled meanwhile."""
    if not waiting.done():
        waiting.set_result(None)
