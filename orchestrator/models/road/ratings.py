"""Ratings that come after the answer."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from orchestrator.core.clock import Clock
from orchestrator.selectors.context import Context

__all__ = ["Ratings"]


class Ratings:
    """Remembers, for a while, which model gave which answer to what, and what quality was assumed for it.

    Bounded by count and age (seconds). A rating may come late, twice or for an answer nobody remembers.

    >>> from orchestrator.core.clock import SYSTEM_CLOCK
    >>> ratings = Ratings(SYSTEM_CLOCK)
    >>> ratings.expect("r-1", "openai/gpt-4", assumed=1.0)
    >>> ratings.take("r-1", 0.2), ratings.take("r-1", 0.2), ratings.take("r-2", 1)
    (('openai/gpt-4', 1.0, None), None, None)
    """

    def __init__(self, clock: Clock, *, max_count: int = 10_000, max_age_s: float = 86_400) -> None:
        self._clock = clock
        self._max_count = max_count
        self._max_age_s = max_age_s
        self._pending: OrderedDict[str, tuple[str, float, float, Context | None]] = OrderedDict()

    def expect(self, response_id: str, model_id: str, *, assumed: float, context: Context | None = None) -> None:
        """An answer went out for which this quality was assumed."""
        pending = self._pending
        now = self._clock.monotonic()
        pending[response_id] = (model_id, assumed, now, context)
        oldest = next(iter(pending))
        if len(pending) > self._max_count or pending[oldest][2] < now - self._max_age_s:
            del pending[oldest]

    def take(self, response_id: str, quality: Any) -> tuple[str, float, Context | None] | None:
        """Model, quality to be replaced and what was known of the request; None when nothing changes."""
        if isinstance(quality, bool) or not isinstance(quality, int | float) or not 0 <= quality <= 1:
            raise ValueError(f"quality={quality!r}: give a number from 0 (useless) to 1 (perfect)")
        known = self._pending.get(response_id)
        if known is None or known[1] == quality:
            return None
        model_id, assumed, when, context = known
        self._pending[response_id] = (model_id, float(quality), when, context)
        return model_id, assumed, context

    def __len__(self) -> int:
        return len(self._pending)
