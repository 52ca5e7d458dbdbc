"""Emulated callers for a gateway that nobody calls yet: prompts without end, some of them twice, and outages."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter, deque
from collections.abc import AsyncIterator
from random import Random

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import OrchestratorError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing.behaviour import Drop, Fail, Step
from orchestrator.testing.emulator import Emulator
from orchestrator.testing.skills import CATEGORIES, Task, make_task

__all__ = ["Traffic", "flowing"]

_PER_S = 6.0
_CALM_S, _OUTAGE_S = 45.0, 25.0
_AGAIN = 0.25  # share of the prompts that were asked before: those are what a cache is for
_TROUBLES: tuple[Step, ...] = (Fail(503), Drop())
_MOST_AT_ONCE = 64


@contextlib.asynccontextmanager
async def flowing(registry: ModelRegistry, emulator: Emulator, *, seed: int = 7) -> AsyncIterator[None]:
    """Traffic while this is open."""
    traffic = Traffic(registry, emulator, rng=Random(seed), clock=registry.clock)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(traffic.send(), name="traffic"),
            group.create_task(traffic.trouble(), name="outages"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


class Traffic:
    """Sends prompts at random moments (a Poisson stream) and breaks a provider that is in use now and then."""

    def __init__(
        self, registry: ModelRegistry, emulator: Emulator, *, rng: Random, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._registry = registry
        self._emulator = emulator
        self._rng = rng
        self._clock = clock
        self._asked: deque[Task] = deque(maxlen=40)
        self._lately: deque[str] = deque(maxlen=60)

    async def send(self) -> None:
        """Ask and rate, until cancelled."""
        async with asyncio.TaskGroup() as group:
            room = asyncio.Semaphore(_MOST_AT_ONCE)
            while True:
                await self._clock.sleep(-math.log(1 - self._rng.random()) / _PER_S)
                await room.acquire()
                group.create_task(self._ask(self._next())).add_done_callback(lambda _: room.release())

    async def trouble(self) -> None:
        """Calm, then an outage, until cancelled."""
        while True:
            await self._clock.sleep(_CALM_S * self._rng.uniform(0.6, 1.4))
            provider = self._busiest()
            for model, step in zip(self._emulator.served_by(provider), _TROUBLES, strict=False):
                self._emulator.break_model(model.name, step)
            await self._clock.sleep(_OUTAGE_S)
            self._emulator.mend()

    def _next(self) -> Task:
        if self._asked and self._rng.random() < _AGAIN:
            return self._rng.choice(self._asked)
        task = make_task(self._rng.choice(CATEGORIES), self._rng)
        self._asked.append(task)
        return task

    async def _ask(self, task: Task) -> None:
        with contextlib.suppress(OrchestratorError):  # the page shows what fails: nobody else is waiting for it
            response = await self._registry.generate_response(task.prompt)
            response.rate(task.check(response.text))
            self._lately.append((response.model_id or "").partition("/")[0])

    def _busiest(self) -> str:
        providers = Counter(self._lately)
        return providers.most_common(1)[0][0] if providers else self._rng.choice(sorted(self._emulator.providers))
