"""What the pool holds of one arm besides its sums."""

from __future__ import annotations

import math
from typing import Final

from orchestrator.selectors.arm import Arm
from orchestrator.selectors.change import Watch

__all__ = ["Member"]

_AUDITION: Final = 8  # calls that a newcomer is sure of,
_AUDITION_ROUNDS: Final = 10  # and the rounds between them
_EDGE: Final = 0.002  # beliefs stay so far inside (0, 1)
_MOST: Final = 1 - _EDGE


class Member:
    """One arm's part of the family, the results that do not count at present, and when it is to be asked.

    `visit_at` is the round from which on it comes first; never, for most.

    >>> member = Member()
    >>> member.believed(Arm("a", row=0))
    (0.5, 1.0)
    """

    __slots__ = ("away", "away_squares", "away_total", "handicap", "mean", "visit_at", "watch", "weight")

    def __init__(self) -> None:
        self.mean, self.weight, self.handicap = 0.5, 1.0, 0.0
        self.away = self.away_total = self.away_squares = 0.0
        self.visit_at = math.inf
        self.watch = Watch()

    def believed(self, arm: Arm) -> tuple[float, float]:
        """The posterior mean, and the results and pseudo-results it rests on."""
        rated, owed = arm.rated, self.handicap
        if self.away:
            rated = max(rated - self.away, 0.0)
            owed = owed * rated / arm.rated if arm.rated else owed
        trials = rated + self.weight
        mu = (arm.quality_sum - self.away_total - owed + self.weight * self.mean) / trials
        return (mu if _EDGE <= mu <= _MOST else min(max(mu, _EDGE), _MOST)), trials

    def sums(self, arm: Arm) -> tuple[float, float, float, float, float]:
        """The sums that count (number, qualities, squares), what quality is expected, and the cost; NaN for unknown."""
        listed = math.nan if arm.expected_quality is None else arm.expected_quality
        cost_usd = math.nan if arm.cost_usd is None else arm.cost_usd
        if not self.away:
            return arm.rated, arm.quality_sum, arm.quality_squares, listed, cost_usd
        rated, total = max(arm.rated - self.away, 0.0), max(arm.quality_sum - self.away_total, 0.0)
        return rated, total, max(arm.quality_squares - self.away_squares, 0.0), listed, cost_usd

    def looks(self, arm: Arm, quality: float, *, at: int) -> None:
        """Hear of a result; on a fall all before it is set aside, on a return the bad time is."""
        watch = self.watch
        if watch.hears(quality, at=at):
            number, total, squares = watch.bad
            if watch.fallen:  # of several bad times all count as one
                number, total, squares = arm.rated - number, arm.quality_sum - total, arm.quality_squares - squares
            self.away, self.away_total, self.away_squares = max(number, 0.0), max(total, 0.0), max(squares, 0.0)
        self.visit_at = watch.probe_at

    def auditions(self, arm: Arm, *, at: int) -> None:
        """Set the date of a newcomer's next call, as long as it has not had its eight."""
        self.visit_at = at + _AUDITION_ROUNDS if 0 < arm.rated < _AUDITION else math.inf
        if not arm.rated:
            self.visit_at = at
