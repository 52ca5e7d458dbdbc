"""Fixed shares: what is set in a configuration file."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Choice, Slate

__all__ = ["WeightedSelector"]


class WeightedSelector(ModelSelector):
    """Draws an arm with a probability in proportion to its weight; arms that are not named have weight `others`.

    The draw is the Gumbel-max trick (Gumbel 1954): ln weight + Gumbel noise is largest with exactly that probability,
    whoever stands on the slate, and the order of the rest is a draw without replacement. Weight 0 refuses an arm.

    >>> selector = WeightedSelector({"a": 3, "b": 1})
    >>> for arm in ("a", "b"):
    ...     selector.enroll(arm)
    >>> choice = selector.choose(selector.slate(["a", "b"]), np.random.default_rng(1))
    >>> choice.arm, choice.propensity
    ('a', 0.75)
    """

    name = "weighted"
    breaks_ties = False  # equal draws have probability 0

    def __init__(
        self, weights: Mapping[str, float] | None = None, *, others: float = 1.0, objective: Objective | None = None
    ) -> None:
        super().__init__(objective=objective)
        self.weights = dict(weights or {})
        self.others = others
        for name, weight in {**self.weights, "others": others}.items():
            if not 0 <= weight < math.inf:
                raise ConfigurationError(f"weight of {name!r} is {weight!r}: a number from 0 up")

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - weights decide
        """The logarithm of the weight, plus noise."""
        weights = np.array([0.0 if name is None else self.weight_of(name) for name in arms.names])
        with np.errstate(divide="ignore"):
            scores: Column = np.log(weights) + rng.gumbel(size=len(weights))
        return scores

    def weight_of(self, arm: str) -> float:
        """The weight of an arm, named or not."""
        return self.weights.get(arm, self.others)

    def refuses(self, arm: str) -> str | None:
        """Weight 0 is a refusal."""
        return None if self.weight_of(arm) else "its weight is 0"

    def choose(
        self,
        slate: Slate,
        rng: np.random.Generator,
        objective: Objective | None = None,
        *,
        context: Context | None = None,
    ) -> Choice:
        """A draw, with its exact propensity."""
        choice = super().choose(slate, rng, objective, context=context)
        there = [arm for arm, score in zip(slate.arms, choice.scores, strict=True) if score > -math.inf]
        choice.propensity = self.weight_of(choice.arm) / sum(self.weight_of(arm) for arm in there)
        return choice
