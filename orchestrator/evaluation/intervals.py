"""Confidence intervals for a mean: by normal or Student quantiles, by resampling, or without any assumption."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.errors import ConfigurationError

__all__ = ["INTERVALS", "Interval", "IntervalName", "bernstein", "bootstrap", "normal", "student", "student_quantile"]

IntervalName = Literal["normal", "bootstrap", "bernstein"]
INTERVALS: Final = ("normal", "bootstrap", "bernstein")
_RESAMPLES: Final = 1_000

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A mean and the bounds that hold it at the stated rate."""

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the distance between the bounds."""
        return (self.high - self.low) / 2


def _checked(values: npt.ArrayLike, confidence: float) -> Floats:
    sample = np.asarray(values, dtype=np.float64)
    if not 0 < confidence < 1:
        raise ConfigurationError(f"confidence={confidence!r}: a number between 0 and 1, such as 0.95")
    if sample.ndim != 1 or len(sample) == 0 or not np.isfinite(sample).all():
        raise ConfigurationError("an interval needs a row of finite numbers, and at least one")
    return sample


def _around(sample: Floats, radius: float) -> Interval:
    mean = float(sample.mean())
    return Interval(mean, mean - radius, mean + radius)


def _standard_error(sample: Floats) -> float:
    return float(sample.std(ddof=1)) / math.sqrt(len(sample)) if len(sample) > 1 else math.inf


def normal(values: npt.ArrayLike, *, confidence: float = 0.95) -> Interval:
    """The large-sample interval; of a single value it is the whole line."""
    sample = _checked(values, confidence)
    return _around(sample, NormalDist().inv_cdf((1 + confidence) / 2) * _standard_error(sample))


def student(values: npt.ArrayLike, *, confidence: float = 0.95) -> Interval:
    """The interval for few values of about normal distribution, such as figures over seeds (Student 1908).

    >>> [round(bound, 3) for bound in student([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    sample = _checked(values, confidence)
    if len(sample) == 1:
        return _around(sample, math.inf)
    return _around(sample, student_quantile(confidence, len(sample) - 1) * _standard_error(sample))


def student_quantile(confidence: float, freedom: int) -> float:
    """How many standard errors to either side hold this share of Student's distribution.

    >>> round(student_quantile(0.95, 19), 4)
    2.093
    """
    low, high = 0.0, 2.0
    while _student_within(high, freedom) < confidence:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_within(middle, freedom) < confidence else (low, middle)
    return high


def _student_within(t: float, freedom: int) -> float:
    """The probability of [-t, t], a finite sum for whole degrees of freedom (Abramowitz and Stegun 26.7.3, 26.7.4)."""
    angle = math.atan2(t, math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return (angle + sine * total) * 2 / math.pi if odd else sine * total


def bootstrap(values: npt.ArrayLike, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """The middle of 1,000 resampled means (Efron 1979), the same for the same seed."""
    sample = _checked(values, confidence)
    rng = np.random.default_rng(seed)
    means = [sample[rng.integers(len(sample), size=len(sample))].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, ((1 - confidence) / 2, (1 + confidence) / 2)).tolist()
    return Interval(float(sample.mean()), low, high)


def bernstein(values: npt.ArrayLike, *, width: float, confidence: float = 0.95) -> Interval:
    """Holds for any distribution on a range of this width, at any sample size (Maurer and Pontil 2009, theorem 4).

    >>> bernstein([0.5] * 1000, width=1.0).half_width < 0.011
    True
    """
    sample = _checked(values, confidence)
    if len(sample) == 1:
        return _around(sample, width)
    log_term = math.log(4 / (1 - confidence))  # both sides
    radius = math.sqrt(2 * float(sample.var(ddof=1)) * log_term / len(sample))
    return _around(sample, radius + 7 * width * log_term / (3 * (len(sample) - 1)))
