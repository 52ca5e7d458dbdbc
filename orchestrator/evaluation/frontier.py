"""What can be had without looking at the prompt: the upper hull of fixed models in the plane of cost and score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["best_mixture", "hull"]

_Floats = Sequence[float] | npt.NDArray[np.float64]


def hull(scores: _Floats, costs_usd: _Floats) -> list[tuple[float, float]]:
    """The (cost, score) corners of the best fixed mixtures, dearer and better from one to the next.

    >>> hull([0.5, 0.6, 0.9, 0.8], [1.0, 2.0, 3.0, 4.0])
    [(1.0, 0.5), (3.0, 0.9)]
    """
    corners: list[tuple[float, float]] = []
    for cost, score in sorted(zip(map(float, costs_usd), map(float, scores), strict=True), key=_cheap_then_good):
        if corners and score <= corners[-1][1]:
            continue
        while len(corners) > 1 and _below(corners[-2], corners[-1], (cost, score)):
            corners.pop()
        corners.append((cost, score))
    return corners


def _cheap_then_good(point: tuple[float, float]) -> tuple[float, float]:
    return point[0], -point[1]


def _below(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """True when the middle point lies on or under the line from left to right."""
    rise = (right[1] - left[1]) * (middle[0] - left[0])
    return rise >= (middle[1] - left[1]) * (right[0] - left[0])


def best_mixture(scores: _Floats, costs_usd: _Floats, *, budget_usd: float) -> float:
    """The mean score of the best mixture whose mean cost is within the budget; of the cheapest when none is.

    This is the "zero router" of RouterBench (Hu et al. 2024): a coin between two models, blind to the prompt.

    >>> round(best_mixture([0.5, 0.9], [1.0, 3.0], budget_usd=2.0), 3)
    0.7
    """
    corners = hull(scores, costs_usd)
    return float(np.interp(budget_usd, [cost for cost, _ in corners], [score for _, score in corners]))
