"""What each model of a pool does better, or dearer, in one category than elsewhere, ready for a decision."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.selectors.arms import Column
from orchestrator.selectors.pool_evidence import Rows, slices
from orchestrator.selectors.pool_fit import INSIDE, Fit
from orchestrator.selectors.slate import FEW
from orchestrator.selectors.tally import Tally

__all__ = ["Costs", "Niche", "firmness", "merit_offset", "niches"]

_PRICED_CALLS: Final = 10.0  # a category's, and a model's own, part in what a call costs is shrunk by so many
_CELLS: Final = 72  # pairs of a model and a category that are gone through in one piece
_HEARD: Final = 0.1  # cost counts half after so many of the results after which quality does
_LEAST: Final = 1e-9
_LEAST_USD: Final = 1e-300


@dataclass(slots=True)
class Niche:
    """One category by row of the arms' table: what to add to quality and to the index, and what the cost is times.

    `heard`, from 0 to 1, is how far the merit follows that cost by now; `listed` what a catalogue adds to quality,
    where there is one that knows of categories.
    """

    heard: Column
    quality: list[float] | Column
    index: list[float] | Column
    cost: list[float] | Column
    listed: list[float] | Column | None = None


def firmness(fit: Fit) -> float:
    """How many results of a model in a category weigh as much as not to expect that it deviates there."""
    return fit.noise / max(fit.deviation, _LEAST)


def niches(
    tally: Tally, rows: Rows, costs_usd: Sequence[float], fit: Fit, objective: Objective
) -> Generator[None, None, dict[str, Niche]]:
    """All categories of the fit, some at a time; a generator of pieces that returns them by name.

    `rows` and `costs_usd` are of the fit's models, in its order.
    """
    names, used, columns = tuple(tally.row_of), len(fit.difficulty), tally.columns
    mu, cost_usd, listed = np.zeros(columns), np.zeros(columns), np.zeros((used, columns))
    mu[rows], cost_usd[rows] = np.minimum(np.maximum(fit.mu, INSIDE[0]), INSIDE[1]), costs_usd
    if fit.listed is not None:
        listed[:, rows] = fit.listed
    costs = Costs(tally.charged[:used, :columns], tally.spent_usd[:used, :columns])
    made: dict[str, Niche] = {}
    for some in slices(used, max(1, _CELLS // columns)):
        yield
        number, said = tally.number[some, :columns], listed[some]
        missed = tally.total[some, :columns] - number * (mu + fit.difficulty[some, None] + said)
        quality = said + missed / (number + firmness(fit))
        factors = costs.factors(some)
        heard = number / (number + _HEARD * firmness(fit))  # dear categories are where strong models do best
        index = quality * (objective.quality / objective.total) + heard * merit_offset(cost_usd, factors, objective)
        kept = [quality, index, factors] if fit.listed is None else [quality, index, factors, said]
        made.update(zip(names[some], map(Niche, heard, *map(_rows, kept)), strict=True))
    return made


def _rows(grid: Column) -> Any:
    """A list a category where arms are few and read one by one, a row of the array where they are many."""
    return grid.tolist() if grid.shape[1] <= FEW else grid


class Costs:
    """By how many times a call of each model (columns) costs more in each category (rows) than its calls in the mean.

    How dear a category is comes from all models; a model that was asked in cheap categories only is no cheap model.

    >>> costs = Costs(np.array([[99.0, 0.0], [99.0, 99.0]]), np.array([[1.0, 0.0], [5.0, 7.0]]))
    >>> costs.factors(slice(0, 2)).round(1).tolist()
    [[0.3, 0.3], [1.7, 1.0]]
    """

    __slots__ = ("_charged", "_dear", "_relative", "_usual")

    def __init__(self, charged: Column, spent_usd: Column) -> None:
        of_category, of_model, paid = (
            np.add.reduce(charged, axis=1),
            np.add.reduce(charged),
            np.add.reduce(spent_usd),
        )
        relative = np.where(paid > 0, spent_usd * of_model / np.maximum(paid, _LEAST_USD), charged)
        dear = _shrunk(np.add.reduce(relative, axis=1), of_category)
        usual = _shrunk(dear @ charged, of_model)
        self._dear = _shrunk(relative @ usual, of_category)
        self._usual = _shrunk(self._dear @ charged, of_model)
        self._charged, self._relative = charged, relative

    def factors(self, some: slice) -> Column:
        """Those of some categories; 1 where there is but one."""
        if len(self._dear) < 2:
            return np.ones(self._charged.shape)
        known = self._dear[some, None]
        return _shrunk(self._relative[some] * self._usual, self._charged[some], known) / self._usual


def _shrunk(total: Column, number: Column, towards: Column | float = 1.0) -> Column:
    mean: Column = (total + _PRICED_CALLS * towards) / (number + _PRICED_CALLS)
    return mean


def merit_offset(cost_usd: Column, factor: Column, objective: Objective) -> Column:
    """What the merit gains where a call costs `factor` times as much."""
    scale, share = objective.cost_scale_usd, objective.cost / objective.total
    gained: Column = share * scale * (1 / (scale + cost_usd * factor) - 1 / (scale + cost_usd))
    return gained
