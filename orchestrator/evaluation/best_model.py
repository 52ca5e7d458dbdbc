"""Which model is best, and how sure is that: an answer that may be looked at after every call."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.evaluation.table import Grid

__all__ = ["BestModel", "Bounds", "Verdict"]

_POINTS: Final = 501  # candidate means, a step of 0.002
_BOLDNESS: Final = 0.5  # the largest share of the wealth that is put at risk in one bet


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a model's mean lies; `drifted` when no single mean explains what was seen, so that it must have changed."""

    calls: int
    mean: float | None
    low: float
    high: float
    drifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The model with the best mean so far, and the most by which another one can be better.

    With probability 1 - delta, at all times at once, no model is better than the leader by more than `at_most_worse`,
    and none of `beaten` is the best. `sure` says that this is within epsilon.
    """

    leader: str | None
    sure: bool
    at_most_worse: float
    beaten: tuple[str, ...]
    bounds: dict[str, Bounds]


class BestModel:
    """Bounds on the mean value of each model's answers that hold at every time at once, however the calls were spread.

    Each bound is a confidence sequence by betting (Waudby-Smith and Ramdas 2024, hedged capital): a gambler bets
    against every candidate mean and a mean is out once it has cost its defender 2 x models / delta times the stake
    (Ville's inequality). Values are in [0, 1]: a score, or `Objective.worth`. Who is called may depend on all that came
    before; that a model's own mean stays the same is assumed, and a `drifted` bound says that it did not.

    >>> best = BestModel(["a", "b"], epsilon=0.05, delta=0.05)
    >>> best.answer().sure
    False
    >>> for _ in range(200):
    ...     best.see("a", 0.9)
    ...     best.see("b", 0.3)
    >>> best.answer().leader, best.answer().sure, best.answer().beaten
    ('a', True, ('b',))
    """

    def __init__(self, models: Iterable[str], *, epsilon: float = 0.02, delta: float = 0.05) -> None:
        names = tuple(dict.fromkeys(models))
        if not names:
            raise ConfigurationError("models: name at least one")
        if not 0 <= epsilon < 1:
            raise ConfigurationError(f"epsilon={epsilon!r}: a difference from 0 up, below 1")
        if not 0 < delta < 1:
            raise ConfigurationError(f"delta={delta!r}: a probability between 0 and 1")
        self.epsilon = epsilon
        self.delta = delta
        self._wagers = {name: _Wager(delta / len(names)) for name in names}

    def see(self, model: str, value: float) -> None:
        """Take in the value of one answer; ConfigurationError when it is outside [0, 1] or of an unknown model."""
        wager = self._wagers.get(model)
        if wager is None:
            raise ConfigurationError(f"no model {model!r}; {did_you_mean(model, tuple(self._wagers))}")
        if not 0.0 <= value <= 1.0:
            raise ConfigurationError(f"value {value!r} of {model!r}: a number from 0 to 1")
        wager.see(value)

    def answer(self) -> Verdict:
        """What is known now."""
        bounds = {name: wager.bounds for name, wager in self._wagers.items()}
        seen = {name: bound.mean for name, bound in bounds.items() if bound.mean is not None}
        if not seen:
            return Verdict(leader=None, sure=False, at_most_worse=1.0, beaten=(), bounds=bounds)
        leader = max(seen, key=lambda name: seen[name])
        rivals = [bound.high for name, bound in bounds.items() if name != leader]
        worse = max([0.0, *(high - bounds[leader].low for high in rivals)])
        drifted = any(bound.drifted for bound in bounds.values())
        best_low = max(bound.low for bound in bounds.values())
        return Verdict(
            leader=leader,
            sure=worse <= self.epsilon and not drifted,
            at_most_worse=1.0 if drifted else worse,
            beaten=() if drifted else tuple(name for name, bound in bounds.items() if bound.high < best_low),
            bounds=bounds,
        )


class _Wager:
    """The wealth of two gamblers against each candidate mean: one bets that the true mean is higher, one lower.

    The first one's wealth falls with the candidate and the second one's rises, so a candidate that is out takes all
    below (above) it along, and a grid loses nothing in validity.
    """

    __slots__ = ("_above", "_below", "_count", "_high", "_low", "_rich", "_squares", "_sum")

    def __init__(self, alpha: float) -> None:
        self._above: Grid = np.zeros(_POINTS)
        self._below: Grid = np.zeros(_POINTS)
        self._rich = math.log(2 / alpha)  # each gambler has half of the stake
        self._count = 0
        self._sum = 0.0
        self._squares = 0.25  # of the differences to the mean so far; starts as one of the largest variance
        self._low, self._high = 0.0, 1.0

    def see(self, value: float) -> None:
        """Settle the bets on one value, and narrow the bounds."""
        expected = (0.5 + self._sum) / (self._count + 1)
        bet = self._bet()
        self._above += np.log1p(np.minimum(bet, _MOST_ABOVE) * (value - _MEANS))
        self._below += np.log1p(np.minimum(bet, _MOST_BELOW) * (_MEANS - value))
        self._count += 1
        self._sum += value
        self._squares += (value - expected) ** 2
        self._narrow()

    def _bet(self) -> float:
        """The predictable stake that makes the bounds shrink about as fast as they can."""
        turn = self._count + 1
        variance = self._squares / turn
        return math.sqrt(2 * self._rich / (variance * turn * math.log(turn + 1)))

    def _narrow(self) -> None:
        out = np.flatnonzero(self._above >= self._rich)
        if len(out):
            self._low = max(self._low, float(_MEANS[out[-1]]))
        out = np.flatnonzero(self._below >= self._rich)
        if len(out):
            self._high = min(self._high, float(_MEANS[out[0]]))

    @property
    def bounds(self) -> Bounds:
        """As they stand."""
        mean = self._sum / self._count if self._count else None
        return Bounds(self._count, mean, self._low, self._high, drifted=self._low > self._high)


_MEANS: Final[Grid] = np.linspace(0.0, 1.0, _POINTS)
with np.errstate(divide="ignore"):
    _MOST_ABOVE: Final[Grid] = _BOLDNESS / _MEANS  # no bet can lose more than half
    _MOST_BELOW: Final[Grid] = _BOLDNESS / (1 - _MEANS)
