"""KL-UCB+ for each category, pooled in part with the whole."""

from __future__ import annotations

import math

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.context import Context
from orchestrator.selectors.kl import upper_bounds
from orchestrator.selectors.kl_ucb import KLUCBSelector
from orchestrator.selectors.tallied import Tallied

__all__ = ["CategorySelector"]


class CategorySelector(Tallied, KLUCBSelector):
    """KL-UCB+ in the category of the request, where an arm's results elsewhere count as `pooling` at most.

        mean_ck = (S_ck + h_k mean_k) / (n_ck + h_k),    h_k = min(pooling, n_k - n_ck + calls in flight)
        index   = share x max{q : n KL(mean_ck, q) <= ln+(t_c / (K n))} + merit,    n = n_ck + h_k

    t_c is the sum of n over all arms. A request without a category gets plain KL-UCB+. The pool model (`pool`) learns
    how much the categories have in common; here it is a setting.

    >>> selector = CategorySelector(pooling=5)
    >>> for arm in ("a", "b"):
    ...     selector.enroll(arm)
    ...     for category in ("maths", "prose"):
    ...         for _ in range(20):
    ...             good = (arm == "a") == (category == "maths")
    ...             selector.settle(arm, quality=float(good), cost_usd=None, latency_s=None, context=Context(category))
    >>> slate, rng = selector.slate(["a", "b"]), np.random.default_rng(0)
    >>> [selector.choose(slate, rng, context=Context(category)).arm for category in ("maths", "prose")]
    ['a', 'b']
    """

    name = "category"
    contextual = True
    by_features = False
    columns = ("upper", "mean", "trials")

    def __init__(
        self,
        pooling: float = 30.0,
        prior_weight: float = 10.0,
        *,
        floor: float = 0.0,
        objective: Objective | None = None,
    ) -> None:
        if not 0 < pooling < math.inf:
            raise ConfigurationError(f"pooling={pooling!r}: a number of results above 0")
        super().__init__(objective=objective)
        self.set_prior(prior_weight)
        self.set_floor(floor)
        self.pooling = pooling

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the mean and the trials beside the bound."""
        super().refresh(arms, arm)
        arms.extra["mean"][arm.row], arms.extra["trials"][arm.row] = self.believed(arm)

    def retire(self, arm: str) -> None:
        """The model leaves, and its trials with it."""
        gone = self._known.get(arm)
        super().retire(arm)
        if gone is not None:
            self._table.extra["trials"][gone.row] = 0.0

    def scores_in(self, context: Context, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """The worth of each arm with its quality in this category at the upper end of what is plausible."""
        row = None if context.category is None else self._tally.row_of.get(context.category)
        if row is None:
            return self.scores(arms, objective, rng)
        number, total = self._tally.number[row], self._tally.total[row]
        trials = arms.extra["trials"]
        elsewhere = np.clip(trials - number, 0.0, self.pooling)
        n = number + elsewhere
        some = np.maximum(n, 1e-9)
        means = (total + elsewhere * arms.extra["mean"]) / some
        ratios = np.maximum(n.sum() / (max(len(self._known), 1) * some), 1.0)
        upper = np.where(trials > 0, upper_bounds(means, np.log(ratios) / some), arms.extra["upper"])
        scores: Column = upper * (objective.quality / objective.total) + self.merit(arms, objective)
        return scores
