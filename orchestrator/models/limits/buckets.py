"""How much may still leave this minute: token buckets, of requests and of tokens, taken from together."""

from __future__ import annotations

from typing import Protocol

from orchestrator.core.info import ModelConstraints
from orchestrator.integrations.rate_headers import Allowance, Allowances

__all__ = ["Bucket", "CoupledBuckets", "RateLimits"]

_HAIR = 1e-9  # share of a bucket that rounding may lose


class RateLimits(Protocol):
    """What admission asks of limits by the minute; it answers from memory, also where processes share them."""

    def take(self, tokens: float, now: float) -> float:
        """Take one request and so many tokens and return 0, or take nothing and tell the seconds to wait."""

    def put_back(self, tokens: float, now: float, *, requests: int = 0) -> None:
        """Return what was not used; fewer than none when more was used than taken."""

    def correct(self, told: Allowances, now: float) -> None:
        """The provider says what is left; the smaller figure holds."""

    def left(self, now: float) -> tuple[float | None, float | None]:
        """Requests and tokens that could leave now; None where there is no limit."""


class Bucket:
    """A token bucket: `per_minute` flow in evenly, at most `burst_s` seconds' worth is saved up.

    `take` returns 0 when the amount was there, else the seconds until it will be; what did not fit is not taken.
    An amount that no full bucket could hold takes a full one.

    >>> bucket = Bucket(per_minute=60, now=0)
    >>> bucket.take(60, now=0), bucket.take(1, now=0), bucket.take(1, now=1)
    (0.0, 1.0, 0.0)
    """

    __slots__ = ("_hair", "capacity", "filled_at", "flow_per_s", "level", "per_minute")

    def __init__(self, per_minute: float, now: float, *, burst_s: float = 60.0) -> None:
        self.per_minute = per_minute
        self.capacity = max(1.0, per_minute * burst_s / 60)
        self._hair = _HAIR * self.capacity
        self.level = self.capacity
        self.flow_per_s = per_minute / 60
        self.filled_at = now

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until so much is there."""
        if now > self.filled_at:
            self.fill(now)
        amount = min(amount, self.capacity)
        missing = amount - self.level
        return 0.0 if missing <= self._hair else missing / self.flow_per_s

    def fill(self, now: float) -> None:
        """Let in what has come since."""
        level = self.level + max(0.0, now - self.filled_at) * self.flow_per_s
        self.level = min(self.capacity, level)
        self.filled_at = now

    def spend(self, amount: float) -> None:
        """Take what is known to be there."""
        self.level = max(0.0, self.level - amount)

    def take(self, amount: float, now: float) -> float:
        """Take now, or say when."""
        wait_s = self.wait_s(amount, now)
        if not wait_s:
            self.spend(amount)
        return wait_s

    def put_back(self, amount: float, now: float) -> None:
        """Return what was taken and not used; a negative amount is a debt, of one bucket at most."""
        if amount < 0:  # what has come by now counts first; for a return the order makes no difference
            self.fill(now)
        self.level = max(-self.capacity, min(self.capacity, self.level + amount))

    def correct(self, told: Allowance, now: float) -> None:
        """Where the provider has less for us than we thought, its level holds, and its flow if that is slower."""
        self.fill(now)
        self.flow_per_s = self.per_minute / 60
        if told.remaining is not None and told.remaining < self.level:
            self.level = float(told.remaining)
            if told.flow_per_s is not None:
                self.flow_per_s = min(self.flow_per_s, told.flow_per_s)


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
        wait_s = 0.0 if requests is None else requests.wait_s(1.0, now)
        if volume is not None:
            wait_s = max(wait_s, volume.wait_s(tokens, now))
        if wait_s:
            return wait_s
        if requests is not None:
            requests.spend(1.0)
        if volume is not None:
            volume.spend(tokens)
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
    if bucket is None:
        return None
    bucket.fill(now)
    return bucket.level
