"""A second model for the slowest few: whoever answers first wins, and the other is called off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, NamedTuple, TypeVar

from orchestrator.core.clock import Clock
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome

__all__ = ["Hedges", "Leg", "Race"]

T = TypeVar("T")
_SHARE, _MOST_SAVED = 20, 10 * 20  # one hedge for every twenty calls, ten saved up at most
_ENOUGH_CALLS = 20  # before a 95th percentile says anything
_LOOK_AGAIN = 32  # calls after which it is worked out anew


class Hedges:
    """When to start a second attempt, and how often that may be: 5 % of the calls (Dean, Barroso: The Tail at Scale).

    >>> hedges = Hedges()
    >>> for _ in range(19):
    ...     hedges.earn()
    >>> hedges.spend(), hedges.earn(), hedges.spend(), hedges.spend()
    (False, None, True, False)
    """

    def __init__(self) -> None:
        self._saved = 0
        self._known: dict[tuple[str, bool], tuple[int, float | None]] = {}

    def earn(self) -> None:
        """A call that may be hedged leaves."""
        self._saved = min(_MOST_SAVED, self._saved + 1)

    def spend(self) -> bool:
        """Take one hedge; False when the share is used up."""
        if self._saved < _SHARE:
            return False
        self._saved -= _SHARE
        return True

    def give_back(self) -> None:
        """The hedge that was taken is not going to be made."""
        self._saved += _SHARE

    def after_s(self, model: Model, *, streamed: bool) -> float | None:
        """The model's own 95th percentile, of a stream to its first content; None before there is one to trust."""
        calls, known = model.metrics.calls, self._known.get((model.id, streamed))
        if calls < _ENOUGH_CALLS:
            return None
        if known is None or not 0 <= calls - known[0] < _LOOK_AGAIN:
            metrics = model.metrics
            known = calls, metrics.ttft_p95 if streamed else metrics.latency_p95
            self._known[model.id, streamed] = known
        return known[1]


class Leg(NamedTuple, Generic[T]):
    """One attempt of a race: what it brought, or None and why not."""

    model: Model
    result: T | None
    outcome: Outcome | None


class Race(Generic[T]):
    """Two attempts of one request; both have ended, or were called off and are closed, when `run` returns.

    `attempt(model, race)` makes a leg; `drop` closes what a leg brought that came second. `lost` has the outcomes of
    those that were called off: no one's fault, but they may cost something.
    """

    def __init__(
        self,
        attempt: Callable[[Model, Race[T]], Coroutine[Any, Any, Leg[T]]],
        *,
        drop: Callable[[Leg[T]], Awaitable[None]] | None = None,
    ) -> None:
        self.winner: Leg[T] | None = None
        self.lost: list[Outcome] = []
        self._attempt = attempt
        self._drop = drop
        self._tasks: list[asyncio.Task[Leg[T]]] = []

    async def run(
        self, first: Model, second: Callable[[Model], Model | None], *, after_s: float, clock: Clock
    ) -> list[Leg[T]]:
        """The legs that ended by themselves, the winner last if there is one; `second` names the other model."""
        ended: list[Leg[T]] = []
        try:
            await self._start(first, after_s, clock)
            other = None if self._tasks[0].done() else second(first)
            if other is not None:
                await self._start(other, 0.0, clock)
            pending = set(self._tasks)
            while pending and self.winner is None:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=self._tasks.index):
                    self._take(task, ended)
            return ended
        finally:
            await self._wind_up()

    async def _start(self, model: Model, patience_s: float, clock: Clock) -> None:
        """Let the model begin, and wait for it as long as that."""
        task = asyncio.create_task(self._attempt(model, self), name=f"attempt of {model.id}")
        self._tasks.append(task)
        if patience_s > 0:
            try:
                with clock.timeout(patience_s):
                    await asyncio.wait([task])
            except TimeoutError:
                pass

    def _take(self, task: asyncio.Task[Leg[T]], ended: list[Leg[T]]) -> None:
        """Note how a leg ended; what the engine itself refuses to the second is no reason to give up the first."""
        if task is not self._tasks[0] and task.exception() is not None:
            return
        leg = task.result()
        if self.winner is None:
            ended.append(leg)
            if leg.result is not None:
                self.winner = leg

    async def _wind_up(self) -> None:
        """Call off who still runs, and close what came too late."""
        for task in self._tasks:
            task.cancel()
        try:
            legs = await asyncio.gather(*self._tasks, return_exceptions=True)
        except asyncio.CancelledError:
            if self.winner is not None:  # nobody waits for it any more
                await self._close(self.winner)
            raise
        for leg in legs:
            if isinstance(leg, Leg) and leg.result is not None and leg is not self.winner:
                self.lost += [] if leg.outcome is None else [leg.outcome]
                await self._close(leg)

    async def _close(self, leg: Leg[T]) -> None:
        if self._drop is not None:
            await self._drop(leg)
