"""Off-policy estimates: what another policy would have earned, from decisions that this one made.

Each takes the log and the other policy's probabilities (a row a decision, a column a model; one row when they are the
same for all) and returns an `Estimate`. The log needs the probability of each choice, and the other policy may only
choose what the logged one could have chosen; a `mean_weight` far from 1 says that it does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.intervals import INTERVALS, Interval, IntervalName, bernstein, bootstrap, normal
from orchestrator.evaluation.logged import Logged
from orchestrator.evaluation.table import Grid

__all__ = ["Estimate", "clipped", "doubly_robust", "ips", "shrunk_doubly_robust", "snips"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A policy's mean reward with the interval that holds it at the stated rate.

    `bias_bound` is the most that clipped or shrunk weights can hide, estimated; the interval is widened by it.
    `effective_n` is the number of decisions that would tell as much if the policy itself had made them (Kish 1965).
    """

    value: float
    low: float
    high: float
    bias_bound: float
    mean_weight: float
    effective_n: float


def ips(log: Logged, policy: npt.ArrayLike, *, confidence: float = 0.95, interval: IntervalName = "normal") -> Estimate:
    """Inverse propensity scoring (Horvitz and Thompson 1952): unbiased, and wide where weights are large.

    >>> log = Logged.of([1.0, 0.0, 1.0, 0.0], chosen=[0, 1, 0, 1], propensity=[0.5] * 4)
    >>> ips(log, [1.0, 0.0]).value, ips(log, [0.0, 1.0]).value
    (1.0, 0.0)
    """
    weights = log.weights(log.checked_policy(policy))
    return _of_mean(weights * log.reward, weights, confidence, interval, width=float(weights.max()))


def clipped(
    log: Logged,
    policy: npt.ArrayLike,
    *,
    most: float = 10.0,
    confidence: float = 0.95,
    interval: IntervalName = "normal",
) -> Estimate:
    """IPS with weights cut at `most` (Ionides 2008): it can only come out too low, by at most `bias_bound`."""
    weights = log.weights(log.checked_policy(policy))
    cut = np.minimum(weights, _above_zero("most", most))
    raw = _of_mean(cut * log.reward, cut, confidence, interval, width=most)
    return _widened(raw, float((weights - cut).mean()), below=False)


def snips(
    log: Logged, policy: npt.ArrayLike, *, confidence: float = 0.95, interval: IntervalName = "normal"
) -> Estimate:
    """Self-normalised IPS (Swaminathan and Joachims 2015): a weighted mean, always within the range of the rewards.

    Its interval comes from the terms of its first-order expansion.
    """
    weights = log.weights(log.checked_policy(policy))
    mean_weight = float(weights.mean())
    if not mean_weight:
        raise ConfigurationError("the other policy never chooses what was chosen: the log says nothing about it")
    value = float((weights * log.reward).mean()) / mean_weight
    terms = value + weights * (log.reward - value) / mean_weight
    return _of_mean(terms, weights, confidence, interval, width=2 * float(weights.max()) / mean_weight)


def doubly_robust(
    log: Logged,
    policy: npt.ArrayLike,
    guess: npt.ArrayLike,
    *,
    most: float | None = None,
    confidence: float = 0.95,
    interval: IntervalName = "normal",
) -> Estimate:
    """A guess at every model's reward, corrected by what was seen (Dudik, Langford, Li 2011).

    `guess` has the shape of the policy; `guess_by_category` makes one. `most` cuts the weights (clipped DR).
    """
    odds = log.checked_policy(policy)
    weights = log.weights(odds)
    used = weights if most is None else np.minimum(weights, _above_zero("most", most))
    return _corrected(log, odds, guess, used=used, weights=weights, confidence=confidence, interval=interval)


def shrunk_doubly_robust(
    log: Logged,
    policy: npt.ArrayLike,
    guess: npt.ArrayLike,
    *,
    shrinkage: float = 100.0,
    confidence: float = 0.95,
    interval: IntervalName = "normal",
) -> Estimate:
    """Doubly robust with weights w turned into s w / (w^2 + s), s being `shrinkage` (DRos: Su et al. 2020)."""
    odds = log.checked_policy(policy)
    weights = log.weights(odds)
    used = _above_zero("shrinkage", shrinkage) * weights / (weights * weights + shrinkage)
    return _corrected(log, odds, guess, used=used, weights=weights, confidence=confidence, interval=interval)


def _corrected(
    log: Logged,
    odds: Grid,
    guess: npt.ArrayLike,
    *,
    weights: Grid,
    used: Grid,
    confidence: float,
    interval: IntervalName,
) -> Estimate:
    guesses = np.broadcast_to(np.atleast_2d(np.asarray(guess, dtype=np.float64)), odds.shape)
    if not ((guesses >= 0).all() and (guesses <= 1).all()):
        raise ConfigurationError("a guess at a reward is a number from 0 to 1")
    seen = guesses[np.arange(len(log)), log.chosen]
    terms = (odds * guesses).sum(axis=1) + used * (log.reward - seen)
    raw = _of_mean(terms, used, confidence, interval, width=1 + 2 * float(used.max()))
    return _widened(raw, float(((weights - used) * abs(log.reward - seen)).mean()), below=True)


def _of_mean(terms: Grid, weights: Grid, confidence: float, interval: IntervalName, *, width: float) -> Estimate:
    bounds = _bounds(terms, confidence, interval, width)
    squares = float((weights * weights).sum())
    return Estimate(
        value=bounds.mean,
        low=bounds.low,
        high=bounds.high,
        bias_bound=0.0,
        mean_weight=float(weights.mean()),
        effective_n=float(weights.sum()) ** 2 / squares if squares else 0.0,
    )


def _bounds(terms: Grid, confidence: float, interval: IntervalName, width: float) -> Interval:
    if interval == "normal":
        return normal(terms, confidence=confidence)
    if interval == "bootstrap":
        return bootstrap(terms, confidence=confidence)
    if interval == "bernstein":
        return bernstein(terms, width=width, confidence=confidence)
    raise ConfigurationError(f"interval={interval!r}: one of {', '.join(INTERVALS)}")


def _widened(raw: Estimate, hidden: float, *, below: bool) -> Estimate:
    """The interval with the most that lost weight can stand for: a reward of 1, or a guess's error all one way."""
    return Estimate(
        value=raw.value,
        low=raw.low - hidden if below else raw.low,
        high=raw.high + hidden,
        bias_bound=hidden,
        mean_weight=raw.mean_weight,
        effective_n=raw.effective_n,
    )


def _above_zero(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ConfigurationError(f"{name}={value!r}: a number above 0")
    return value
