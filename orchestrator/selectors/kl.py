"""Kullback-Leibler bounds for numbers in [0, 1]: how high a mean may plausibly be."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final

import numpy as np

from orchestrator.selectors.arms import Column

__all__ = ["divergence", "upper_bound", "upper_bounds"]

_EDGE: Final = 1e-9  # bounds and means stay so far inside (0, 1)
_MOST: Final = 1 - _EDGE
_NEAR: Final = _EDGE / 2
_STEPS: Final = 3


def divergence(mean: float, other: float) -> float:
    """KL(mean, other) of two Bernoulli distributions, in nats.

    >>> round(divergence(0.5, 0.75), 4)
    0.1438
    """
    mean, other = (min(max(number, _EDGE), _MOST) for number in (mean, other))
    return mean * log(mean / other) + (1 - mean) * log((1 - mean) / (1 - other))


def upper_bound(mean: float, allowance: float) -> float:
    """The largest q with KL(mean, q) <= allowance (nats), to within 1e-4.

    It starts at the smaller of two bounds in closed form: Bernstein's, near for a small allowance, and the one that
    leaves out `- mean ln q`, near for a large one. Newton's steps on a convex function then come down from above.

    >>> round(upper_bound(0.5, divergence(0.5, 0.75)), 4)
    0.75
    """
    if not _EDGE <= mean <= _MOST:
        mean = min(max(mean, _EDGE), _MOST)
    if allowance <= 0:
        return mean
    rest = 1 - mean
    entropy = mean * log(mean) + rest * log(rest)
    skew = allowance * (rest - mean) / 3
    bernstein = mean + skew + sqrt(skew * skew + 2 * allowance * mean * rest)
    far = 1 - exp((entropy - allowance) / rest)
    q = far if far < bernstein else bernstein  # noqa: FURB136 - min takes longer than a step without it
    for _ in range(_STEPS):
        if q > _MOST:  # noqa: PLR1730 - the same
            q = _MOST
        if q - mean < _NEAR:
            return mean
        left = 1 - q
        excess = entropy - mean * log(q) - rest * log(left) - allowance
        q -= excess * q * left / (q - mean)
    return q if mean <= q <= _MOST else min(max(q, mean), _MOST)


def upper_bounds(means: Column, allowances: Column) -> Column:
    """The same for every pair, as one vector expression; an allowance below 0 counts as 0.

    >>> upper_bounds(np.array([0.5, 0.9]), np.array([0.1438, 0.05])).round(3).tolist()
    [0.75, 0.969]
    """
    means = np.clip(means, _EDGE, 1 - _EDGE)
    allowances = np.maximum(allowances, 0.0)
    rests = 1 - means
    entropies = means * np.log(means) + rests * np.log(rests) - allowances
    skews = allowances * (rests - means) / 3
    q = means + skews + np.sqrt(skews * skews + 2 * allowances * means * rests)
    q = np.minimum(np.minimum(q, 1 - np.exp(entropies / rests)), 1 - _EDGE)
    for _ in range(_STEPS):
        left = 1 - q
        excess = entropies - means * np.log(q) - rests * np.log(left)
        q = np.minimum(q - excess * q * left / np.maximum(q - means, _EDGE), 1 - _EDGE)
    bounds: Column = np.maximum(q, means)
    return bounds
