"""How far models deviate from their own quality in single categories, learnt from all of them together."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Column
from orchestrator.selectors.pool_evidence import DIFFICULTY_RESULTS, Evidence, Listed, slices

__all__ = ["Deviations", "deviating", "listed_by_category"]

_DEVIATIONS: Final = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.6]) ** 2  # as shares of the largest variance of a result
_DEVIATION: Final = (0.05**2, 2.0)  # median and logarithmic standard deviation of these, before any result
_SLOPE_SD: Final = 0.3  # on what a catalogue says of categories
_UNLISTED: Final = 0.25  # of a deviation is nobody's knowledge, however good the catalogue
_CELLS: Final = 72  # pairs of a model and a category that are looked at in one piece
_LEAST_LARGEST: Final = 0.01
_LEAST: Final = 1e-9


class Deviations(NamedTuple):
    """What models do in one category beyond their own quality and the category's difficulty.

    `variance` is a share of the largest variance that a model's mean allows a result, as the noise is; `slope` is what
    a catalogue's qualities by category are worth.
    """

    variance: float
    slope: float


def deviating(
    evidence: Evidence, mu: Column, difficulty: Column, noise: float, weight: Column
) -> Generator[None, None, Deviations]:
    """Averaged over hypotheses, by how well each explains the mean misses of all pairs of model and category.

    A miss of n results has the variance deviation + noise / n, and a pair counts for as much as neither the category's
    difficulty nor the model's own quality has taken of it (restricted likelihood, Patterson and Thompson 1971). A
    catalogue whose categories lie further apart than models are likely to is taken for partly chance, by hypothesis.
    """
    listed = evidence.by_category
    if len(difficulty) < 2:
        return Deviations(0.0, 0.0)  # nothing to deviate from
    scatter = 0.0 if listed is None else listed.scatter
    expected = np.minimum(_DEVIATIONS / max(scatter, _LEAST), 1.0)
    left = np.maximum(_DEVIATIONS - expected * expected * scatter, _UNLISTED * _DEVIATIONS)
    sums = np.zeros((4, len(_DEVIATIONS)))
    for some in slices(len(difficulty), max(1, _CELLS // len(mu))):
        yield
        pairs = _pairs(evidence, some, mu, difficulty, weight)
        yield
        sums += _explained(pairs, left, noise)
    yield
    log_spread, squares, products, listed_squares = sums
    firm = _SLOPE_SD**-2.0
    slope = (products + firm * expected) / (listed_squares + firm)
    log_chance = _chances(scatter) - 0.5 * (
        log_spread + squares - 2 * slope * products + slope * slope * listed_squares
    )
    if listed is not None:
        log_chance -= 0.5 * (np.log(listed_squares + firm) + firm * (slope - expected) ** 2)
    yield
    chance = np.exp(log_chance - log_chance.max())
    chance /= chance.sum()
    return Deviations(float(chance @ left), float(chance @ slope))


def _chances(scatter: float) -> Column:
    """The logarithms, before any result; a catalogue is expected to be half right about how much models deviate."""
    median, sd = _DEVIATION
    log_chance: Column = -0.5 * (np.log(_DEVIATIONS / max(median, scatter / 2)) / sd) ** 2
    return log_chance


class _Pairs(NamedTuple):
    """Pairs of model and category that have results: their number, mean miss, what the catalogue says, and the rest."""

    number: Column
    missed: Column
    listed: Column
    largest: Column
    free: Column


def _pairs(evidence: Evidence, some: slice, mu: Column, difficulty: Column, weight: Column) -> _Pairs:
    grid, listed = evidence.number_by_category[some], evidence.by_category
    there = np.nonzero(grid)
    of_category, models = np.add.reduce(grid, axis=1)[there[0]], there[1]
    number, quality = grid[there], mu[models]
    missed = evidence.total_by_category[some][there] / number - quality - difficulty[some][there[0]]
    free = (1 - number / (of_category + DIFFICULTY_RESULTS)) * (1 - number / (evidence.rated + weight)[models])
    said = np.zeros(len(number)) if listed is None else listed.deviation[some][there]
    return _Pairs(number, missed, said, quality * (1 - quality), np.maximum(free, 0.0))


def _explained(pairs: _Pairs, left: Column, noise: float) -> Column:
    """By hypothesis, what these pairs add to the sums that make up the likelihood."""
    variance = left[:, None] * pairs.largest + noise * pairs.largest / pairs.number
    pull, missed, listed = 1 / variance, pairs.missed, pairs.listed
    return np.array(
        (np.log(variance) @ pairs.free, pull @ (missed * missed), pull @ (missed * listed), pull @ (listed * listed))
    )


def listed_by_category(
    known: Sequence[Arm], categories: Mapping[str, int], number: Column
) -> Generator[None, None, Listed | None]:
    """A catalogue's qualities by category (rows), apart: each model's mean over them, and how it deviates in each.

    A category counts by its results, and once more. In each the deviations are centred over the results, as the rest is
    its difficulty. Where nothing is said of a model it deviates by 0. None where nothing is said of any by category.
    """
    if not any(arm.expected_in for arm in known):
        return None
    said = _said(known, categories, number)
    yield
    there = ~np.isnan(said)
    said[~there] = 0.0
    counts = there * (np.add.reduce(number, axis=1)[:, None] + 1.0)
    yield
    everywhere = np.add.reduce(counts)
    level = np.where(everywhere > 0, np.add.reduce(counts * said) / np.maximum(everywhere, 1.0), math.nan)
    deviation = np.where(there, said - level, 0.0)
    yield
    counts = there * (number + 1.0)
    of_category = np.add.reduce(counts, axis=1, keepdims=True)
    deviation -= np.add.reduce(counts * deviation, axis=1, keepdims=True) / np.maximum(of_category, 1.0)
    deviation[~there] = 0.0
    yield
    scatter = (deviation * deviation / np.maximum(level * (1 - level), _LEAST_LARGEST))[there]
    return Listed(level, deviation, float(scatter.mean()) if len(scatter) else 0.0)


def _said(known: Sequence[Arm], categories: Mapping[str, int], number: Column) -> Column:
    """What is expected of each model (columns) in each category, NaN where nothing is."""
    said = np.full(number.shape, math.nan)
    for column, arm in enumerate(known):
        for category, quality in (arm.expected_in or {}).items():
            row = categories.get(category, len(said))
            if row < len(said):  # else a category of which there are no results
                said[row, column] = quality
    return said
