"""Code that holds the event loop up makes everybody late; it is told as what it is."""

from __future__ import annotations

import asyncio
import time

from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry


class Blocking(Model):
    """Sleeps where it should wait."""

    async def generate_response(self, prompt, **params):
        time.sleep(1)  # noqa: ASYNC251 - the fault itself
        return "done"

    async def health_check(self):
        return True


class Waiting(Model):
    """Waits as it should."""

    async def generate_response(self, prompt, **params):
        await asyncio.sleep(0.05)
        return "done"

    async def health_check(self):
        return True


async def test_a_plug_in_that_holds_the_loop_up_is_seen_and_nobody_is_blamed():
    """In the issues of health while the registry is entered; the call beside it is answered."""
    registry = ModelRegistry(seed=0)
    for model in (Blocking(id="blocking", provider="custom"), Waiting(id="waiting", provider="custom")):
        registry.register_model(model)
    async with registry:
        lag = registry.health.loop_lag
        while lag.worst_s is None:  # noqa: ASYNC110 - whoever looks at the loop does not tell
            await asyncio.sleep(0.01)
        beside = asyncio.create_task(registry.invoke_model_async("waiting", "hi"))
        await asyncio.sleep(0)
        assert (await registry.invoke_model_async("blocking", "hi")).text == "done"
        assert (await beside).text == "done"
        while not registry.health.issues:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
        assert "the event loop stood still for" in registry.health.issues[0]
        assert all(registry.health.status_of(model).healthy for model in registry.values())
    assert lag.worst_s is None
