"""Posterior sampling: each arm is chosen as often as it is likely to be the best."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError, ModelNotFoundError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Slate

__all__ = ["ThompsonSelector"]


class ThompsonSelector(ModelSelector):
    """Draws every arm's quality from its Beta posterior and takes the best worth (Thompson 1933).

    A quality between 0 and 1 counts as a fraction of a success and of a failure (Agrawal and Goyal 2012, without
    their coin). An expected quality counts as `prior_weight` results beside the prior. Draws differ from one another,
    so that calls in flight spread without being counted.

    >>> selector = ThompsonSelector(prior_successes=1, prior_failures=1)
    >>> for arm in ("a", "b"):
    ...     selector.enroll(arm)
    >>> for _ in range(50):
    ...     selector.settle("a", quality=1.0, cost_usd=None, latency_s=None)
    ...     selector.settle("b", quality=0.2, cost_usd=None, latency_s=None)
    >>> slate = selector.slate(["a", "b"])
    >>> selector.choose(slate, np.random.default_rng(0)).arm
    'a'
    >>> selector.propensity(slate, "a", np.random.default_rng(0)) > 0.99
    True
    """

    name = "thompson"
    breaks_ties = False  # equal draws have probability 0
    columns: ClassVar[tuple[str, ...]] = ("successes", "failures")  # priors included

    def __init__(
        self,
        prior_successes: float = 1.0,
        prior_failures: float = 1.0,
        *,
        prior_weight: float = 10.0,
        objective: Objective | None = None,
    ) -> None:
        for name, value in (("prior_successes", prior_successes), ("prior_failures", prior_failures)):
            if not 0 < value < math.inf:
                raise ConfigurationError(f"{name}={value!r}: a number above 0")
        if not 0 <= prior_weight < math.inf:
            raise ConfigurationError(f"prior_weight={prior_weight!r}: a number of results from 0 up")
        super().__init__(objective=objective)
        self.prior_successes = prior_successes
        self.prior_failures = prior_failures
        self.prior_weight = prior_weight

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """The worth of each arm with a drawn quality."""
        scores: Column = rng.beta(arms.extra["successes"], arms.extra["failures"])
        scores *= objective.quality / objective.total
        scores += self.merit(arms, objective)
        return scores

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the parameters of the posterior."""
        arms.extra["successes"][arm.row], arms.extra["failures"][arm.row] = self._posterior(arm)

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The parameters of the posterior."""
        successes, failures = self._posterior(arm)
        return {"successes": successes, "failures": failures}

    def _posterior(self, arm: Arm) -> tuple[float, float]:
        successes = self.prior_successes + arm.quality_sum
        failures = self.prior_failures + max(0.0, arm.rated - arm.quality_sum)
        listed = arm.expected_quality
        if listed is None:
            return successes, failures
        return successes + self.prior_weight * listed, failures + self.prior_weight * (1 - listed)

    def propensity(
        self,
        slate: Slate,
        arm: str,
        rng: np.random.Generator,
        *,
        draws: int = 1_000,
        objective: Objective | None = None,
    ) -> float:
        """How likely this arm is to be chosen at present, counted in so many draws of the whole slate."""
        if arm not in slate.arms:
            raise ModelNotFoundError.named(arm, slate.arms)
        wanted = self.objective if objective is None else objective
        self._freshen()
        table = self._table
        rows = [table.row_of[name] for name in slate.arms]
        shape = (draws, len(rows))
        drawn = rng.beta(table.extra["successes"][rows], table.extra["failures"][rows], size=shape)
        worth = drawn * (wanted.quality / wanted.total) + self.merit(table, wanted)[rows]
        return float((worth.argmax(axis=1) == slate.arms.index(arm)).mean())
