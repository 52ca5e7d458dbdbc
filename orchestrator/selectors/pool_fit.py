"""What the models of a pool have in common: a line through a catalogue, a spread, a noise, difficulties."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Final, NamedTuple

import numpy as np

from orchestrator.selectors.arms import Column

__all__ = ["INSIDE", "Evidence", "Fit", "fitting"]

INSIDE: Final = (0.02, 0.98)  # where expected qualities are kept
_EDGE: Final = 0.001
_DIFFICULTY_RESULTS: Final = 8.0  # a category's difficulty is shrunk by so many results
_DEVIATION: Final = 0.001  # to start with, as
_DEVIATION_RESULTS: Final = 200.0  # so many results say
_NOISE_RESULTS: Final = 10.0
_LEAST_NOISE: Final = 0.05
_LEAST_WEIGHT: Final = 0.5
_SPREAD_MODELS: Final = 4.0  # the spread to start with counts as so many models
_SLOPE: Final = 1.0  # and standard deviation 1: narrower ones fail when the catalogue is wrong


class Evidence(NamedTuple):
    """Numbers of results, sums of qualities and of their squares by model, then the first two by category (rows) too.

    `listed` is the quality that is expected of a model, NaN where nothing is.
    """

    rated: Column
    total: Column
    squares: Column
    listed: Column
    number_by_category: Column
    total_by_category: Column


class Fit(NamedTuple):
    """The family: an arm's quality is drawn around `mean`, which counts as `weight` results; `mu` is what is believed.

    `difficulty` is by category, in quality; `noise` is the variance of a result as a share of the largest one that its
    mean allows, 1 for right or wrong; `spread` is a standard deviation, `deviation` the variance of what a model does
    in one category beyond its own quality and the category's difficulty.
    """

    mean: Column
    weight: Column
    mu: Column
    difficulty: Column
    noise: float
    spread: float
    deviation: float
    level: float
    slope: float


class _Start(NamedTuple):
    """What is assumed before any result."""

    offsets: Column  # of the expected qualities from their mean
    level: float
    level_sd: float
    spread: float  # smaller ones lock in; around a catalogue, .06 trusts a wrong one too long and .15 gains too little


def fitting(evidence: Evidence) -> Generator[None, None, Fit]:
    """Empirical Bayes in one round of expectation and maximisation; a generator of pieces that returns the Fit.

    It always begins at the same start, so that the fit follows from the sums alone. More rounds gain nothing.
    """
    start = _start(evidence.listed)
    variance = start.spread**2
    mean = np.clip(start.level + _SLOPE * start.offsets, *INSIDE)
    weight = mean * (1 - mean) / variance
    mu = (evidence.total + weight * mean) / (evidence.rated + weight)
    difficulty = _difficulty(evidence, mu)
    own = evidence.total - difficulty @ evidence.number_by_category if len(difficulty) else evidence.total
    yield
    noise = _noise(evidence, mu)
    level, slope = _line(evidence.rated, own, noise * mu * (1 - mu), start)
    mean = np.clip(level + slope * start.offsets, *INSIDE)
    yield
    weight = np.maximum(noise * mean * (1 - mean) / variance, _LEAST_WEIGHT)
    variance = _variance(evidence.rated, own, mean, weight, noise=noise, start=variance)
    yield
    deviation = _deviation(evidence, mu, difficulty, noise)
    weight = np.maximum(noise * mean * (1 - mean) / variance, _LEAST_WEIGHT)
    mu = (own + weight * mean) / (evidence.rated + weight)
    return Fit(mean, weight, mu, difficulty, noise, math.sqrt(variance), deviation, level, slope)


def _start(listed: Column) -> _Start:
    silent = np.isnan(listed)
    if silent.all():
        return _Start(np.zeros(len(listed)), level=0.6, level_sd=0.25, spread=0.25)
    level = float(listed[~silent].mean())
    return _Start(np.where(silent, 0.0, listed - level), level=level, level_sd=0.1, spread=0.1)


def _difficulty(evidence: Evidence, mu: Column) -> Column:
    """By how much the results of each category miss what its models do elsewhere; centred over the results."""
    number = evidence.number_by_category
    results = number.sum(axis=1)
    if len(results) < 2 or not results.any():
        return np.zeros(len(results))
    missed = (evidence.total_by_category.sum(axis=1) - number @ mu) / (results + _DIFFICULTY_RESULTS)
    centred: Column = missed - (results @ missed) / results.sum()
    return centred


def _noise(evidence: Evidence, mu: Column) -> float:
    """The variance within models, as a share of what right-or-wrong results would have."""
    n, largest = evidence.rated, mu * (1 - mu)
    within = float((evidence.squares - evidence.total**2 / np.maximum(n, 1.0)).sum())
    prior = _NOISE_RESULTS * float(largest.mean())
    noise = (within + prior) / (float(np.maximum(n - 1, 0.0) @ largest) + prior)
    return min(max(noise, _LEAST_NOISE), 1.0)


def _deviation(evidence: Evidence, mu: Column, difficulty: Column, noise: float) -> float:
    """By moments: r^2 / n of a cell with n results that miss their expectation by r is noise + n x deviation."""
    number = evidence.number_by_category
    if not len(difficulty):
        return 0.0
    missed = evidence.total_by_category - number * (mu + difficulty[:, None])
    free = 1 - number / (number.sum(axis=1) + _DIFFICULTY_RESULTS)[:, None]  # the rest went into the difficulty
    excess = missed**2 / np.maximum(number, 1.0) - noise * mu * (1 - mu) * (number > 0) * free
    results = float((number * free).sum()) + _DEVIATION_RESULTS
    return max(0.0, float(excess.sum()) + _DEVIATION * _DEVIATION_RESULTS) / results


def _line(rated: Column, own: Column, variance_of_one: Column, start: _Start) -> tuple[float, float]:
    """Level and slope by ridge regression of the models' means on what was expected; the untried do not enter."""
    some = np.maximum(rated, 1.0)
    pull = (rated > 0) / (start.spread**2 + variance_of_one / some)
    bent = pull * start.offsets
    means = own / some
    a, c = float(pull.sum()) + start.level_sd**-2, float(bent @ start.offsets) + _SLOPE
    b = float(bent.sum())
    right = float(pull @ means) + start.level * start.level_sd**-2
    right_slope = float(bent @ means) + _SLOPE
    determinant = a * c - b * b
    return (right * c - b * right_slope) / determinant, (a * right_slope - b * right) / determinant


def _variance(rated: Column, own: Column, mean: Column, weight: Column, *, noise: float, start: float) -> float:
    """The variance of true qualities around their means, from the models that were tried."""
    mu = np.clip((own + weight * mean) / (rated + weight), _EDGE, 1 - _EDGE)
    scatter = (mu - mean) ** 2 + noise * mu * (1 - mu) / (rated + weight)
    seen = rated > 0
    return (float(scatter[seen].sum()) + _SPREAD_MODELS * start) / (int(np.count_nonzero(seen)) + _SPREAD_MODELS)
