"""Posterior sampling with normal draws, and how likely each draw is to be the largest."""

from __future__ import annotations

import math

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError, ModelNotFoundError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Slate

__all__ = ["GaussianThompsonSelector", "chance_of_largest"]

_POINTS = 256  # of the quadrature: 1e-4, also where one arm is ten times as sure as another


class GaussianThompsonSelector(ModelSelector):
    """Draws every arm's quality from a normal posterior and takes the best worth (Agrawal and Goyal 2013).

        quality ~ N(mean, sd^2 / n),   mean = (w m + sum of qualities) / n,   n = w + rated calls

    `sd` is the standard deviation of one result, at most 1/2 for numbers in [0, 1]. The prior m is the expected quality
    and counts as w = `prior_weight` results; without one it is 1/2 and counts as two, as Thompson's Beta(1, 1) does.

    >>> selector = GaussianThompsonSelector(sd=0.25)
    >>> for arm, quality in (("a", 0.9), ("b", 0.2)):
    ...     selector.enroll(arm, expected_quality=quality)
    >>> slate = selector.slate(["a", "b"])
    >>> selector.choose(slate, np.random.default_rng(0)).arm, round(selector.propensity(slate, "a"), 3)
    ('a', 1.0)
    """

    name = "gaussian"
    breaks_ties = False  # equal draws have probability 0
    columns = ("centre", "width")

    def __init__(self, sd: float = 0.25, prior_weight: float = 10.0, *, objective: Objective | None = None) -> None:
        for name, value in (("sd", sd), ("prior_weight", prior_weight)):
            if not 0 < value < math.inf:
                raise ConfigurationError(f"{name}={value!r}: a number above 0")
        super().__init__(objective=objective)
        self.sd = sd
        self.prior_weight = prior_weight

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """The worth of each arm with a drawn quality."""
        scores: Column = rng.normal(arms.extra["centre"], arms.extra["width"])
        scores *= objective.quality / objective.total
        scores += self.merit(arms, objective)
        return scores

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the parameters of the posterior."""
        centre, width = self._posterior(arm)
        arms.extra["centre"][arm.row] = centre
        arms.extra["width"][arm.row] = width

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The parameters of the posterior."""
        centre, width = self._posterior(arm)
        return {"posterior_mean": centre, "posterior_sd": width}

    def _posterior(self, arm: Arm) -> tuple[float, float]:
        listed, weight = (0.5, 2.0) if arm.expected_quality is None else (arm.expected_quality, self.prior_weight)
        rated = arm.rated + weight
        return (arm.quality_sum + weight * listed) / rated, self.sd / math.sqrt(rated)

    def propensity(self, slate: Slate, arm: str, *, objective: Objective | None = None) -> float:
        """How likely this arm is to be chosen at present, by quadrature."""
        if arm not in slate.arms:
            raise ModelNotFoundError.named(arm, slate.arms)
        wanted = self.objective if objective is None else objective
        self._freshen()
        table, share = self._table, wanted.quality / wanted.total
        rows = [table.row_of[name] for name in slate.arms]
        centres = table.extra["centre"][rows] * share + self.merit(table, wanted)[rows]
        widths = np.maximum(table.extra["width"][rows] * share, 1e-12)
        return chance_of_largest(centres, widths, slate.arms.index(arm))


def chance_of_largest(means: Column, sds: Column, which: int) -> float:
    """P(X_which > all others) of independent normal numbers, by Gauss-Legendre quadrature.

    >>> chance_of_largest(np.array([0.0, 0.0, 0.0]), np.ones(3), 0).__round__(6)
    0.333333
    """
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    z = 8.0 * points
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * 8.0 * weights
    others = np.arange(len(means)) != which
    lead = (means[which] + sds[which] * z[:, None] - means[others]) / sds[others]
    below = np.prod(_normal_cdf(lead), axis=1)
    return float(min(max(density @ below, 0.0), 1.0))


def _normal_cdf(z: Column) -> Column:
    below = [0.5 * math.erfc(-number / math.sqrt(2)) for number in z.ravel().tolist()]
    return np.array(below).reshape(z.shape)
