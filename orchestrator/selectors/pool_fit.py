"""What the models of a pool have in common: a line through a catalogue, a spread, a noise, difficulties."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, NamedTuple

import numpy as np

from orchestrator.selectors.arms import Column
from orchestrator.selectors.pool_deviation import deviating
from orchestrator.selectors.pool_evidence import DIFFICULTY_RESULTS, Evidence, facts_of
from orchestrator.selectors.pool_family import Results, averaged, hypotheses

__all__ = ["INSIDE", "Evidence", "Fit", "fitting"]

INSIDE: Final = (0.02, 0.98)  # where expected qualities are kept
_NOISE_RESULTS: Final = 10.0
_LEAST_NOISE: Final = 0.05
_LEAST_WEIGHT: Final = 0.5


class Fit(NamedTuple):
    """The family: an arm's quality is drawn around `mean`, which counts as `weight` results; `mu` is what is believed.

    `difficulty` is by category, in quality; `noise` is the variance of a result as a share of the largest one that its
    mean allows, 1 for right or wrong; `spread` is a standard deviation, `deviation` the variance of what a model does
    in one category beyond its own quality and the category's difficulty, as the same share. `listed` is what is made
    of a catalogue's qualities by category (rows) and model, where it has such: what to add to quality there.
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
    listed: Column | None = None


def fitting(evidence: Evidence) -> Generator[None, None, Fit]:
    """Empirical Bayes: difficulties and noise by moments, then the family; a generator of pieces that returns the Fit.

    It always begins at the same start, so that the fit follows from the sums alone. More rounds gain nothing.
    """
    rated = evidence.rated
    facts = yield from facts_of(evidence.listed, evidence.cost_usd)
    yield
    prior = hypotheses(evidence.listed)
    first = _inside(facts @ prior.line)
    yield
    weight = first * (1 - first) / prior.first_spread**2
    mu = _believed(evidence.total, rated, first, weight)
    largest = mu * (1 - mu)
    yield
    difficulty = _difficulty(evidence, mu)
    yield
    noise = _noise(evidence, largest)
    deviations = yield from deviating(evidence, mu, difficulty, noise, weight)
    listed = None if evidence.by_category is None else deviations.slope * evidence.by_category.deviation
    own = _own(evidence, difficulty, listed)
    yield
    some = np.maximum(rated, 1.0)
    results = Results(rated > 0, own / some, noise * largest / some)
    yield
    family = yield from averaged(facts, results, prior)
    yield
    mean = _inside(family.mean)
    weight = np.maximum(noise * mean * (1 - mean) / family.variance, _LEAST_WEIGHT)
    mu = _believed(own, rated, mean, weight)
    return Fit(mean, weight, mu, difficulty, noise, family.spread, deviations.variance, *family[3:], listed)


def _inside(expected: Column) -> Column:
    kept: Column = np.minimum(np.maximum(expected, INSIDE[0]), INSIDE[1])  # np.clip takes ten times as long
    return kept


def _believed(total: Column, rated: Column, mean: Column, weight: Column) -> Column:
    """What results make of an expectation that counts as `weight` of them."""
    mu: Column = (total + weight * mean) / (rated + weight)
    return mu


def _own(evidence: Evidence, difficulty: Column, listed: Column | None) -> Column:
    """The models' sums without what is their categories'."""
    if not len(difficulty):
        return evidence.total
    own: Column = evidence.total - difficulty @ evidence.number_by_category
    return own if listed is None else own - np.add.reduce(listed * evidence.number_by_category)


def _difficulty(evidence: Evidence, mu: Column) -> Column:
    """By how much the results of each category miss what its models do elsewhere; centred over the results."""
    number = evidence.number_by_category
    results = np.add.reduce(number, axis=1)
    of_all = float(np.add.reduce(results))
    if len(results) < 2 or not of_all:
        return np.zeros(len(results))
    missed: Column = np.add.reduce(evidence.total_by_category, axis=1) - number @ mu
    missed /= results + DIFFICULTY_RESULTS
    missed -= (results @ missed) / of_all
    return missed


def _noise(evidence: Evidence, largest: Column) -> float:
    """The variance within models, as a share of what right-or-wrong results would have."""
    n, total = evidence.rated, evidence.total
    within = float(np.add.reduce(evidence.squares - total * total / np.maximum(n, 1.0)))
    prior = _NOISE_RESULTS * float(np.add.reduce(largest)) / len(largest)
    noise = (within + prior) / (float(np.maximum(n - 1, 0.0) @ largest) + prior)
    return min(max(noise, _LEAST_NOISE), 1.0)
