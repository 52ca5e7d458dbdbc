"""Which family the models of a pool come from: a line through what is known of them, and a spread around it."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.selectors.arms import Column

__all__ = ["Family", "Hypotheses", "Results", "averaged", "facts_of", "hypotheses"]

Mask = npt.NDArray[np.bool_]

_SPREADS: Final = np.array([0.03, 0.06, 0.11, 0.18, 0.28])
_LEVEL: Final = (0.6, 0.25)  # mean and standard deviation of the pool's level, before any result,
_LISTED_SD: Final = 0.1  # and around the mean of a catalogue
_SLOPE: Final = (1.0, 1.0)  # on a catalogue's qualities; narrower ones fail when it is wrong
_PRICE_SLOPE: Final = (0.04, 0.04)  # quality by price: ten times as dear, a tenth better, give or take as much
_PRICE_SLOPE_LISTED: Final = (0.0, 0.02)  # beside a catalogue, which has seen the prices
_SPREAD: Final = (0.2, 0.6)  # median and logarithmic standard deviation of the spread,
_SPREAD_LISTED: Final = (0.08, 0.7)  # and around a catalogue
_DIAGONAL: Final = np.arange(3)
_FURTHEST: Final = 4.0  # logarithms of prices are kept so near to their mean


class Hypotheses(NamedTuple):
    """What may be true before any result: a spread each, its chance, and the line that is expected then.

    The line's coefficients are those of level, catalogue and price; `firmness` is their precision.
    """

    spread: Column
    log_chance: Column
    line: Column
    firmness: Column


class Results(NamedTuple):
    """Of each model: whether it was tried, its mean, and the variance of that mean."""

    seen: Mask
    mean: Column
    variance: Column


class Family(NamedTuple):
    """Where each model's quality is expected, the variance around it, and what these are made of."""

    mean: Column
    variance: Column
    spread: float
    level: float
    slope: float
    price_slope: float


def facts_of(listed: Column, cost_usd: Column) -> Column:
    """What is known of each model (rows): 1, its expected quality and the logarithm of its price, from their means.

    Where nothing is listed, or a call is free or of unknown cost (NaN), it counts as the mean.

    >>> facts_of(np.array([0.4, 0.8, np.nan]), np.array([1.0, np.nan, math.e**2])).round(3).tolist()
    [[1.0, -0.2, -1.0], [1.0, 0.2, 0.0], [1.0, 0.0, 1.0]]
    """
    priced = cost_usd > 0
    prices = _centred(np.log(np.where(priced, cost_usd, 1.0)), priced)
    facts = np.ones((len(listed), 3))
    facts[:, 1] = _centred(listed, listed == listed)  # noqa: PLR0124 - NaN alone is not itself, and isnan is slower
    facts[:, 2] = np.minimum(np.maximum(prices, -_FURTHEST), _FURTHEST)
    return facts


def _centred(column: Column, there: Mask) -> Column:
    number = np.count_nonzero(there)
    if number == len(column):
        return column - float(np.add.reduce(column)) / number
    centred: Column = np.where(there, column - np.add.reduce(np.where(there, column, 0.0)) / max(number, 1), 0.0)
    return centred


def hypotheses(listed: Column) -> Hypotheses:
    """The same for every pool, but for whether qualities are listed, and around which mean."""
    there = listed[~np.isnan(listed)]
    if not len(there):
        return _UNLISTED
    return _LISTED._replace(line=np.array((there.mean(), _SLOPE[0], _PRICE_SLOPE_LISTED[0])))


def _expecting(spread: tuple[float, float], *coefficients: tuple[float, float]) -> Hypotheses:
    expected, deviations = zip(*coefficients, strict=True)
    far = (np.log(_SPREADS) - math.log(spread[0])) / spread[1]
    return Hypotheses(_SPREADS, -far * far / 2, np.array(expected), np.array(deviations) ** -2.0)


_UNLISTED: Final = _expecting(_SPREAD, _LEVEL, _SLOPE, _PRICE_SLOPE)
_LISTED: Final = _expecting(_SPREAD_LISTED, (0.5, _LISTED_SD), _SLOPE, _PRICE_SLOPE_LISTED)


def averaged(facts: Column, results: Results, prior: Hypotheses) -> Generator[None, None, Family]:
    """The family, averaged over the hypotheses by how well each explains the results; a generator of pieces.

    Under each the line is a ridge regression of the models' means, and its likelihood has a closed form (Lindley and
    Smith 1972; Hoeting, Madigan, Raftery and Volinsky 1999). A good catalogue ends up worth hundreds of calls, a
    useless one nothing, and one upside down is turned round.
    """
    variance = prior.spread[:, None] ** 2
    pull = results.seen / (variance + results.variance)
    products = (facts[:, :, None] * facts[:, None, :]).reshape(len(facts), -1)
    precision = (pull @ products).reshape(-1, 3, 3)
    precision[:, _DIAGONAL, _DIAGONAL] += prior.firmness
    yield
    doubt = np.linalg.inv(precision)
    yield
    right = (pull * results.mean) @ facts + prior.firmness * prior.line
    lines = (doubt @ right[:, :, None])[:, :, 0]
    means = lines @ facts.T
    missed, moved = results.mean - means, lines - prior.line
    yield
    log_pull = np.log(pull, where=results.seen, out=np.zeros_like(pull))
    explained = (log_pull - pull * missed * missed).sum(axis=1)
    explained += np.log(np.linalg.det(doubt)) - (moved * moved) @ prior.firmness
    yield
    chance = explained / 2 + prior.log_chance
    chance = np.exp(chance - chance.max())
    chance /= chance.sum()
    mean = chance @ means
    around = variance + (means - mean) ** 2  # the doubt about a line, added, trusts no catalogue and gains nothing cold
    level, slope, price_slope = (chance @ lines).tolist()
    return Family(mean, chance @ around, (chance @ prior.spread).item(), level, slope, price_slope)
