"""What the models of a pool have in common: a line through a catalogue, a spread, a noise, difficulties."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, NamedTuple

import numpy as np

from orchestrator.selectors.arms import Column
from orchestrator.selectors.pool_family import Results, averaged, facts_of, hypotheses

__all__ = ["INSIDE", "Evidence", "Fit", "fitting"]

INSIDE: Final = (0.02, 0.98)  # where expected qualities are kept
_DIFFICULTY_RESULTS: Final = 8.0  # a category's difficulty is shrunk by so many results
_DEVIATION: Final = 0.001  # to start with, as
_DEVIATION_RESULTS: Final = 200.0  # so many results say
_NOISE_RESULTS: Final = 10.0
_LEAST_NOISE: Final = 0.05
_LEAST_WEIGHT: Final = 0.5
_FIRST_SPREAD: Final = 0.25  # to begin with, for the difficulties and the noise,
_FIRST_SPREAD_LISTED: Final = 0.1  # and around a catalogue


class Evidence(NamedTuple):
    """Numbers of results, sums of qualities and of their squares by model, then the first two by category (rows) too.

    `listed` is the quality that is expected of a model and `cost_usd` its mean cost a call, NaN where it is not known.
    """

    rated: Column
    total: Column
    squares: Column
    listed: Column
    cost_usd: Column
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
    price_slope: float


def fitting(evidence: Evidence) -> Generator[None, None, Fit]:
    """Empirical Bayes: difficulties and noise by moments, then the family; a generator of pieces that returns the Fit.

    It always begins at the same start, so that the fit follows from the sums alone. More rounds gain nothing.
    """
    facts = facts_of(evidence.listed, evidence.cost_usd)
    yield
    prior = hypotheses(evidence.listed)
    mu = _first_belief(evidence, facts @ prior.line)
    yield
    difficulty = _difficulty(evidence, mu)
    own = evidence.total - difficulty @ evidence.number_by_category if len(difficulty) else evidence.total
    yield
    noise = _noise(evidence, mu)
    some = np.maximum(evidence.rated, 1.0)
    results = Results(evidence.rated > 0, own / some, noise * mu * (1 - mu) / some)
    yield
    family = yield from averaged(facts, results, prior)
    yield
    deviation = _deviation(evidence, mu, difficulty, noise)
    yield
    mean = np.minimum(np.maximum(family.mean, INSIDE[0]), INSIDE[1])
    weight = np.maximum(noise * mean * (1 - mean) / family.variance, _LEAST_WEIGHT)
    mu = (own + weight * mean) / (evidence.rated + weight)
    return Fit(mean, weight, mu, difficulty, noise, family.spread, deviation, *family[3:])


def _first_belief(evidence: Evidence, expected: Column) -> Column:
    """What the results make of each model while the family is not known."""
    spread = _FIRST_SPREAD if np.isnan(evidence.listed).all() else _FIRST_SPREAD_LISTED
    mean = np.minimum(np.maximum(expected, INSIDE[0]), INSIDE[1])  # np.clip takes ten times as long
    weight = mean * (1 - mean) / spread**2
    mu: Column = (evidence.total + weight * mean) / (evidence.rated + weight)
    return mu


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
    if len(difficulty) < 2:
        return 0.0  # nothing to deviate from
    missed = evidence.total_by_category - number * (mu + difficulty[:, None])
    free = 1 - number / (number.sum(axis=1) + _DIFFICULTY_RESULTS)[:, None]  # the rest went into the difficulty
    excess = missed**2 / np.maximum(number, 1.0) - noise * mu * (1 - mu) * (number > 0) * free
    results = float((number * free).sum()) + _DEVIATION_RESULTS
    return max(0.0, float(excess.sum()) + _DEVIATION * _DEVIATION_RESULTS) / results
