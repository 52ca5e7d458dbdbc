"""KL-UCB+: the best of the policies that know nothing but each arm's own results."""

from __future__ import annotations

import math

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.floor import Floored
from orchestrator.selectors.optimism import OptimisticSelector

__all__ = ["KLUCBSelector"]

_UNTRIED = 1e9  # the bound of an arm that nobody has asked yet
_UNKNOWN = 0.5  # the mean of an arm whose first calls are in flight


class KLUCBSelector(Floored, OptimisticSelector):
    """Takes the arm whose plausible worth is highest, by Kullback-Leibler bounds (Garivier and Cappe 2011, KL-UCB+).

        index = share x max{q : n KL(mean, q) <= ln+(t / (K n))} + merit

    For qualities that are all 0 or 1 it is optimal to the last constant (Lai and Robbins 1985). An expected quality
    counts as `prior_weight` results; arms without one that were never asked come first.

    >>> import numpy as np
    >>> selector = KLUCBSelector()
    >>> for arm, quality in (("a", 0.9), ("b", 0.4)):
    ...     selector.enroll(arm, expected_quality=quality)
    >>> selector.choose(selector.slate(["a", "b"]), np.random.default_rng(0)).arm
    'a'
    """

    name = "kl-ucb"

    def __init__(self, prior_weight: float = 10.0, *, floor: float = 0.0, objective: Objective | None = None) -> None:
        super().__init__(objective=objective)
        self.set_prior(prior_weight)
        self.set_floor(floor)

    def set_prior(self, weight: float) -> None:
        """How many results an expected quality counts."""
        if not 0 <= weight < math.inf:
            raise ConfigurationError(f"prior_weight={weight!r}: a number of results from 0 up")
        self.prior_weight = weight

    def believed(self, arm: Arm) -> tuple[float, float]:
        """The mean of the results and of the expectation."""
        listed, weight = arm.expected_quality, self.prior_weight
        if listed is None or not weight:
            return (arm.quality_sum / arm.rated if arm.rated else _UNKNOWN), arm.rated + arm.pending
        rated = arm.rated + weight
        return (arm.quality_sum + weight * listed) / rated, rated + arm.pending

    def gain(self, ratio: float) -> float:
        """The logarithm, cut at 0."""
        return math.log(ratio) if ratio > 1 else 0.0

    def upper(self, arm: Arm) -> float:
        """The bound, or for an arm never asked a number above all others."""
        return super().upper(arm) if self.believed(arm)[1] else _UNTRIED
