"""A cascade: the cheap model answers first, and a judge decides whether a dearer one is asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.kl import upper_bound
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Slate

__all__ = ["CascadeSelector"]


class CascadeSelector(ModelSelector):
    """Starts on the rung from which an accepted answer is expected to cost least (Chen, Zaharia, Zou 2023, FrugalGPT).

        cost from rung i = cost_i + (1 - p_i) x cost from rung i + 1

    The rungs are the candidates by mean cost; p_i is the chance that the judge accepts an answer, at the upper end of
    what is plausible, so that cheap models get their try. A call's quality is the judge's verdict.

    The judge is the caller's: whoever holds the answer asks `next_rung` with the verdict, a number from 0 to 1, and
    gets the model to ask next, or None where the answer stands: `accept_from` is reached, or nobody dearer is left.

    >>> selector = CascadeSelector(accept_from=0.7)
    >>> for arm, price in (("small", 0.001), ("large", 0.02)):
    ...     selector.enroll(arm, expected_cost_usd=price)
    >>> slate = selector.slate(["large", "small"])
    >>> selector.choose(slate, np.random.default_rng(0)).arm
    'small'
    >>> selector.next_rung(slate, "small", verdict=0.3), selector.next_rung(slate, "small", verdict=0.9)
    ('large', None)
    """

    name = "cascade"
    deterministic = True

    def __init__(self, accept_from: float = 0.5, *, objective: Objective | None = None) -> None:
        if not 0 < accept_from <= 1:
            raise ConfigurationError(f"accept_from={accept_from!r}: a verdict above 0, up to 1")
        super().__init__(objective=objective)
        self.accept_from = accept_from

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - cost and verdicts decide
        """The less is expected to be spent from this rung on the better, squeezed into (-1, 0]."""
        scores = np.full(len(arms), -1.0)
        rest = 0.0
        for arm in reversed(self._ladder(tuple(self._known.values()))):
            rest = (arm.cost_usd or 0.0) + (1 - self._acceptance(arm)) * rest
            scores[arm.row] = -rest / (1 + rest)
        return scores

    def next_rung(self, slate: Slate, arm: str, *, verdict: float) -> str | None:
        """Whom to ask after this arm's answer was judged; None when it stands."""
        if not 0 <= verdict <= 1:
            raise ValueError(f"verdict {verdict!r} for {arm!r}: a number from 0 to 1")
        if verdict >= self.accept_from:
            return None
        self._freshen()
        known = [one for name in slate.arms if (one := self._known.get(name)) is not None]
        names = [one.name for one in self._ladder(known)]
        above = names[names.index(arm) + 1 :] if arm in names else []
        return above[0] if above else None

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The chance that the judge accepts an answer, at the upper end of what is plausible."""
        return {"acceptance": self._acceptance(arm)}

    @staticmethod
    def _ladder(arms: Sequence[Arm]) -> list[Arm]:
        """By mean cost, local models first; who costs nobody knows what comes last."""
        return sorted(
            arms, key=lambda arm: (not arm.is_local, math.inf if arm.cost_usd is None else arm.cost_usd, arm.row)
        )

    def _acceptance(self, arm: Arm) -> float:
        listed, weight = (0.5, 2.0) if arm.expected_quality is None else (arm.expected_quality, 10.0)
        rated = arm.rated + weight
        mean = (arm.quality_sum + weight * listed) / rated
        return upper_bound(mean, math.log1p(self._rated / rated) / (rated + arm.pending))
