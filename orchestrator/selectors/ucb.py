"""Optimism: the arm whose plausible worth is highest."""

from __future__ import annotations

from math import e, inf, log, sqrt
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Choice, Slate
from orchestrator.selectors.standing import Standing

__all__ = ["UCBModelSelector"]

_UNTRIED = 1e9  # the width of an arm that nobody has asked yet
_WAYS = ("scores", "few_scores", "scores_in", "few_scores_in")
_STEP = 1.01  # the ratio of two numbers of trials, or weights, that are told apart


class UCBModelSelector(ModelSelector):
    """UCB1 with a radius that shrinks where an arm's quality varies little (Auer, Cesa-Bianchi, Fischer 2002).

    Quality is taken at ``mean + sqrt(c ln(t) s / n)`` and valued together with the arm's mean cost and latency, so
    that at radius 0 the score is exactly `Objective.worth`. ``n`` counts rated calls and calls in flight (one in
    flight is a try at the arm's own mean), ``t`` is the sum of all n, ``c`` is `exploration_factor`, and ``s`` is 1
    until `min_trials` calls are rated and then

        s = min(1, 4 V),    V = sample variance + z / (2 sqrt(n))

    where z is the normal quantile of `confidence_level` and 1 / (2 sqrt(n)) the largest standard error that the
    variance of numbers in [0, 1] can have. As 1/4 is the largest variance of such numbers, s = 1 gives UCB1 back.
    Arms that were never asked come first; one with calls in flight and no rating yet counts at mean 1/2. ``ln t`` is
    followed in steps, one each time t has changed by a hundredth, or where old results fade what a result weighs:
    between two steps only the arms that have changed have another score, and a choice is no more than to look for the
    largest.

    >>> selector = UCBModelSelector(exploration_factor=2.0, min_trials=5, confidence_level=0.95)
    >>> for arm in ("a", "b"):
    ...     selector.enroll(arm)
    >>> slate, rng = selector.slate(["a", "b"]), np.random.default_rng(0)
    >>> for quality in (1.0, 0.0):
    ...     arm = selector.choose(slate, rng).arm
    ...     selector.begin(arm)
    ...     selector.settle(arm, quality=quality, cost_usd=None, latency_s=None)
    >>> selector.choose(slate, rng).arm
    'a'
    """

    name = "ucb"
    deterministic = True
    breaks_ties = False  # the width falls with every trial, in flight or settled
    _by_standing: ClassVar[bool] = True  # False where a heir has scores of its own

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._by_standing = all(getattr(cls, way) is getattr(UCBModelSelector, way) for way in _WAYS)

    def __init__(
        self,
        exploration_factor: float = 2.0,
        min_trials: int = 5,
        confidence_level: float = 0.95,
        *,
        objective: Objective | None = None,
        half_life: float | None = None,
    ) -> None:
        if not 0 <= exploration_factor < inf:
            raise ConfigurationError(f"exploration_factor={exploration_factor!r}: a number from 0 up")
        if not 1 <= min_trials < inf:
            raise ConfigurationError(f"min_trials={min_trials!r}: a number of calls from 1 up")
        if not 0.5 <= confidence_level < 1:
            raise ConfigurationError(f"confidence_level={confidence_level!r}: a number from 0.5 up, below 1")
        super().__init__(objective=objective, half_life=half_life)
        self.exploration_factor = exploration_factor
        self.min_trials = min_trials
        self.confidence_level = confidence_level
        self._margin = NormalDist().inv_cdf(confidence_level) / 2
        self._share = self.objective.quality / self.objective.total
        self._root = 1.0  # sqrt(ln t), as of the last step
        self._least = self._most = 0.0  # weighed trials between which that holds,
        self._lightest = self._heaviest = 1.0  # and weights
        self._standing = Standing(self._table, reach=self._share)

    def choose(
        self,
        slate: Slate,
        rng: np.random.Generator,
        objective: Objective | None = None,
        *,
        context: Context | None = None,
    ) -> Choice:
        """As ever; with the objective that was learnt under, nothing is worked out anew."""
        if self._stale:
            self._freshen()
        standing = self._standing
        known = slate.version == self._table.version and slate.table is standing.table
        if known and objective is None and self._by_standing:
            place, score, scores = standing.first(slate)
            own = Choice(slate.arms[place], score, scores, 1.0)
            return self.overruled(own, slate, rng, self.objective, context) if self.overrules else own
        return super().choose(slate, rng, objective, context=context)

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - no draws
        """The worth of each arm with its quality at the upper end of what is plausible."""
        standing, rows = self._seated(), slice(len(arms))  # another thread may have enrolled somebody meanwhile
        if objective is self.objective:
            return standing.scores[rows]
        reach = self._root * objective.quality / objective.total
        return self.worth(arms, objective) + standing.slopes[rows] * reach

    def refresh(self, arms: Arms, arm: Arm) -> None:  # noqa: ARG002 - the standing has the columns
        """Keep the score at radius 0, and sqrt(c s / n), all of the radius that is the arm's own."""
        weight, trials, rated = self._weight, arm.trials, arm.rated
        weighed = self._rated + self._in_flight * weight
        if not (self._least <= weighed <= self._most and self._lightest <= weight <= self._heaviest):
            self._step()
        spread = 1.0
        if rated >= self.min_trials * weight:
            variance = arm.quality_squares / rated - arm.mean * arm.mean
            own = 4 * (variance + self._margin * sqrt(weight / rated))
            if own < 1.0:
                spread = own if own >= 0.0 else 0.0  # noqa: FURB136 - max takes longer
        arm.width = width = sqrt(self.exploration_factor * spread / trials) if trials else _UNTRIED
        standing = self._standing
        if standing.table is not self._table:
            standing = self._seated()
        standing.put(arm.row, self._share * arm.mean + arm.merit, width)

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The radius, and the quality that the score believes in; None before the first call."""
        if not (arm.rated or arm.pending):
            return {"radius": None, "optimistic_quality": None}
        radius = self._root * arm.width
        return {"radius": radius, "optimistic_quality": arm.mean + radius}

    def _step(self) -> None:
        """Follow ln t; the weight takes the counts in the widths back to what they are worth today."""
        weight = self._weight
        weighed = self._rated + self._in_flight * weight
        self._least, self._most = weighed / _STEP, weighed * _STEP
        self._lightest, self._heaviest = weight / _STEP, weight * _STEP
        trials = weighed / weight
        self._root = sqrt(log(trials) * weight if trials > e else weight)
        self._standing.move(self._share * self._root)

    def _seated(self) -> Standing:
        """The standing of the present table; when somebody has come or gone, all are put in place anew."""
        standing = self._standing
        if standing.table is not self._table:
            self._standing = standing = Standing(self._table, reach=self._share * self._root)
            self._stale.extend(self._known.values())
            self._freshen()
        return standing
