"""The demo's models behind a gateway: for trying out clients and the dashboard without a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from orchestrator.cli.demo.fleet import FLEET, infos
from orchestrator.cli.demo.policies import OBJECTIVE
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import selector_named
from orchestrator.testing.emulator import Emulator

__all__ = ["Demo", "served"]

_BUDGET_USD = 5.0  # a day: the money is as invented as the models, but budgets want to be seen


@dataclass(frozen=True, slots=True)
class Demo:
    """Serve emulated models; with `traffic`, emulated callers as well."""

    traffic: bool = False


@asynccontextmanager
async def served(demo: Demo, *, selector: str) -> AsyncIterator[ModelRegistry]:
    """The registry of the demo's models, whose providers run in this process."""
    from orchestrator.cli.demo.traffic import flowing

    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(FLEET))
        policy = selector_named(selector, objective=OBJECTIVE)
        budgets = {"day_usd": _BUDGET_USD} if demo.traffic else None
        registry = ModelRegistry(model_selector=policy, cache_responses=True, budgets=budgets)
        for info in infos(emulator):
            registry.register_model(info)
        if demo.traffic:
            await stack.enter_async_context(flowing(registry, emulator))
        yield registry
