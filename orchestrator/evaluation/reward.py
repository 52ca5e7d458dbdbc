"""What a replay counts: score minus a linear cost, in units of what the best-scoring model costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.table import Grid, OutcomeTable

__all__ = ["Reward"]

_FREE: Final = 1e-12  # USD; what costs less than that is free
_FLATNESS: Final = 1e4  # how many times the dearest answer the objective's cost scale is


@dataclass(frozen=True, slots=True)
class Reward:
    """reward = score - cost_weight x cost / unit; the unit is the mean cost of the model with the best mean score.

    `dearest_usd` is the largest cost that will be met; it sets how far the objective has to be linear.

    >>> Reward(cost_weight=0.1, unit_usd=0.02, dearest_usd=0.04).of(0.9, 0.02)
    0.8
    """

    cost_weight: float
    unit_usd: float
    dearest_usd: float

    def __post_init__(self) -> None:
        if not (0 <= self.cost_weight < math.inf):
            raise ConfigurationError(f"cost_weight={self.cost_weight!r}: a number from 0 up")

    @classmethod
    def over(cls, table: OutcomeTable, *, cost_weight: float) -> Reward:
        """The reward with this table's unit; the mean of all costs if the best-scoring model is free."""
        best, every = float(table.cost_usd[:, table.score.mean(axis=0).argmax()].mean()), float(table.cost_usd.mean())
        unit = next((cost for cost in (best, every) if cost > _FREE), 1.0)
        return cls(cost_weight, unit, max(unit, float(table.cost_usd.max())))

    def of(self, score: float, cost_usd: float) -> float:
        """The reward of one answer."""
        return score - self.cost_weight * cost_usd / self.unit_usd

    def over_grid(self, score: Grid, cost_usd: Grid) -> Grid:
        """The reward of every answer."""
        return score - (self.cost_weight / self.unit_usd) * cost_usd

    @property
    def objective(self) -> Objective:
        """The engine's objective that ranks as this reward does.

        Its cost curve 1 / (1 + usd/scale) is a straight line of slope -1/scale far below its scale. With a scale of
        10,000 times the dearest answer, and a weight that makes up for the slope, it is the line to within one part
        in 10,000 of any answer's cost, and every selector works with it as it is.
        """
        scale_usd = _FLATNESS * self.dearest_usd
        weight = self.cost_weight * scale_usd / self.unit_usd
        return Objective(quality=1.0, cost=weight, latency=0.0, cost_scale_usd=scale_usd)
