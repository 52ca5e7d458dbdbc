"""Going down in order: no new calls, those under way are waited for, what was counted is written, all is closed."""

from __future__ import annotations

import asyncio
import inspect
import signal
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from orchestrator.core.clock import Clock
from orchestrator.errors import DrainingError

__all__ = ["Drainable", "Gate", "drain_on_signal", "flush"]

_LOOK_EVERY_S = 0.05  # calls may end on other event loops, which have no way to wake this one


class Gate:
    """Counts the calls under way, and lets no new ones in while a registry is being drained.

    >>> gate = Gate()
    >>> with gate:
    ...     len(gate)
    1
    >>> gate.close()
    >>> with gate:
    ...     pass
    Traceback (most recent call last):
    orchestrator.errors.DrainingError: the registry is being drained and takes no new calls: ask another process
    """

    __slots__ = ("_inside", "closed", "cut")

    def __init__(self) -> None:
        self._inside: deque[None] = deque()  # appending and popping is safe from any thread, and needs no lock
        self.closed = False
        self.cut = False

    def __len__(self) -> int:
        return len(self._inside)

    def __enter__(self) -> None:
        """A call begins; DrainingError when no more are taken."""
        if self.closed:
            raise DrainingError("the registry is being drained and takes no new calls: ask another process")
        self._inside.append(None)

    def __exit__(self, *exc: object) -> None:
        """A call has ended, one way or another."""
        self._inside.pop()

    def check(self) -> None:
        """DrainingError when the time of those still under way is over: no further attempt is made."""
        if self.cut:
            raise DrainingError("the registry was drained before this call could be answered: ask another process")

    def close(self) -> None:
        """Let nobody in from now on."""
        self.closed = True

    def open(self) -> None:
        """Let calls in (again)."""
        self.closed = self.cut = False

    async def empty(self, timeout_s: float, clock: Clock) -> int:
        """Wait until nobody is inside, at most so long; the number of those who still are."""
        ends_at = clock.monotonic() + timeout_s
        while self._inside and clock.monotonic() < ends_at:
            await clock.sleep(min(_LOOK_EVERY_S, max(0.0, ends_at - clock.monotonic())))
        return len(self._inside)


class Drainable(Protocol):
    """What goes down in order: a registry."""

    async def drain(self, timeout_s: float) -> int:
        """Take no new calls, and close when those under way are over; how many were cut off."""


async def flush(parts: Iterable[Any]) -> None:
    """Have everything written that was only noted so far: whatever has a `flush`, plain or async."""
    for part in parts:
        write: Callable[[], Any] | None = getattr(part, "flush", None)
        done = write() if callable(write) else None
        if inspect.isawaitable(done):
            await done


@asynccontextmanager
async def drain_on_signal(
    registry: Drainable,
    *,
    timeout_s: float = 30.0,
    signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> AsyncGenerator[asyncio.Event, None]:
    """While inside, a signal drains the registry; the event that comes with it is set when that is done.

    A second signal does what it always does. For the main thread's loop, on systems with signals::

        async with drain_on_signal(registry) as drained:
            await serve_until(drained)
    """
    loop, drained, watched = asyncio.get_running_loop(), asyncio.Event(), tuple(signals)
    draining: list[asyncio.Task[None]] = []

    async def drain() -> None:
        try:
            await registry.drain(timeout_s)
        finally:
            drained.set()

    def begin() -> None:
        for one in watched:
            loop.remove_signal_handler(one)
        draining.append(asyncio.create_task(drain(), name="drain"))

    for one in watched:
        loop.add_signal_handler(one, begin)
    try:
        yield drained
    finally:
        for one in watched:
            loop.remove_signal_handler(one)
        await asyncio.gather(*draining)
