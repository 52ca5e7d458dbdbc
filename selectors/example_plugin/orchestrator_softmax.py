"""A selector to copy: Boltzmann exploration over the worth of each model."""

from __future__ import annotations

import math

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.selector import Arms, Column, ModelSelector

__all__ = ["SoftmaxSelector"]


class SoftmaxSelector(ModelSelector):
    """Chooses each model with probability proportional to exp(worth / temperature).

    Adding Gumbel noise to worth / temperature and taking the largest is the same draw (Gumbel 1954), so that one
    array of scores is all there is to write.

    >>> selector = SoftmaxSelector(temperature=0.05)
    >>> for arm in ("good", "bad"):
    ...     selector.enroll(arm)
    ...     selector.settle(arm, quality=float(arm == "good"), cost_usd=None, latency_s=None)
    >>> selector.choose(selector.slate(["bad", "good"]), np.random.default_rng(0)).arm
    'good'
    """

    name = "softmax"
    breaks_ties = False

    def __init__(self, temperature: float = 0.1, *, objective: Objective | None = None) -> None:
        if not 0 < temperature < math.inf:
            raise ConfigurationError(f"temperature={temperature!r}: a number above 0")
        super().__init__(objective=objective)
        self.temperature = temperature

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """Worth over temperature, with the noise that makes the largest a Boltzmann draw."""
        return self.worth(arms, objective) / self.temperature + rng.gumbel(size=len(arms))
