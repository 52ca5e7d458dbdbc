"""A registry on a clock that stands still, and models that take their time."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.core.messages import Chunk, Reply, Request
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.models.model_registry import ModelRegistry

FOREVER_S = 10**6


class Timed(Model):
    """Begins to speak after so many seconds of the clock, and needs as many again for each further word."""

    def __init__(self, name, clock, takes_s, **facts):
        super().__init__(**{"id": name, "provider": name, **facts})
        self.clock, self.takes_s, self.asked = clock, takes_s, 0

    async def send(self, request):
        self.asked += 1
        await self.clock.sleep(self.takes_s)
        return Reply("All is well.", usage=UsageStats(4, 3))

    async def open_stream(self, request):
        self.asked += 1
        for word in ("All ", "is ", "well."):
            await self.clock.sleep(self.takes_s)
            yield Chunk(word)
        yield Chunk(finish_reason="stop", usage=UsageStats(4, 3))

    def setup_issue(self):
        return None


@pytest.fixture
def registry(fake_clock):
    """Empty, without a cache."""
    return ModelRegistry(clock=fake_clock, seed=0, cache_responses=False)


@pytest.fixture
def timed(registry):
    """Registers a model that takes so long."""
    return lambda name, takes_s, **facts: registry.register_model(Timed(name, registry.clock, takes_s, **facts))


class Plain(Timed):
    """Nobody calls it here."""

    REQUEST = Request.of("hi")

    def __init__(self, name):
        super().__init__(name, None, 0)


@pytest.fixture(scope="session")
def plain_class():
    """A model to be told about."""
    return Plain


@pytest.fixture
def ended(registry):
    """Waits for calls while the clock moves on; (result or error, seconds that it took) of each."""
    clock = registry.clock

    async def one(call):
        started = clock.monotonic()
        try:
            result = await call
        except Exception as error:  # noqa: BLE001 - looked at by the test
            result = error
        return result, clock.monotonic() - started

    async def wait(*calls, step_s=0.25):
        tasks = [asyncio.ensure_future(one(call)) for call in calls]
        while not all(task.done() for task in tasks):
            await clock.advance(step_s)
        return [task.result() for task in tasks]

    return wait
