"""What the policy believes of each model, in the same four figures whatever the policy is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from orchestrator.gateway.dashboard.history import rounded

__all__ = ["belief_of"]

_Z = 1.96  # 95 %

Facts = Mapping[str, float | int | None]


def belief_of(facts: Facts) -> dict[str, Any]:
    """Estimate of the quality with a 95 % interval, pulls and the optimistic figure, from an arm's statistics.

    The estimate is the policy's own where it has one, else the mean of what was rated; the interval is Wilson's (1927)
    for as many trials as stand behind it, and as wide as can be where there are none.

    >>> belief = belief_of({"pulls": 40, "pending": 1, "mean_quality": 0.9})
    >>> belief["estimate"], belief["low"], belief["high"], belief["optimistic"]
    (0.9, 0.7695, 0.9604, None)
    >>> belief_of({"pulls": 0})["estimate"], belief_of({"pulls": 0})["high"]
    (None, 1.0)
    """
    estimate, trials = _estimate(facts), _trials(facts)
    low, high = _wilson(estimate, trials)
    optimistic = facts.get("optimistic_quality")
    return {
        "estimate": rounded(estimate),
        "low": rounded(low),
        "high": rounded(high),
        "optimistic": rounded(min(1.0, optimistic)) if optimistic is not None and math.isfinite(optimistic) else None,
        "pulls": facts.get("pulls") or 0,
        "pending": facts.get("pending") or 0,
    }


def _estimate(facts: Facts) -> float | None:
    for name in ("believed_quality", "posterior_mean"):
        if (known := facts.get(name)) is not None:
            return float(known)
    won, lost = facts.get("successes"), facts.get("failures")
    if won is not None and lost is not None and won + lost > 0:
        return float(won / (won + lost))
    mean = facts.get("mean_quality")
    return None if mean is None else float(mean)


def _trials(facts: Facts) -> float:
    trials, won, lost = facts.get("trials"), facts.get("successes"), facts.get("failures")
    if trials is None and won is not None and lost is not None:
        trials = won + lost
    return float(trials if trials is not None else facts.get("pulls") or 0)


def _wilson(mean: float | None, trials: float) -> tuple[float, float]:
    if mean is None or trials <= 0:
        return 0.0, 1.0
    shrink = 1 / (1 + _Z * _Z / trials)
    centre = (mean + _Z * _Z / (2 * trials)) * shrink
    half = _Z * math.sqrt(max(0.0, mean * (1 - mean)) / trials + (_Z / (2 * trials)) ** 2) * shrink
    return max(0.0, centre - half), min(1.0, centre + half)
