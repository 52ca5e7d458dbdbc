"""What a selector knows of one model: sums that add up across processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["LARGEST", "PRIOR_WEIGHT", "SUMS", "UNKNOWN_QUALITY", "Arm"]

PRIOR_WEIGHT: Final = 10.0  # an expected cost or latency counts as so many seen ones
UNKNOWN_QUALITY: Final = 0.5  # stands for the mean of an arm without a rating
LARGEST: Final = 1e15  # no call costs or lasts more; keeps every sum finite

SUMS: Final = (
    "pulls",
    "rated",
    "quality_sum",
    "quality_squares",
    "costs",
    "cost_sum_usd",
    "latencies",
    "latency_sum_s",
    "speeds",
    "speed_sum",
)


class Arm:
    """One model as its selector sees it: prior facts, calls in flight, and sums that add up across processes.

    `rated`, `costs`, `latencies` and `speeds` count the numbers in the sum beside them. `trials`, `mean`, `merit`,
    `cost_usd` and `latency_s` follow from the sums; they are as fresh as the last call of `weigh`.

    >>> arm = Arm("a", row=0)
    >>> arm.expect_cost(0.02)
    >>> arm.weigh(1.0)
    >>> arm.cost_usd, arm.latency_s, arm.mean_quality
    (0.02, None, None)
    """

    __slots__ = (
        "cost_sum_usd",
        "cost_usd",
        "costs",
        "expected_cost_usd",
        "expected_in",
        "expected_latency_s",
        "expected_quality",
        "index",
        "is_local",
        "latencies",
        "latency_s",
        "latency_sum_s",
        "mean",
        "merit",
        "name",
        "pending",
        "pulls",
        "quality_squares",
        "quality_sum",
        "rated",
        "repriced_usd",
        "row",
        "speed_sum",
        "speeds",
        "streams",
        "trials",
        "upper",
        "width",
    )

    def __init__(self, name: str, *, row: int) -> None:
        self.name = name
        self.row = row
        self.expected_cost_usd: float | None = None
        self.expected_latency_s: float | None = None
        self.expected_quality: float | None = None
        self.expected_in: Mapping[str, float] | None = None  # by category
        self.is_local = False
        self.streams = False
        self.pending = 0
        self.pulls = 0
        self.rated = self.quality_sum = self.quality_squares = 0.0
        self.costs = self.cost_sum_usd = 0.0
        self.repriced_usd = 0.0  # what changes of the price have added to the sum of costs
        self.latencies = self.latency_sum_s = 0.0
        self.speeds = self.speed_sum = 0.0
        self.trials = 0.0
        self.mean = UNKNOWN_QUALITY
        self.merit = 0.0
        self.index = self.upper = self.width = 0.0  # what a policy keeps of an arm, as far as it needs them
        self.cost_usd: float | None = None
        self.latency_s: float | None = None

    @property
    def mean_quality(self) -> float | None:
        """Mean quality of the rated calls, in [0, 1]."""
        return self.quality_sum / self.rated if self.rated else None

    @property
    def variance(self) -> float:
        """Variance of the rated calls, at most 1/4; 0 before the second."""
        if not self.rated:
            return 0.0
        mean = self.quality_sum / self.rated
        return max(0.0, self.quality_squares / self.rated - mean * mean)

    def weigh(self, weight: float) -> None:
        """Work out the means from the sums; `weight` is what a result counts today, an expectation counts ten."""
        prior = PRIOR_WEIGHT * weight
        self.trials = self.rated + self.pending * weight
        self.mean = self.quality_sum / self.rated if self.rated else UNKNOWN_QUALITY
        expected_usd, expected_s = self.expected_cost_usd, self.expected_latency_s
        if expected_usd is not None:
            self.cost_usd = (prior * expected_usd + self.cost_sum_usd) / (prior + self.costs)
        else:
            self.cost_usd = self.cost_sum_usd / self.costs if self.costs else None
        if expected_s is not None:
            self.latency_s = (prior * expected_s + self.latency_sum_s) / (prior + self.latencies)
        else:
            self.latency_s = self.latency_sum_s / self.latencies if self.latencies else None

    @property
    def tokens_per_s(self) -> float | None:
        """Mean output tokens a second."""
        return self.speed_sum / self.speeds if self.speeds else None

    def count(
        self,
        weight: float,
        quality: float | None,
        cost_usd: float | None,
        latency_s: float | None,
        tokens_per_s: float | None,
    ) -> int:
        """Count a call that ended; returns how many of the measured numbers cannot be true and were left out."""
        impossible = 0
        self.pulls += 1
        if quality is not None:
            total = weight * quality
            self.rated += weight
            self.quality_sum += total
            self.quality_squares += total * quality
        if cost_usd is not None:
            if 0.0 <= cost_usd <= LARGEST:
                self.costs += weight
                self.cost_sum_usd += weight * cost_usd
            else:
                impossible += 1
        if latency_s is not None:
            if 0.0 <= latency_s <= LARGEST:
                self.latencies += weight
                self.latency_sum_s += weight * latency_s
            else:
                impossible += 1
        if tokens_per_s is not None:
            if 0.0 <= tokens_per_s <= LARGEST:
                self.speeds += weight
                self.speed_sum += weight * tokens_per_s
            else:
                impossible += 1
        return impossible

    def revise(self, weight: float, old_quality: float, new_quality: float) -> None:
        """Put a late rating in the place of what stood in for it; no sum leaves its bounds."""
        total = self.quality_sum + weight * (new_quality - old_quality)
        squares = self.quality_squares + weight * (new_quality**2 - old_quality**2)
        self.quality_sum = min(max(total, 0.0), self.rated)
        self.quality_squares = min(max(squares, 0.0), self.quality_sum)

    def expect_cost(self, expected_usd: float | None) -> None:
        """Take a price from the list; a changed price rescales what was seen, so that it is followed at once."""
        before = self.expected_cost_usd
        if expected_usd is not None and before is not None and expected_usd != before:
            seen_usd = self.cost_sum_usd
            self.cost_sum_usd = min(self.cost_sum_usd * expected_usd / before, self.costs * LARGEST) if before else 0.0
            self.repriced_usd += self.cost_sum_usd - seen_usd
            self.costs = self.costs if before else 0.0
        self.expected_cost_usd = expected_usd

    def scale(self, factor: float) -> None:
        """Multiply every sum but the number of pulls, to forget or to express it in another weight."""
        for name in SUMS[1:]:
            setattr(self, name, getattr(self, name) * factor)
        self.repriced_usd *= factor
