"""Time is an argument."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = ["SYSTEM_CLOCK", "TICK_S", "Clock", "SystemClock", "TaskLimit"]

TICK_S = 1e-9  # no clock tells less apart; no speed can be told from less


class Clock(Protocol):
    """What the engine asks of time; `orchestrator.testing.FakeClock` is another one."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back. All intervals use it."""

    def time(self) -> float:
        """Seconds since 1970 (UTC); only for dates that people read or that outlive the process."""

    async def sleep(self, delay_s: float) -> None:
        """Return after so many seconds, or when cancelled."""

    def timeout(self, limit_s: float | None) -> AbstractContextManager[Any]:
        """A scope (`with`, in a coroutine) that ends in TimeoutError after so many seconds; None sets no limit."""


class TaskLimit:
    """A scope in a task that `expire` ends: what waits inside is cancelled, and TimeoutError comes out.

    Cancellation from elsewhere passes through as it is (as `asyncio.timeout` does it).
    """

    __slots__ = ("_cancelling", "_expired", "_task")

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a time limit needs a running task")
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        return self

    def expire(self) -> None:
        """End the scope now."""
        self._expired = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


class _Limit(TaskLimit):
    """A scope of so many seconds on the loop's own time."""

    __slots__ = ("_limit_s", "_watch", "when")
    _watch: _Watch | None

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s = limit_s

    def __enter__(self) -> Self:
        if self._limit_s is None:
            self._watch = None
            return super().__enter__()
        # the same once more in one piece: every call passes here twice
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            return super().__enter__()
        self._task, self._cancelling, self._expired = task, task.cancelling(), False
        watch = self._watch = _watches.get(loop) or _watch_of(loop)
        self.when = loop.time() + self._limit_s
        watch.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.limits.discard(self)
        if self._expired:
            super().__exit__(kind, error, trace)


class _Watch:
    """One timer for all limits of a loop: hardly any is ever reached, and a timer costs more than a note."""

    __slots__ = ("_alarm", "_rings_at", "limits", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.limits: set[_Limit] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def add(self, limit: _Limit) -> None:
        self.limits.add(limit)
        if limit.when < self._rings_at:
            self._set(limit.when)

    def _set(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings_at = when
        self._alarm = self.loop.call_at(when, self._ring)

    def _ring(self) -> None:
        now = max(self._rings_at, self.loop.time())  # the loop may ring a tick early
        self._alarm, self._rings_at = None, math.inf
        for limit in [limit for limit in self.limits if limit.when <= now]:
            self.limits.discard(limit)
            limit.expire()
        if self.limits:
            self._set(min(limit.when for limit in self.limits))


_watches: dict[asyncio.AbstractEventLoop, _Watch] = {}


def _watch_of(loop: asyncio.AbstractEventLoop) -> _Watch:
    watch = _watches.get(loop)
    if watch is None:
        for closed in [known for known in _watches if known.is_closed()]:
            _watches.pop(closed, None)
        watch = _watches[loop] = _Watch(loop)
    return watch


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    async def sleep(self, delay_s: float) -> None:
        """Wait for real."""
        await asyncio.sleep(delay_s)

    timeout = staticmethod(_Limit)


SYSTEM_CLOCK = SystemClock()
