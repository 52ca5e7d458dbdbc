"""Totals of calls, exact to the last digit and mergeable."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from orchestrator.core.usage import MAX_TOKENS, MAX_USD, UsageStats

__all__ = ["TOKEN_BUCKETS", "ExactSum", "UsageSummary"]

TOKEN_BUCKETS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_buckets_of = attrgetter(*TOKEN_BUCKETS)
_MONEY = (float, int)
_NOTHING_KNOWN: tuple[int | None, ...] = (None,) * len(TOKEN_BUCKETS)


class ExactSum:
    """Neumaier's compensated sum: a million small amounts add up to the last digit.

    >>> total = ExactSum()
    >>> for _ in range(10):
    ...     total.add(0.1)
    >>> total.value, sum([0.1] * 10)
    (1.0, 0.9999999999999999)
    """

    __slots__ = ("carry", "total")

    def __init__(self, total: float = 0.0, carry: float = 0.0) -> None:
        self.total, self.carry = total, carry

    def add(self, amount: float) -> None:
        """Add one amount."""
        before = self.total
        after = before + amount
        if abs(before) >= abs(amount):
            self.carry += (before - after) + amount
        else:
            self.carry += (amount - after) + before
        self.total = after

    def merge(self, other: ExactSum) -> None:
        """Add another sum with what it carries."""
        self.add(other.total)
        self.carry += other.carry

    @property
    def value(self) -> float:
        """The sum."""
        return self.total + self.carry


class UsageSummary:
    """Totals of calls: answers, tokens by bucket, USD of what has a known price.

    `request_count` counts answers. A failed attempt that was billed adds its tokens and USD and is counted in
    `billed_failure_count`; `unpriced_count` says how many calls are not in `cost_usd`, `dropped_count` how many
    figures were no figures (negative, infinite, not a number) and were left out.
    """

    __slots__ = (
        "_counts",
        "_spent",
        "billed_failure_count",
        "dropped_count",
        "model_id",
        "request_count",
        "unpriced_count",
    )

    def __init__(self, model_id: str = "") -> None:
        self.model_id = model_id
        self.request_count = self.billed_failure_count = self.unpriced_count = self.dropped_count = 0
        self._counts: list[int | None] = list(_NOTHING_KNOWN)
        self._spent = ExactSum()

    def add(self, usage: UsageStats, cost_usd: float | None, *, failed: bool = False) -> None:
        """Count one call in; a figure that is none is dropped and counted."""
        if failed:
            self.billed_failure_count += 1
        else:
            self.request_count += 1
        counts = self._counts
        for place, count in enumerate(_buckets_of(usage)):
            if count is None:
                continue
            if type(count) is int and 0 <= count <= MAX_TOKENS:
                counts[place] = (counts[place] or 0) + count
            else:
                self.dropped_count += 1
        if cost_usd is None:
            self.unpriced_count += 1
        elif type(cost_usd) in _MONEY and 0.0 <= cost_usd <= MAX_USD:  # false for NaN
            self._spent.add(cost_usd)
        else:
            self.dropped_count += 1
            self.unpriced_count += 1

    def merge(self, other: UsageSummary) -> None:
        """Add the totals of other calls."""
        self.request_count += other.request_count
        self.billed_failure_count += other.billed_failure_count
        self.unpriced_count += other.unpriced_count
        self.dropped_count += other.dropped_count
        for place, count in enumerate(other._counts):
            if count is not None:
                self._counts[place] = (self._counts[place] or 0) + count
        self._spent.merge(other._spent)

    @property
    def cost_usd(self) -> float:
        """USD of the calls with a known price."""
        return self._spent.value

    @property
    def total_usage(self) -> UsageStats:
        """All tokens, bucket by bucket."""
        total = UsageStats()
        for bucket, count in zip(TOKEN_BUCKETS, self._counts, strict=True):
            setattr(total, bucket, count)
        return total.with_cost(self.cost_usd)

    def to_row(self) -> tuple[Any, ...]:
        """Every figure in a fixed order, as `of_row` takes it."""
        counted = (self.request_count, self.billed_failure_count, self.unpriced_count, self.dropped_count)
        return (*counted, *self._counts, self._spent.total, self._spent.carry)

    @classmethod
    def of_row(cls, model_id: str, row: tuple[Any, ...]) -> UsageSummary:
        """The summary that `to_row` has written down."""
        summary = cls(model_id)
        summary.request_count, summary.billed_failure_count, summary.unpriced_count, summary.dropped_count = row[:4]
        summary._counts = list(row[4:-2])
        summary._spent = ExactSum(*row[-2:])
        return summary

    def __bool__(self) -> bool:
        return self.request_count > 0 or self.billed_failure_count > 0

    def __repr__(self) -> str:
        missing = f" without {self.unpriced_count} of unknown cost" if self.unpriced_count else ""
        return f"<UsageSummary of {self.model_id!r}: {self.request_count} requests, ${self.cost_usd:.6f}{missing}>"
