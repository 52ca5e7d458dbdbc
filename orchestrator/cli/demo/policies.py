"""The three ways to choose that the demo compares, each a registry of its own over the same emulated models."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from orchestrator.cli.demo.fleet import TIME_SCALE, dearest, id_of, infos
from orchestrator.cli.demo.records import PolicyName
from orchestrator.core.outcome import Objective
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import selector_named
from orchestrator.selectors.selector import Arms, Column, ModelSelector

if TYPE_CHECKING:
    from orchestrator.testing.emulator import Emulator

__all__ = ["OBJECTIVE", "AtRandom", "registries", "requirements"]

# $0.002 a prompt, or five seconds of waiting, is worth one half of "free" or "at once"
OBJECTIVE = Objective(quality=1.0, cost=0.5, latency=0.2, cost_scale_usd=0.002, latency_scale_s=5.0 / TIME_SCALE)
_COOL_DOWN_S = 5.0 / TIME_SCALE


class AtRandom(ModelSelector):
    """Every model is as good as any other: what choosing without learning comes to."""

    name = "random"

    def scores(self, arms: Arms, objective: Objective, rng: Any) -> Column:  # noqa: ARG002 - blind on purpose
        """A fresh draw for each."""
        draws: Column = rng.random(len(arms))
        return draws


def registries(emulator: Emulator, *, selector: str, seed: int) -> dict[PolicyName, ModelRegistry]:
    """A registry for each policy, with all models in it; only the engine's own learns to any effect."""
    return {
        "engine": _registry(emulator, selector_named(selector, objective=OBJECTIVE), seed=seed),
        "best": _registry(emulator, selector_named("ucb", objective=OBJECTIVE), seed=seed),
        "random": _registry(emulator, AtRandom(), seed=seed),
    }


def requirements(policy: PolicyName) -> dict[str, Any]:
    """What the policy demands of a model: "always the best" names one, the others take whoever fits."""
    return {"models": [id_of(dearest())]} if policy == "best" else {}


def _registry(emulator: Emulator, selector: ModelSelector, *, seed: int) -> ModelRegistry:
    health = ModelHealthMonitor(cool_down_s=_COOL_DOWN_S, rng=random.Random(seed))
    registry = ModelRegistry(model_selector=selector, health_monitor=health, cache_responses=False, seed=seed)
    for info in infos(emulator):
        registry.register_model(info)
    return registry
