"""How many calls at once a model bears, found out from how it takes them."""

from __future__ import annotations

import math

from orchestrator.core.metrics import ModelMetrics
from orchestrator.core.outcome import Outcome
from orchestrator.errors import Blame

__all__ = ["AdaptiveLimit", "asks_for_less", "pace_of"]

_SHRINK_TO = 0.7  # of what was in flight
_FASTER = 1 / 16  # of what is allowed, on top of one a round, while there is hardly a refusal
_TOLERATED = 0.1  # share of refusals that says nothing about how many are too many
_SLOW = 2.0  # times its usual pace
_SETTLED = 64  # answers before the usual pace is a moving mean, and no longer that of all
_RECENT, _USUAL = 1 / 8, 1 / _SETTLED  # weight of one call in the two moving means of its pace
_NEWS = 1 / 32  # ... and in that of refusals
_KNOWN_FROM = 16  # answers before a pace is usual
_A_PAGE = 50  # output tokens: up to here the length of an answer hardly tells in its time


def asks_for_less(outcome: Outcome, metrics: ModelMetrics) -> bool:
    """True for a failure that says "too much at once": a rate limit, overload, or no answer in twice the usual time."""
    error = outcome.error
    if error is None:
        return False
    if error.kind == "timeout":  # who gives it less time than that has learned nothing about the model
        unspoken = outcome.streamed and outcome.ttft_s is None
        usual_s = metrics.ttft_p50 if unspoken else metrics.latency_p50
        return usual_s is not None and outcome.latency_s > _SLOW * usual_s
    return error.blame is Blame.LIMIT or error.kind == "overloaded"


class AdaptiveLimit:
    """A bound on the calls in flight: down by a factor when asked for less, up by one or more for each round served.

    Additive increase, multiplicative decrease (Chiu, Jain 1989), between 1 and `most`. As in TCP, one congestion
    counts once: only calls that left after the last decrease (their `epoch` is the present one) cause another. Up to
    a tenth of refusals is taken for chance, or others' doing, and costs nothing (the tolerance to random loss of PCC:
    Dong et al., NSDI 2015). Besides refusals a model that takes twice its usual time counts as congested.

    >>> limit = AdaptiveLimit(most=10)
    >>> limit.refused(in_flight=10, epoch=0); limit.allowed
    7.0
    >>> limit.refused(in_flight=9, epoch=0); limit.allowed  # it had left before
    7.0
    >>> for _ in range(8): limit.served(in_flight=7, epoch=1, pace_s=0.5)
    >>> limit.allowed > 8
    True
    """

    __slots__ = ("_answers", "_calls", "_opens_to", "_refusals", "_usual_s", "allowed", "epoch", "most", "recent_s")

    def __init__(self, most: float = math.inf) -> None:
        self.most = self.allowed = float(most)
        self.epoch = 0
        self.recent_s: float | None = None  # what an answer took of late, and what it usually takes
        self._usual_s: float | None = None
        self._answers = self._calls = 0
        self._refusals = 0.0
        self._opens_to: float | None = None  # once a call on trial is answered, where it stands ajar

    def bound(self, most: float) -> None:
        """The user's own bound; raising it opens the door to it, lowering it closes it that far."""
        if most != self.most:
            self.allowed = most if most > self.most else min(self.allowed, most)
            self.most, self._opens_to = most, None

    def refused(self, in_flight: int, epoch: int) -> None:
        """A call was refused for being one too many, with so many in flight, itself included."""
        self._calls += 1
        self._refusals += (1.0 - self._refusals) * max(_NEWS, 1 / self._calls)
        if epoch == self.epoch and self._refusals > _TOLERATED:
            self._shrink(in_flight)

    def ajar(self) -> None:
        """The model has said when to come again: one call goes first then, and when it is answered the others may.

        >>> limit = AdaptiveLimit(most=10)
        >>> limit.ajar(); limit.allowed
        1.0
        >>> limit.served(in_flight=1, epoch=limit.epoch, pace_s=0.5); limit.allowed
        10.0
        """
        if self._opens_to is None:
            self._opens_to, self.allowed = self.allowed, 1.0
            self.epoch += 1

    @property
    def is_ajar(self) -> bool:
        """True until the call on trial is answered."""
        return self._opens_to is not None

    def taken(self, epoch: int) -> None:
        """A call begins to be answered: if it was on trial, the others may follow."""
        if self._opens_to is not None and epoch == self.epoch:
            self.allowed, self._opens_to = min(self.most, self._opens_to), None

    def served(self, in_flight: int, epoch: int, pace_s: float) -> None:
        """A call was answered; it counts for more room only where the room was used."""
        self._calls += 1
        if self._refusals:
            self._refusals -= self._refusals * max(_NEWS, 1 / self._calls)
        slow = self._slowed(pace_s)
        if self._opens_to is not None:
            self.taken(epoch)
        elif in_flight * 2 < self.allowed:
            return
        elif not slow:
            more = 1 / self.allowed + (_FASTER if self._refusals < _TOLERATED / 2 else 0.0)
            self.allowed = min(self.most, self.allowed + more)
        elif epoch == self.epoch:
            self._shrink(in_flight)

    def _shrink(self, in_flight: int) -> None:
        if self._opens_to is not None:
            self._opens_to = max(1.0, self._opens_to * _SHRINK_TO)
        else:
            self.allowed = max(1.0, min(self.allowed, in_flight) * _SHRINK_TO)
        self.epoch += 1

    def _slowed(self, pace_s: float) -> bool:
        """Take in one call's pace; True when the last calls take far longer than they used to."""
        if self.recent_s is None or self._usual_s is None:
            self.recent_s = self._usual_s = pace_s
        self._answers += 1
        self.recent_s += (pace_s - self.recent_s) * _RECENT
        self._usual_s += (pace_s - self._usual_s) * (_USUAL if self._answers > _SETTLED else 1 / self._answers)
        return self._answers > _KNOWN_FROM and self.recent_s > _SLOW * self._usual_s


def pace_of(outcome: Outcome) -> float:
    """Seconds until the answer began, else until it was there, for each page of it."""
    if outcome.ttft_s is not None:
        return outcome.ttft_s
    written = outcome.usage.completion_tokens
    return outcome.latency_s * _A_PAGE / written if written and written > _A_PAGE else outcome.latency_s
