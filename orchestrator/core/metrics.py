"""Live figures of one model: true quantiles, rates and cost over its recent calls."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TYPE_CHECKING

from orchestrator.core.clock import TICK_S

if TYPE_CHECKING:
    from orchestrator.core.outcome import Outcome

__all__ = ["ModelMetrics", "QuantileSketch"]

_ACCURACY = 0.01
_GAMMA = (1 + _ACCURACY) / (1 - _ACCURACY)
_PER_LOG = 1 / math.log(_GAMMA)
_BATCH = 32
_counting = threading.Lock()  # one for all, held for microseconds; a model with a lock could not be pickled
_GENERATION = 1_000  # outcomes before the figures start to forget
_MOST_S, _MOST_USD = 1e7, 1e6  # of one call: whatever is more was not measured


class QuantileSketch:
    """Quantiles of a stream of positive numbers within 1 % of the true value, in bounded memory.

    DDSketch (Masson, Rim, Lee: VLDB 2019): counts in buckets whose bounds grow by a constant factor, so sketches
    of several processes add up.

    >>> sketch = QuantileSketch()
    >>> for latency_s in range(1, 101):
    ...     sketch.add(latency_s)
    >>> round(sketch.quantile(0.5)), round(sketch.quantile(0.95)), QuantileSketch().quantile(0.5)
    (50, 95, None)
    """

    __slots__ = ("buckets", "count")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0

    def add(self, value: float) -> None:
        """Count one value; zero and below count as a nanosecond."""
        bucket = math.ceil(math.log(value) * _PER_LOG) if value > 1e-9 else -1036
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1

    def merge(self, other: QuantileSketch) -> QuantileSketch:
        """A sketch of both streams."""
        both = QuantileSketch()
        both.count = self.count + other.count
        both.buckets = dict(self.buckets)
        for bucket, count in other.buckets.items():
            both.buckets[bucket] = both.buckets.get(bucket, 0) + count
        return both

    def quantile(self, share: float) -> float | None:
        """The value below which this share of the stream lies; None before the first."""
        if not self.count:
            return None
        rank = share * (self.count - 1)
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen > rank:
                return float(2 * _GAMMA**bucket / (_GAMMA + 1))
        raise AssertionError("the buckets hold the count")  # pragma: no cover


class _Generation:
    """Figures of up to `_GENERATION` outcomes."""

    __slots__ = ("calls", "cost_count", "cost_usd", "failures", "latency", "speed_s", "speed_tokens", "ttft")

    def __init__(self) -> None:
        self.calls = self.failures = self.cost_count = self.speed_tokens = 0
        self.cost_usd = self.speed_s = 0.0
        self.latency = QuantileSketch()
        self.ttft = QuantileSketch()


class ModelMetrics:
    """What a model's last one to two thousand calls were like; None stands for "not known yet".

    Latencies are seconds of successful calls, throughput is output tokens a second while tokens were flowing,
    cost is mean USD a call over the calls whose cost is known, success rate leaves out the caller's own mistakes.

    >>> from orchestrator.core.outcome import Outcome
    >>> metrics = ModelMetrics()
    >>> metrics.latency_p50, metrics.success_rate
    (None, None)
    >>> for _ in range(50):
    ...     metrics.record(Outcome(model_id="m", latency_s=2.0))
    >>> round(metrics.latency_p50), round(metrics.latency_p95), metrics.success_rate
    (2, 2, 1.0)
    """

    __slots__ = ("_calls", "_failures", "_last", "_now", "_uncounted", "dropped", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        self.dropped = 0  # outcomes, and costs of outcomes, that were no numbers
        self._calls = self._failures = 0
        self._now = _Generation()
        self._last = _Generation()
        self._uncounted: deque[Outcome] = deque()

    def record(self, outcome: Outcome) -> None:
        """Take in one attempt's outcome; what the caller broke teaches nothing."""
        self._uncounted.append(outcome)
        if len(self._uncounted) >= _BATCH or outcome.error is not None:  # an error holds on to what it was raised in
            self._count()

    def _count(self) -> None:
        """Work off what has come since anyone looked: done together, it costs a fraction of one by one."""
        if not self._uncounted:
            return
        with _counting:
            while self._uncounted:
                outcome = self._uncounted.popleft()
                if outcome.teaches:
                    self._take(outcome)

    def _take(self, outcome: Outcome) -> None:
        latency_s, ttft_s, now = outcome.latency_s, outcome.ttft_s, self._now
        if not (0.0 <= latency_s <= _MOST_S and (ttft_s is None or 0.0 <= ttft_s <= _MOST_S)):  # also of NaN
            self.dropped += 1
            return
        self._calls += 1
        now.calls += 1
        if outcome.success:
            self._record_success(now, outcome)
        else:
            self._failures += 1
            now.failures += 1
        if outcome.cost_usd is not None:
            if 0.0 <= outcome.cost_usd <= _MOST_USD:
                now.cost_usd += outcome.cost_usd
                now.cost_count += 1
            else:
                self.dropped += 1
        if now.calls >= _GENERATION:
            self._last, self._now = now, _Generation()

    @staticmethod
    def _record_success(now: _Generation, outcome: Outcome) -> None:
        now.latency.add(outcome.latency_s)
        flowing_s = outcome.latency_s
        if outcome.ttft_s is not None:
            now.ttft.add(outcome.ttft_s)
            flowing_s -= outcome.ttft_s
        tokens = outcome.usage.completion_tokens
        if tokens and flowing_s >= TICK_S:
            now.speed_tokens += tokens
            now.speed_s += flowing_s

    @property
    def calls(self) -> int:
        """Attempts that taught something, since the start."""
        self._count()
        return self._calls

    @property
    def failures(self) -> int:
        """Those of them that failed."""
        self._count()
        return self._failures

    @property
    def latency_p50(self) -> float | None:
        """Median seconds of a successful call."""
        return self._latency().quantile(0.50)

    @property
    def latency_p95(self) -> float | None:
        """Seconds that 95 % of the successful calls stay below."""
        return self._latency().quantile(0.95)

    def _latency(self) -> QuantileSketch:
        self._count()
        return self._now.latency.merge(self._last.latency)

    @property
    def ttft_p50(self) -> float | None:
        """Median seconds to the first content of a stream."""
        self._count()
        return self._now.ttft.merge(self._last.ttft).quantile(0.50)

    @property
    def ttft_p95(self) -> float | None:
        """Seconds in which 95 % of the streams came to their first content."""
        self._count()
        return self._now.ttft.merge(self._last.ttft).quantile(0.95)

    @property
    def throughput(self) -> float | None:
        """Output tokens a second."""
        self._count()
        seconds = self._now.speed_s + self._last.speed_s
        return (self._now.speed_tokens + self._last.speed_tokens) / seconds if seconds else None

    @property
    def success_rate(self) -> float | None:
        """Share of the recent calls that were answered."""
        self._count()
        calls = self._now.calls + self._last.calls
        return 1 - (self._now.failures + self._last.failures) / calls if calls else None

    @property
    def cost_per_call_usd(self) -> float | None:
        """Mean USD of the recent calls whose cost is known."""
        self._count()
        count = self._now.cost_count + self._last.cost_count
        return (self._now.cost_usd + self._last.cost_usd) / count if count else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Every figure by name, for tables and JSON."""
        return {
            "calls": self.calls,
            "failures": self.failures,
            "in_flight": self.in_flight,
            "success_rate": self.success_rate,
            "latency_p50": self.latency_p50,
            "latency_p95": self.latency_p95,
            "ttft_p50": self.ttft_p50,
            "throughput": self.throughput,
            "cost_per_call_usd": self.cost_per_call_usd,
        }

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.4g}" for name, value in self.to_dict().items() if value is not None)
        return f"ModelMetrics({shown})"
