"""Decisions as they were logged, another policy's probabilities beside them, and guesses at what was not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.table import Codes, Grid

__all__ = ["Logged", "guess_by_category"]

_SHRINKAGE = 8.0  # a category's mean counts as much as the model's own after so many results


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """One entry a decision: reward in [0, 1], the column of the model chosen, and how likely that choice was.

    >>> Logged.of([1.0, 0.0], chosen=[0, 1], propensity=[0.5, 0.0])
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: propensity 0.0 of decision 1: a probability above 0, up to 1
    """

    reward: Grid
    chosen: Codes
    propensity: Grid

    @classmethod
    def of(cls, reward: npt.ArrayLike, *, chosen: npt.ArrayLike, propensity: npt.ArrayLike) -> Logged:
        """The log as arrays, checked."""
        rewards, odds = np.asarray(reward, dtype=np.float64), np.asarray(propensity, dtype=np.float64)
        columns = np.asarray(chosen, dtype=np.intp)
        if not (rewards.ndim == 1 and len(rewards) and rewards.shape == columns.shape == odds.shape):
            raise ConfigurationError("reward, chosen and propensity: three rows of one length, at least one decision")
        _refuse("reward", rewards, (rewards >= 0) & (rewards <= 1), "a number from 0 to 1")
        _refuse("propensity", odds, (odds > 0) & (odds <= 1), "a probability above 0, up to 1")
        _refuse("chosen", columns, columns >= 0, "the column of a model, from 0 up")
        return cls(rewards, columns, odds)

    def __len__(self) -> int:
        return len(self.reward)

    def weights(self, policy: Grid) -> Grid:
        """How many times as likely as the logged policy the other one is to choose what was chosen."""
        odds: Grid = policy[np.arange(len(self)), self.chosen]
        return odds / self.propensity

    def checked_policy(self, policy: npt.ArrayLike) -> Grid:
        """The other policy's probabilities, a row a decision and a column a model; one row stands for all decisions."""
        table = np.atleast_2d(np.asarray(policy, dtype=np.float64))
        table = np.broadcast_to(table, (len(self), table.shape[1]))
        if int(self.chosen.max()) >= table.shape[1]:
            raise ConfigurationError(
                f"the policy has {table.shape[1]} columns, and column {self.chosen.max()} was chosen"
            )
        sums = table.sum(axis=1)
        _refuse(
            "probabilities that sum to", sums, (table >= 0).all(axis=1) & (abs(sums - 1) < 1e-6), "none negative, sum 1"
        )
        return table


def _refuse(what: str, values: npt.NDArray[np.generic], fine: npt.NDArray[np.bool_], wanted: str) -> None:
    if not fine.all():
        worst = int(np.argmin(fine))
        raise ConfigurationError(f"{what} {values[worst]} of decision {worst}: {wanted}")


def guess_by_category(log: Logged, category: Codes, *, models: int, folds: int = 5, seed: int = 0) -> Grid:
    """Every model's expected reward for every decision: means by category, each from the other folds only.

    A category's mean is drawn towards the model's, and that towards the mean of all, by eight results' worth.
    A guess made without the decision itself keeps a doubly robust estimate unbiased (Chernozhukov et al. 2018).
    """
    fold = np.random.default_rng(seed).permutation(len(log)) % folds
    guess = np.empty((len(log), models))
    for number in range(folds):
        inside = fold == number
        guess[inside] = _means(log, category, ~inside, models)[category[inside]]
    return guess


def _means(log: Logged, category: Codes, rows: npt.NDArray[np.bool_], models: int) -> Grid:
    shape = (int(category.max()) + 1, models)
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (category[rows], log.chosen[rows]), log.reward[rows])
    np.add.at(counts, (category[rows], log.chosen[rows]), 1.0)
    overall = log.reward[rows].mean() if rows.any() else 0.5
    model = (sums.sum(axis=0) + _SHRINKAGE * overall) / (counts.sum(axis=0) + _SHRINKAGE)
    means: Grid = (sums + _SHRINKAGE * model) / (counts + _SHRINKAGE)
    return means
