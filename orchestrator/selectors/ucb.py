"""Optimism: the arm whose plausible worth is highest."""

from __future__ import annotations

from collections.abc import Sequence
from math import e, inf, log, sqrt
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.selector import ModelSelector

__all__ = ["UCBModelSelector"]

_UNTRIED = 1e9  # the width of an arm that nobody has asked yet


class UCBModelSelector(ModelSelector):
    """UCB1 with a radius that shrinks where an arm's quality varies little (Auer, Cesa-Bianchi, Fischer 2002).

    Quality is taken at ``mean + sqrt(c ln(t) s / n)`` and valued together with the arm's mean cost and latency, so
    that at radius 0 the score is exactly `Objective.worth`. ``n`` counts rated calls and calls in flight (one in
    flight is a try at the arm's own mean), ``t`` is the sum of all n, ``c`` is `exploration_factor`, and ``s`` is 1
    until `min_trials` calls are rated and then

        s = min(1, 4 V),    V = sample variance + z / (2 sqrt(n))

    where z is the normal quantile of `confidence_level` and 1 / (2 sqrt(n)) the largest standard error that the
    variance of numbers in [0, 1] can have. As 1/4 is the largest variance of such numbers, s = 1 gives UCB1 back.
    Arms that were never asked come first; one with calls in flight and no rating yet counts at mean 1/2.

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
    columns: ClassVar[tuple[str, ...]] = ("floor", "width")  # score = floor + share * sqrt(ln t) * width

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
        self._unwritten: set[Arm] = set()
        self._reach: Column = np.array(0.0)  # numpy multiplies by an array without axes faster than by a float

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - no draws
        """The worth of each arm with its quality at the upper end of what is plausible."""
        self._write_columns(arms)
        if objective is self.objective:
            self._reach[()] = self._share * self._root()
            scores: Column = arms.extra["width"] * self._reach
            scores += arms.extra["floor"]
            return scores
        reach = self._root() * objective.quality / objective.total
        return arms.extra["width"] * reach + self.worth(arms, objective)

    def few_scores(self, arms: Sequence[Arm]) -> list[float]:
        """The same, without numpy: a vector of ten costs more to set up than to go through."""
        reach = self._share * self._root()
        return [arm.index + reach * arm.width for arm in arms]

    def refresh(self, arms: Arms, arm: Arm) -> None:  # noqa: ARG002 - the columns are written when a vector needs them
        """Keep the score at radius 0, and sqrt(c s / n), all of the radius that is the arm's own."""
        arm.index = self._share * arm.mean + arm.merit
        trials = arm.trials
        arm.width = sqrt(self.exploration_factor * self._spread(arm) / trials) if trials else _UNTRIED
        self._unwritten.add(arm)

    def _spread(self, arm: Arm) -> float:
        """The share s of the largest variance that the arm's own is taken for."""
        rated = arm.rated / self._weight
        if rated < self.min_trials:
            return 1.0
        variance = arm.quality_squares / arm.rated - arm.mean * arm.mean
        spread = 4 * (variance + self._margin / sqrt(rated))
        return spread if 0.0 <= spread <= 1.0 else float(spread > 1)

    def _write_columns(self, arms: Arms) -> None:
        unwritten = self._unwritten
        while unwritten:
            try:
                arm = unwritten.pop()
            except KeyError:  # a choice in another thread was quicker
                break
            if self._known.get(arm.name) is arm:  # else its row may be another's by now
                arms.extra["floor"][arm.row], arms.extra["width"][arm.row] = arm.index, arm.width

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The radius, and the quality that the score believes in; None before the first call."""
        if not (arm.rated or arm.pending):
            return {"radius": None, "optimistic_quality": None}
        radius = self._root() * arm.width
        return {"radius": radius, "optimistic_quality": arm.mean + radius}

    def _root(self) -> float:
        """sqrt(ln t); the weight takes the counts in the widths back to what they are worth today."""
        trials = self._rated / self._weight + self._in_flight
        return sqrt(log(trials) * self._weight if trials > e else self._weight)
