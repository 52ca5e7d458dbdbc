"""May this call leave now? The limits a model's owner has set, checked before anything is sent."""

from __future__ import annotations

from orchestrator.core.clock import Clock
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.requirements import most_output_tokens, prompt_tokens

__all__ = ["Admission", "Bucket"]

_BUSY_RETRY_S = 1.0  # how long a slot is usually taken; only told, never slept


class Bucket:
    """A token bucket: `per_minute` flow in evenly, at most that many are saved up.

    `take` returns 0 when the amount was there, else the seconds until it will be; what did not fit is not taken.

    >>> bucket = Bucket(per_minute=60, now=0)
    >>> bucket.take(60, now=0), bucket.take(1, now=0), bucket.take(1, now=1)
    (0.0, 1.0, 0.0)
    """

    __slots__ = ("filled_at", "level", "per_minute")

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = per_minute
        self.level = per_minute
        self.filled_at = now

    def take(self, amount: float, now: float) -> float:
        """Take now, or say when."""
        self.level = min(self.per_minute, self.level + max(0.0, now - self.filled_at) * self.per_minute / 60)
        self.filled_at = now
        amount = min(amount, self.per_minute)  # more than the bucket holds would never fit
        if amount <= self.level:
            self.level -= amount
            return 0.0
        return (amount - self.level) * 60 / self.per_minute

    def give_back(self, amount: float) -> None:
        """Return what was taken and not used."""
        self.level = min(self.per_minute, self.level + amount)


class Admission:
    """Enforces `ModelConstraints`: calls in flight, requests a minute, tokens a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._requests: dict[str, Bucket] = {}
        self._tokens: dict[str, Bucket] = {}

    def wait_s(self, model: Model, request: Request) -> float:
        """0 when the call may leave now (its share is then taken), else seconds until it is worth asking again."""
        limits = model.info.constraints
        most = limits.max_concurrent_requests
        if most is not None and model.metrics.in_flight >= most:
            return _BUSY_RETRY_S
        if limits.max_requests_per_minute is None and limits.max_tokens_per_minute is None:
            return 0.0
        return self._take(model, request)

    def _take(self, model: Model, request: Request) -> float:
        now = self._clock.monotonic()
        requests = _bucket(self._requests, model.id, model.info.constraints.max_requests_per_minute, now)
        volume = _bucket(self._tokens, model.id, model.info.constraints.max_tokens_per_minute, now)
        wait_s = requests.take(1, now) if requests is not None else 0.0
        if wait_s or volume is None:
            return wait_s
        wait_s = volume.take(prompt_tokens(request) + (most_output_tokens(request) or 0), now)
        if wait_s and requests is not None:
            requests.give_back(1)
        return wait_s


def _bucket(buckets: dict[str, Bucket], model_id: str, per_minute: float | None, now: float) -> Bucket | None:
    """The model's bucket, made anew when its limit was changed."""
    if per_minute is None:
        return None
    bucket = buckets.get(model_id)
    if bucket is None or bucket.per_minute != per_minute:
        bucket = buckets[model_id] = Bucket(per_minute, now)
    return bucket
