"""How much may still leave this minute: token buckets, of requests and of tokens, taken from together."""

from __future__ import annotations

from typing import Protocol

from orchestrator.core.info import ModelConstraints
from orchestrator.integrations.rate_headers import Allowance, Allowances

__all__ = ["Bucket", "CoupledBuckets", "RateLimits"]

_HAIR_S = 1e-6  # so much early is on time: what rounding may lose


class RateLimits(Protocol):
    """What admission asks of limits by the minute; it answers from memory, also where processes share them."""

    def take(self, tokens: float, now: float) -> float:
        """Take one request and so many tokens and return 0, or take nothing and tell the seconds to wait.

        More tokens than could ever be there at once count as that many.
        """

    def put_back(self, tokens: float, now: float, *, requests: int = 0) -> None:
        """Return what was not used; fewer than none when more was used than taken."""

    def correct(self, told: Allowances, now: float) -> None:
        """The provider says what is left; the smaller figure holds."""

    def left(self, now: float) -> tuple[float | None, float | None]:
        """Requests and tokens that could leave now; None where there is no limit."""


class Bucket:
    """A token bucket: `per_minute` flow in evenly, at most `burst_s` seconds' worth is saved up.

    `take` returns 0 when the amount was there, else the seconds until it will be; what did not fit is not taken.
    An amount that no full bucket could hold takes a full one. All it keeps is the moment at which it will be full again
    (the generic cell rate algorithm, ITU-T I.371), so that nothing has to be filled up.

    >>> bucket = Bucket(per_minute=60, now=0)
    >>> bucket.take(60, now=0), bucket.take(1, now=0), bucket.take(1, now=1)
    (0.0, 1.0, 0.0)
    """

    __slots__ = ("_fills_in_s", "_flow_per_s", "_full_at", "capacity", "per_minute")

    def __init__(self, per_minute: float, now: float, *, burst_s: float = 60.0) -> None:
        self.per_minute = per_minute
        self.capacity = max(1.0, per_minute * burst_s / 60)
        self._full_at = now
        self._flow(per_minute / 60)

    def _flow(self, per_s: float) -> None:
        self._flow_per_s = per_s
        self._fills_in_s = self.capacity / per_s

    def take(self, amount: float, now: float) -> float:
        """Take now, or say when."""
        fills_in_s = amount / self._flow_per_s if amount < self.capacity else self._fills_in_s
        if self._full_at <= now:  # it is full
            self._full_at = now + fills_in_s
            return 0.0
        wait_s = self._full_at + fills_in_s - now - self._fills_in_s
        if wait_s > _HAIR_S:
            return wait_s
        self._full_at += fills_in_s
        return 0.0

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until so much is there."""
        missing = min(amount, self.capacity) - self.level(now)
        wait_s = missing / self._flow_per_s
        return wait_s if wait_s > _HAIR_S else 0.0

    def put_back(self, amount: float, now: float) -> None:
        """Return what was taken and not used; a negative amount is a debt, of one bucket at most."""
        full_at = max(now, self._full_at) - amount / self._flow_per_s
        self._full_at = full_at if amount >= 0 else min(full_at, now + 2 * self._fills_in_s)

    def level(self, now: float) -> float:
        """What could be taken now; below 0 is a debt."""
        return self.capacity - max(0.0, self._full_at - now) * self._flow_per_s

    def correct(self, told: Allowance, now: float) -> None:
        """Where the provider has less for us than we thought, its level holds, and its flow if that is slower."""
        level, flow_per_s = self.level(now), self.per_minute / 60
        if told.remaining is not None and told.remaining < level:
            level = float(told.remaining)
            flow_per_s = min(flow_per_s, told.flow_per_s or flow_per_s)
        self._flow(flow_per_s)
        self._full_at = now + (self.capacity - level) / flow_per_s


class CoupledBuckets:
    """Requests and tokens a minute, both taken or neither (a `RateLimits` in this process's memory).

    >>> limits = CoupledBuckets(ModelConstraints(max_requests_per_minute=60, max_tokens_per_minute=6000), now=0)
    >>> limits.take(5000, now=0), limits.take(2000, now=0), limits.left(now=0)
    (0.0, 10.0, (59.0, 1000.0))
    """

    __slots__ = ("_requests", "_tokens")

    def __init__(self, limits: ModelConstraints, now: float) -> None:
        requests, tokens = limits.max_requests_per_minute, limits.max_tokens_per_minute
        self._requests = None if requests is None else Bucket(requests, now, burst_s=limits.burst_s)
        self._tokens = None if tokens is None else Bucket(tokens, now, burst_s=limits.burst_s)

    def take(self, tokens: float, now: float) -> float:
        """Both or neither."""
        requests, volume = self._requests, self._tokens
        if requests is not None and (wait_s := requests.take(1.0, now)):
            return wait_s if volume is None else max(wait_s, volume.wait_s(tokens, now))
        if volume is not None and (wait_s := volume.take(tokens, now)):
            if requests is not None:
                requests.put_back(1.0, now)
            return wait_s
        return 0.0

    def put_back(self, tokens: float, now: float, *, requests: int = 0) -> None:
        """Settle the reserve to the real count."""
        if self._requests is not None and requests:
            self._requests.put_back(requests, now)
        if self._tokens is not None and tokens:
            self._tokens.put_back(tokens, now)

    def correct(self, told: Allowances, now: float) -> None:
        """Each bucket by its own figure."""
        if self._requests is not None and told.requests is not None:
            self._requests.correct(told.requests, now)
        if self._tokens is not None and told.tokens is not None:
            self._tokens.correct(told.tokens, now)

    def left(self, now: float) -> tuple[float | None, float | None]:
        """As of now."""
        return _left(self._requests, now), _left(self._tokens, now)


def _left(bucket: Bucket | None, now: float) -> float | None:
    return None if bucket is None else bucket.level(now)
