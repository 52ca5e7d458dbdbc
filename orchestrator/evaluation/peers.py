"""Policies to compare with: chance, and another library's where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.reward import Reward
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import Arms, Choice, Column, ModelSelector, Slate

__all__ = ["PEERS", "AtRandom", "MabWiser"]


class AtRandom(ModelSelector):
    """Every model is as good as any other."""

    name = "random"

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - blind
        """A fresh draw for each."""
        draws: Column = rng.random(len(arms))
        return draws


class MabWiser(ModelSelector):
    """A context-free policy of MABWiser (Strong, Kleynhans, Kadioglu 2019); it learns from the reward as one number."""

    def __init__(self, policy: Any, reward: Reward, *, name: str) -> None:
        super().__init__(objective=reward.objective)
        self.name = name  # type: ignore[misc]  # one class stands for several policies
        self._policy = policy
        self._reward = reward
        self._bandit: Any = None

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - contract
        """Not used: the library picks."""
        return np.zeros(len(arms))

    def choose(
        self,
        slate: Slate,
        rng: np.random.Generator,
        objective: Objective | None = None,  # noqa: ARG002 - it learnt from one reward
        *,
        context: Context | None = None,  # noqa: ARG002 - its context-free policies
    ) -> Choice:
        """What the library predicts; models that never answered come first, in order, as it asks to be told."""
        if self._bandit is None:
            self._bandit = import_module("mabwiser.mab").MAB(
                arms=list(slate.arms), learning_policy=self._policy, seed=int(rng.integers(2**31))
            )
        return Choice(self._pick(slate, rng), 0.0, np.zeros(len(slate)), None)

    def _pick(self, slate: Slate, rng: np.random.Generator) -> str:
        for name in slate.arms:
            if not (self._known[name].rated or self._known[name].pending):
                return name
        return str(self._bandit.predict()) if self._rated else slate.arms[int(rng.integers(len(slate)))]

    def settle(
        self,
        arm: str,
        *,
        quality: float | None,
        cost_usd: float | None,
        latency_s: float | None,
        tokens_per_s: float | None = None,
        context: Context | None = None,  # noqa: ARG002 - as above
    ) -> None:
        """Teach the library score - cost_weight x cost."""
        super().settle(arm, quality=quality, cost_usd=cost_usd, latency_s=latency_s, tokens_per_s=tokens_per_s)
        if quality is not None:
            value = np.array([self._reward.of(quality, cost_usd or 0.0)])
            teach = self._bandit.partial_fit if self._rated > 1 else self._bandit.fit
            teach(np.array([arm]), value)


def _mabwiser(name: str, make: Callable[[Any], Any]) -> Callable[[Reward], ModelSelector]:
    def made(reward: Reward) -> ModelSelector:
        try:
            policies = import_module("mabwiser.mab").LearningPolicy
        except ImportError:
            raise ConfigurationError(f"{name!r} needs MABWiser: pip install mabwiser") from None
        return MabWiser(make(policies), reward, name=name)

    return made


PEERS: dict[str, Callable[[Reward], ModelSelector]] = {
    "random": lambda reward: AtRandom(objective=reward.objective),
    "mabwiser-ucb1": _mabwiser("mabwiser-ucb1", lambda policies: policies.UCB1(alpha=1.0)),
    "mabwiser-softmax": _mabwiser("mabwiser-softmax", lambda policies: policies.Softmax(tau=0.1)),
    "mabwiser-greedy": _mabwiser("mabwiser-greedy", lambda policies: policies.EpsilonGreedy(epsilon=0.1)),
}
