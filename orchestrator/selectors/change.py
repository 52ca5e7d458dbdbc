"""Has a model changed? A test for each arm that is quick about a sudden fault and seldom wrong."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Watch"]

_FALL: Final = 0.15  # a fall means: to this share of what the model surely had; the index sees to lesser ones
_GOOD_NATS: Final = math.log(_FALL)  # the evidence for a fall in a quality of 1
_ALARM_NATS: Final = 7.0  # evidence for a fall: five is quicker by a call and costs regret where nothing falls
_SEASONED: Final = 1_000.0  # usual results from which on an alarm asks for more, so that false ones stay rare for ever
_RETURN_NATS: Final = 3.0
_FIRST_RESULTS: Final = 8.0
_PROBE_ROUNDS: Final = (10, 20, 40, 80, 160)  # after a bad probe the next waits longer
_LOW, _HIGH = 0.05, 0.98

_Sums = tuple[float, float, float]  # number of results, sum of their qualities, and of the squares
_NOTHING: Final[_Sums] = (0.0, 0.0, 0.0)


class Watch:
    """One arm's CUSUM against a fall of its quality, and its way back (Page 1954).

    `number` and `total` are the sums of the results that count as the arm's usual self. A stretch of results enters
    them only whole, once it has proved harmless: taking its good part alone would bias them upwards. An alarm takes
    seven nats, and from a thousand usual results on ln(results / 1000) more. `bad` are number, total and squares of the
    results of all bad times.

    >>> watch = Watch()
    >>> alarms = [watch.hears(1.0, at=round_) for round_ in range(50)]
    >>> any(alarms), any(watch.hears(0.0, at=50 + round_) for round_ in range(5)), watch.fallen
    (False, True, True)
    """

    __slots__ = ("_bad_nats", "_stretch", "bad", "evidence", "fallen", "number", "probe_at", "probes", "total")

    def __init__(self) -> None:
        self.number = self.total = 0.0
        self._stretch = _NOTHING
        self.bad = _NOTHING
        self.evidence = 0.0
        self._bad_nats = 0.0  # the evidence for a fall in a quality of 0
        self.fallen = False
        self.probe_at = math.inf
        self.probes = 0

    def hears(self, quality: float, *, at: float) -> bool:
        """Take in a result of round `at`; True when the arm has just fallen or come back."""
        if self.number < _FIRST_RESULTS:
            self.number += 1
            self.total += quality
            self._expect()
            return False
        nats = quality * _GOOD_NATS + (1 - quality) * self._bad_nats
        if self.fallen:
            return self._returns(nats, quality, at)
        if nats <= 0 and not self.evidence:  # a good result of a good time, as nearly all are
            self.number += 1
            self.total += quality
            self._expect()
            return False
        return self._falls(nats, quality, at)

    def _expect(self) -> None:
        """What the arm surely had says how much a bad result means."""
        mean = self.total / self.number
        sure = mean - math.sqrt(mean * (1 - mean) / self.number)
        if not _LOW <= sure <= _HIGH:
            sure = min(max(sure, _LOW), _HIGH)
        self._bad_nats = math.log((1 - _FALL * sure) / (1 - sure))

    def _falls(self, nats: float, quality: float, at: float) -> bool:
        self._stretch = _with(self._stretch, quality)
        self.evidence = max(0.0, self.evidence + nats)
        if not self.evidence:
            self._admit()
            self._expect()
        if self.evidence < _ALARM_NATS + math.log(max(self.number / _SEASONED, 1.0)):
            return False
        self.fallen = True
        self.evidence = 0.0
        self.bad = _sum(self.bad, self._stretch, 1)
        self._stretch = _NOTHING
        self.probes = 0
        self.probe_at = at + _PROBE_ROUNDS[0]
        return True

    def _returns(self, nats: float, quality: float, at: float) -> bool:
        self.bad = _with(self.bad, quality)
        self.evidence = max(0.0, self.evidence - nats)
        self._stretch = _with(self._stretch, quality) if self.evidence else _NOTHING
        self.probes = 0 if nats < 0 else self.probes + 1
        self.probe_at = at + (0 if nats < 0 else _PROBE_ROUNDS[min(self.probes, len(_PROBE_ROUNDS) - 1)])
        if self.evidence < _RETURN_NATS:
            return False
        self.fallen = False
        self.evidence = 0.0
        self.probe_at = math.inf
        self.bad = _sum(self.bad, self._stretch, -1)
        self._admit()
        return True

    def _admit(self) -> None:
        """The stretch was harmless: it counts as the arm's usual self."""
        self.number += self._stretch[0]
        self.total += self._stretch[1]
        self._stretch = _NOTHING


def _with(sums: _Sums, quality: float) -> _Sums:
    return sums[0] + 1, sums[1] + quality, sums[2] + quality * quality


def _sum(sums: _Sums, others: _Sums, sign: int) -> _Sums:
    return sums[0] + sign * others[0], sums[1] + sign * others[1], sums[2] + sign * others[2]
