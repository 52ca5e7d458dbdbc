"""Time is an argument."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock"]


class Clock(Protocol):
    """What the engine asks of time; `orchestrator.testing.FakeClock` is another one."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back. All intervals use it."""

    def time(self) -> float:
        """Seconds since 1970 (UTC); only for dates that people read or that outlive the process."""

    async def sleep(self, delay_s: float) -> None:
        """Return after so many seconds, or when cancelled."""

    def timeout(self, limit_s: float | None) -> AbstractAsyncContextManager[Any]:
        """A scope that ends in TimeoutError after so many seconds; None sets no limit."""


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    async def sleep(self, delay_s: float) -> None:
        """Wait for real."""
        await asyncio.sleep(delay_s)

    timeout = staticmethod(asyncio.timeout)


SYSTEM_CLOCK = SystemClock()
