"""How many calls at once a model bears, found out from how it takes them."""

from __future__ import annotations

import math

from orchestrator.core.outcome import Outcome
from orchestrator.errors import Blame

__all__ = ["AdaptiveLimit", "asks_for_less", "pace_of"]

_SHRINK_TO = 0.7  # of what was in flight
_SLOW = 2.0  # times its usual pace
_RECENT, _USUAL = 1 / 8, 1 / 64  # weight of one call in the two moving means
_KNOWN_FROM = 16  # calls before a pace is usual
_A_PAGE = 50  # output tokens: up to here the length of an answer hardly tells in its time


def asks_for_less(outcome: Outcome) -> bool:
    """True for a failure that says "too much at once": a rate limit, overload, or no answer in time."""
    error = outcome.error
    return error is not None and (error.blame is Blame.LIMIT or error.kind in ("overloaded", "timeout"))


class AdaptiveLimit:
    """A bound on the calls in flight: down by a factor when asked for less, up by one for every full round served.

    Additive increase, multiplicative decrease (Chiu, Jain 1989), between 1 and `most`. As in TCP, one congestion
    counts once: only calls that left after the last decrease (their `epoch` is the present one) cause another.
    Besides refusals a model that takes twice its usual time counts as congested.

    >>> limit = AdaptiveLimit(most=10)
    >>> limit.refused(in_flight=10, epoch=0); limit.allowed
    7.0
    >>> limit.refused(in_flight=9, epoch=0); limit.allowed  # it had left before
    7.0
    >>> for _ in range(8): limit.served(in_flight=7, epoch=1, pace_s=0.5)
    >>> limit.allowed > 8
    True
    """

    __slots__ = ("_calls", "_usual_s", "allowed", "epoch", "most", "recent_s")

    def __init__(self, most: float = math.inf) -> None:
        self.most = self.allowed = float(most)
        self.epoch = 0
        self.recent_s: float | None = None
        self._usual_s = 0.0
        self._calls = 0

    def bound(self, most: float) -> None:
        """The user's own bound; raising it opens the door to it, lowering it closes it that far."""
        if most != self.most:
            self.allowed = most if most > self.most else min(self.allowed, most)
            self.most = most

    def refused(self, in_flight: int, epoch: int) -> None:
        """A call was refused for being one too many, with so many in flight, itself included."""
        if epoch == self.epoch:
            self.allowed = max(1.0, min(self.allowed, in_flight) * _SHRINK_TO)
            self.epoch += 1

    def served(self, in_flight: int, epoch: int, pace_s: float) -> None:
        """A call was answered; it counts for more room only where the room was used."""
        slow = self._slowed(pace_s)
        if in_flight * 2 < self.allowed:
            return
        if slow:
            self.refused(in_flight, epoch)
        elif self.allowed < self.most:
            self.allowed = min(self.most, self.allowed + 1 / self.allowed)

    def _slowed(self, pace_s: float) -> bool:
        """Take in one call's pace; True when the last calls take far longer than they used to."""
        if self.recent_s is None:
            self.recent_s = self._usual_s = pace_s
        self._calls += 1
        self.recent_s += (pace_s - self.recent_s) * _RECENT
        self._usual_s += (pace_s - self._usual_s) * max(_USUAL, 1 / self._calls)
        return self._calls > _KNOWN_FROM and self.recent_s > _SLOW * self._usual_s


def pace_of(outcome: Outcome) -> float:
    """Seconds until the answer began, else until it was there, for each page of it."""
    if outcome.ttft_s is not None:
        return outcome.ttft_s
    return outcome.latency_s / max(1.0, (outcome.usage.completion_tokens or 0) / _A_PAGE)
