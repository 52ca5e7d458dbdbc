"""Which family the models of a pool come from: a line through what is known of them, and a spread around it."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.selectors.arms import Column

__all__ = ["Family", "Hypotheses", "Results", "averaged", "hypotheses"]

Mask = npt.NDArray[np.bool_]
Line = tuple[float, float, float]

_SPREADS: Final = np.array([0.03, 0.06, 0.11, 0.18, 0.28])
_VARIANCES: Final = _SPREADS[:, None] ** 2
_LEVEL: Final = (0.6, 0.25)  # mean and standard deviation of the pool's level, before any result,
_LISTED_SD: Final = 0.1  # and around the mean of a catalogue
_SLOPE: Final = (1.0, 1.0)  # on a catalogue's qualities; narrower ones fail when it is wrong
_PRICE_SLOPE: Final = (0.04, 0.04)  # quality by price: ten times as dear, a tenth better, give or take as much
_PRICE_SLOPE_LISTED: Final = (0.0, 0.02)  # beside a catalogue, which has seen the prices
_SPREAD: Final = (0.2, 0.6)  # median and logarithmic standard deviation of the spread,
_SPREAD_LISTED: Final = (0.08, 0.7)  # and around a catalogue
_FIRST_SPREAD: Final = 0.25  # to begin with, for the difficulties and the noise,
_FIRST_SPREAD_LISTED: Final = 0.1  # and around a catalogue


class Hypotheses(NamedTuple):
    """What may be true before any result: the chance of each spread, and the line that is expected.

    The line's coefficients are those of level, catalogue and price; `firmness` is their precision. `first_spread` is
    where the work on the results begins.
    """

    log_chance: Sequence[float]
    line: Line
    firmness: Line
    first_spread: float


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


def hypotheses(listed: Column) -> Hypotheses:
    """The same for every pool, but for whether qualities are listed, and around which mean."""
    there = listed == listed  # noqa: PLR0124 - NaN alone is not itself, and isnan is slower
    number = np.count_nonzero(there)
    if not number:
        return _UNLISTED
    mean = float(np.add.reduce(np.where(there, listed, 0.0))) / number
    return _LISTED._replace(line=(mean, _SLOPE[0], _PRICE_SLOPE_LISTED[0]))


def _expecting(first: float, spread: tuple[float, float], *coefficients: tuple[float, float]) -> Hypotheses:
    level, slope, price_slope = coefficients
    far = [(math.log(one / spread[0])) / spread[1] for one in _SPREADS.tolist()]
    firmness = (level[1] ** -2.0, slope[1] ** -2.0, price_slope[1] ** -2.0)
    return Hypotheses([-one * one / 2 for one in far], (level[0], slope[0], price_slope[0]), firmness, first)


_UNLISTED: Final = _expecting(_FIRST_SPREAD, _SPREAD, _LEVEL, _SLOPE, _PRICE_SLOPE)
_LISTED: Final = _expecting(_FIRST_SPREAD_LISTED, _SPREAD_LISTED, (0.5, _LISTED_SD), _SLOPE, _PRICE_SLOPE_LISTED)


def averaged(facts: Column, results: Results, prior: Hypotheses) -> Generator[None, None, Family]:
    """The family, averaged over the hypotheses by how well each explains the results; a generator of pieces.

    Under each the line is a ridge regression of the models' means, and its likelihood has a closed form (Lindley and
    Smith 1972; Hoeting, Madigan, Raftery and Volinsky 1999). A good catalogue ends up worth hundreds of calls, a
    useless one nothing, and one upside down is turned round.

    `facts` is a row a model: 1, its quality in a catalogue and its price, from their means.
    """
    pull = results.seen / (_VARIANCES + results.variance)
    squares = (facts[:, :, None] * facts[:, None, :]).reshape(len(facts), 9)
    yield
    normal = (pull @ squares).tolist()
    right = ((pull * results.mean) @ facts).tolist()
    yield
    found, fitted = zip(*[_line(left, sums, prior) for left, sums in zip(normal, right, strict=True)], strict=True)
    lines = np.array(found)
    yield
    means = lines @ facts.T
    missed = results.mean - means
    missed *= missed
    missed *= pull
    yield
    explained = np.add.reduce(np.log(np.where(results.seen, pull, 1.0)) - missed, axis=1).tolist()
    yield
    chance = _chances([(e + f) / 2 + log for e, f, log in zip(explained, fitted, prior.log_chance, strict=True)])
    mean = chance @ means
    yield
    means -= mean
    means *= means
    means += _VARIANCES  # the doubt about a line, added, trusts no catalogue and gains nothing cold
    level, slope, price_slope = (chance @ lines).tolist()
    return Family(mean, chance @ means, float(chance @ _SPREADS), level, slope, price_slope)


def _chances(logs: Sequence[float]) -> Column:
    """As probabilities, by their logarithms up to a constant."""
    most = max(logs)
    chances = np.array([math.exp(one - most) for one in logs])
    chances /= float(np.add.reduce(chances))
    return chances


def _line(left: Sequence[float], right: Sequence[float], prior: Hypotheses) -> tuple[Line, float]:
    """The ridge regression's line from its normal equations, and twice the log likelihood that is left but for misses.

    Three unknowns are eliminated by hand, as LAPACK would take longer to be called: the matrix is (abc, bef, cfi).
    """
    (x, y, z), (firm_x, firm_y, firm_z) = prior.line, prior.firmness
    a, b, c, e, f, i = left[0] + firm_x, left[1], left[2], left[4] + firm_y, left[5], left[8] + firm_z
    by_a, to_c = b / a, c / a
    e, f = e - by_a * b, f - by_a * c
    by_e = f / e
    i = i - to_c * c - by_e * f
    p = right[0] + firm_x * x
    q = right[1] + firm_y * y - by_a * p
    r = right[2] + firm_z * z - to_c * p - by_e * q
    price_slope = r / i
    slope = q / e - by_e * price_slope
    level = p / a - by_a * slope - to_c * price_slope
    moved = firm_x * (level - x) ** 2 + firm_y * (slope - y) ** 2 + firm_z * (price_slope - z) ** 2
    return (level, slope, price_slope), -math.log(a * e * i) - moved
