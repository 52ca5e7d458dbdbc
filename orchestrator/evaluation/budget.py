"""Whether a budget was kept, and whether it was well spent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from orchestrator.evaluation.frontier import best_mixture
from orchestrator.evaluation.table import Codes
from orchestrator.evaluation.world import World

__all__ = ["Spending", "spending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Against a target for the mean cost: `overspend` is a share of it, negative when money was left.

    `score_of_best_mixture` is the policy's mean score as a share of what the best fixed mixture of two models within
    the budget reaches, known in hindsight.
    """

    budget_usd: float
    mean_cost_usd: float
    overspend: float
    best_mixture_score: float
    score_of_best_mixture: float | None

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, for JSON."""
        return asdict(self)


def spending(world: World, picks: Codes, *, budget_usd: float) -> Spending:
    """What was spent on these choices, and what a fixed mixture would have made of the money."""
    rounds = np.arange(len(picks))
    cost, score = (float(grid[rounds, picks].mean()) for grid in (world.cost_usd, world.score))
    scores, costs = (grid[:, world.settled].mean(axis=0) for grid in (world.score, world.cost_usd))
    best = best_mixture(scores, costs, budget_usd=budget_usd)
    return Spending(
        budget_usd=budget_usd,
        mean_cost_usd=cost,
        overspend=cost / budget_usd - 1 if budget_usd else 0.0,
        best_mixture_score=best,
        score_of_best_mixture=score / best if best else None,
    )
