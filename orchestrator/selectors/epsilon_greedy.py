"""Epsilon-greedy: mostly the best so far, sometimes anybody."""

from __future__ import annotations

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.floor import Floored

__all__ = ["EpsilonGreedySelector"]


class EpsilonGreedySelector(Floored):
    """Takes the arm with the best mean worth, and with probability `epsilon` any (Sutton and Barto 2018, section 2.2).

    An arm never tried counts at quality 1/2. The propensity of every choice is exact. It explores for ever, so that its
    regret grows with time; it stands here because people come from it.

    >>> selector = EpsilonGreedySelector(epsilon=0.1)
    >>> for arm in ("a", "b"):
    ...     selector.enroll(arm)
    >>> selector.settle("a", quality=1.0, cost_usd=None, latency_s=None)
    >>> choice = selector.choose(selector.slate(["a", "b"]), np.random.default_rng(0))
    >>> choice.arm, round(choice.propensity, 3)
    ('a', 0.95)
    """

    name = "epsilon-greedy"
    deterministic = True  # but for the lot

    def __init__(self, epsilon: float = 0.1, *, objective: Objective | None = None) -> None:
        super().__init__(objective=objective)
        self.set_floor(epsilon)

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - the lot is drawn elsewhere
        """The worth of every arm by its means."""
        return self.worth(arms, objective)
