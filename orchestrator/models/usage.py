"""What the calls have consumed, exactly."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from orchestrator.core.usage import UsageStats

__all__ = ["UsageService", "UsageSummary"]

_BUCKETS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_BATCH = 32
_buckets_of = attrgetter(*_BUCKETS)


class UsageSummary:
    """Totals of one model: requests, tokens by bucket, USD of the calls whose price is known."""

    __slots__ = ("_carry_usd", "_counts", "_spent_usd", "model_id", "request_count", "unpriced_count")

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        self.request_count = 0
        self.unpriced_count = 0
        self._counts: list[int | None] = [None] * len(_BUCKETS)
        self._spent_usd = self._carry_usd = 0.0

    def add(self, usage: UsageStats, cost_usd: float | None) -> None:
        """Count one call in."""
        self.request_count += 1
        counts = self._counts
        for place, count in enumerate(_buckets_of(usage)):
            if count is not None:
                counts[place] = (counts[place] or 0) + count
        if cost_usd is None:
            self.unpriced_count += 1
        else:
            self._add_money(cost_usd)

    def _add_money(self, cost_usd: float) -> None:
        # Neumaier's compensated sum: a million small costs add up to the last digit
        total = self._spent_usd + cost_usd
        if abs(self._spent_usd) >= abs(cost_usd):
            self._carry_usd += (self._spent_usd - total) + cost_usd
        else:
            self._carry_usd += (cost_usd - total) + self._spent_usd
        self._spent_usd = total

    @property
    def cost_usd(self) -> float:
        """USD of the calls with a known price; `unpriced_count` says how many are not in it."""
        return self._spent_usd + self._carry_usd

    @property
    def total_usage(self) -> UsageStats:
        """All tokens, bucket by bucket."""
        total = UsageStats()
        for bucket, count in zip(_BUCKETS, self._counts, strict=True):
            setattr(total, bucket, count)
        return total.with_cost(self.cost_usd)

    def __bool__(self) -> bool:
        return self.request_count > 0

    def __repr__(self) -> str:
        return f"<UsageSummary of {self.model_id!r}: {self.request_count} requests, ${self.cost_usd:.6f}>"


class UsageService:
    """Adds up what every model consumed; safe from any thread.

    >>> usage = UsageService()
    >>> usage.add_usage_record("openai/gpt-4", UsageStats(12, 47, cost_usd=0.00318))
    >>> summary = usage.get_usage_summary("openai/gpt-4")
    >>> summary.request_count, summary.total_usage.total_tokens, summary.cost_usd
    (1, 59, 0.00318)
    >>> bool(usage.get_usage_summary("never used"))
    False
    """

    def __init__(self) -> None:
        self._summaries: dict[str, UsageSummary] = {}
        self._uncounted: deque[tuple[str, UsageStats, float | None]] = deque()
        self._lock = threading.Lock()

    def add_usage_record(self, model_id: str, usage_stats: UsageStats | Mapping[str, Any]) -> None:
        """Count one call, from a UsageStats or a mapping with its constructor's names."""
        usage = usage_stats if isinstance(usage_stats, UsageStats) else UsageStats(**usage_stats)
        self.add(model_id, usage, usage.cost_usd)

    def add(self, model_id: str, usage: UsageStats, cost_usd: float | None) -> None:
        """Count one call whose cost the engine has worked out."""
        self._uncounted.append((model_id, usage, cost_usd))
        if len(self._uncounted) >= _BATCH:
            self._count()

    def _count(self) -> None:
        """Work off what has come since anyone looked: done together, it costs a fraction of one by one."""
        with self._lock:
            while self._uncounted:
                model_id, usage, cost_usd = self._uncounted.popleft()
                summary = self._summaries.get(model_id)
                if summary is None:
                    summary = self._summaries[model_id] = UsageSummary(model_id)
                summary.add(usage, cost_usd)

    def get_usage_summary(self, model_id: str) -> UsageSummary:
        """The totals of one model; empty, and false, when it was never called."""
        self._count()
        return self._summaries.get(model_id) or UsageSummary(model_id)

    def summaries(self) -> dict[str, UsageSummary]:
        """The totals of every model that was called."""
        self._count()
        return dict(self._summaries)
