"""Ratings that come after the answer."""

from __future__ import annotations

from typing import Any

from orchestrator.core.clock import Clock
from orchestrator.core.lately import Lately
from orchestrator.selectors.context import Context

__all__ = ["Ratings"]

_Known = tuple[str, float, Context | None]  # model, quality it was taken for, what was known of the request


class Ratings:
    """Remembers, for a while, which model gave which answer to what, and what quality was assumed for it.

    The last `least_count` answers, and at most as many more, can be rated for `max_age_s` (seconds) at least. A rating
    may come late, twice or for an answer nobody remembers.

    >>> from orchestrator.core.clock import SYSTEM_CLOCK
    >>> ratings = Ratings(SYSTEM_CLOCK)
    >>> ratings.expect("r-1", "openai/gpt-4", assumed=1.0)
    >>> ratings.take("r-1", 0.2), ratings.take("r-1", 0.2), ratings.take("r-2", 1)
    (('openai/gpt-4', 1.0, None), None, None)
    """

    def __init__(self, clock: Clock, *, least_count: int = 10_000, max_age_s: float = 86_400) -> None:
        self._clock = clock
        self._answers = Lately[_Known](least=least_count, age_s=max_age_s)
        self._last: _Known | None = None

    def expect(self, response_id: str, model_id: str, *, assumed: float, context: Context | None = None) -> None:
        """An answer went out for which this quality was assumed."""
        known = model_id, assumed, context
        if known == self._last:
            known = self._last  # answers are often like the one before: thousands of them then share one record
        self._last = known
        self._answers.note(response_id, known, now=self._clock.monotonic())

    def take(self, response_id: str, quality: Any) -> tuple[str, float, Context | None] | None:
        """Model, quality to be replaced and what was known of the request; None when nothing changes."""
        if isinstance(quality, bool) or not isinstance(quality, int | float) or not 0 <= quality <= 1:
            raise ValueError(f"quality={quality!r}: give a number from 0 (useless) to 1 (perfect)")
        now = self._clock.monotonic()
        known = self._answers.get(response_id, now=now)
        if known is None or known[1] == quality:
            return None
        model_id, _, context = known
        self._answers.note(response_id, (model_id, float(quality), context), now=now)
        return known

    def __len__(self) -> int:
        return len(self._answers)
