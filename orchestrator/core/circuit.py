"""The circuit of one model or one key: in, out for a while, on trial, and back by a growing share."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

from orchestrator.core.recent_calls import RecentCalls
from orchestrator.errors import ConfigurationError

__all__ = ["STRIKE", "Circuit", "Rules", "Sentence", "Status"]

Status = Literal["unknown", "healthy", "limited", "recovering", "unhealthy", "drained"]

MAX_TOLD_S = 3600.0  # longer waits are tried again after an hour
_FIRST_LIMIT_S, _MAX_LIMIT_S = 1.0, 60.0
_FORGIVES_ONE_S = 60.0  # so long in health undoes one doubling of the cool-down
_MOST_DOUBLINGS = 30
_DOUBLINGS_OF_RAMP = 10  # calls in flight double ten times while the share grows: from one to a thousand
_SLOW_FACTOR, _SLOW_FLOOR_S, _SLOW_S = 20.0, 10.0, 60.0


@dataclass(slots=True)
class Rules:
    """The numbers by which a circuit decides; seconds where a name ends in `_s`.

    It opens after `failure_threshold` failures in a row, or when of at least `min_calls` calls started within
    `window_s` a share of `failure_rate` failed. It stays open for `cool_down_s`, doubling with each relapse up to
    `max_cool_down_s`, +-20 % so that several processes do not return together. Then one call is let through, and
    after `recovery_threshold` answers the number of calls in flight may double until it is free after `ramp_s`.
    An answer that took longer than `slow_call_s` is a failure; None means twenty times the model's own median, from
    10 to 60 s, and 60 s as long as the median is not known.
    """

    failure_threshold: int = 3
    recovery_threshold: int = 2
    failure_rate: float = 0.5
    min_calls: int = 10
    window_s: float = 30.0
    cool_down_s: float = 5.0
    max_cool_down_s: float = 300.0
    ramp_s: float = 30.0
    slow_call_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("failure_threshold", "recovery_threshold", "min_calls"):
            if not getattr(self, name) >= 1:
                raise ConfigurationError(f"{name}={getattr(self, name)!r}: give a number from 1 up")
        for name in ("failure_rate", "window_s", "cool_down_s", "max_cool_down_s", "ramp_s", "slow_call_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name}={value!r}: give a number above 0")

    def slow_s(self, median_s: float | None) -> float:
        """From how many seconds on a call is slow, for a model whose calls usually take `median_s`.

        >>> Rules().slow_s(None), Rules().slow_s(0.2), Rules().slow_s(2), Rules().slow_s(90)
        (60.0, 10.0, 40.0, 270.0)
        """
        if self.slow_call_s is not None or median_s is None:
            return _SLOW_S if self.slow_call_s is None else self.slow_call_s
        # a model that thinks for minutes is not ill
        return max(_SLOW_FLOOR_S, min(_SLOW_FACTOR * median_s, _SLOW_S), 3.0 * median_s)


class Sentence(NamedTuple):
    """What a failure costs: out at once or by the rules, and for how long; None leaves the time to the rules."""

    at_once: bool = False
    first_s: float | None = None
    most_s: float | None = None


STRIKE = Sentence()


class Circuit:
    """A pure state machine: every moment arrives as `now`, in seconds on one clock that never goes back.

    Calls in flight are known by the moments they began, and the end of any of them takes off the oldest: what is left
    is never older than the truth, so that a model may be called hanging too late but never wrongly.

    >>> circuit = Circuit(Rules(failure_threshold=2), random.Random(0))
    >>> for now in (1.0, 2.0):
    ...     circuit.begin(now)
    ...     circuit.failed(now, began=now, reason="server")
    >>> circuit.status, circuit.lets_in(3.0), circuit.lets_in(20.0), circuit.status
    ('unhealthy', False, True, 'recovering')
    """

    __slots__ = (
        "_before",
        "_broken",
        "_limit_s",
        "_random",
        "_steady_since",
        "doublings",
        "failures",
        "in_flight",
        "lasting",
        "opened_at",
        "out_until",
        "reason",
        "recent",
        "rules",
        "settled",
        "slow_s",
        "status",
        "steady",
        "successes",
    )

    def __init__(self, rules: Rules, rng: random.Random) -> None:
        self.rules = rules
        self.status: Status = "unknown"
        self.steady = False  # healthy, with its full share: the case that costs nothing
        self.reason: str | None = None
        self.out_until = 0.0
        self.opened_at = -math.inf
        self.lasting = False  # what took it out does not pass by itself
        self.failures = self.successes = self.doublings = 0
        self.settled = 0  # calls that have ended, for whoever keeps statistics
        self.in_flight: deque[float] = deque()
        self.recent = RecentCalls(rules.window_s)
        self.slow_s = rules.slow_s(None)
        self._random = rng
        self._limit_s = _FIRST_LIMIT_S
        self._broken = False  # since it was healthy it was on trial for failures, not only for a limit
        self._steady_since: float | None = None
        self._before: Status = "unknown"

    # what happens to calls

    def begin(self, now: float) -> None:
        """A call leaves."""
        self.in_flight.append(now)
        self.recent.started(now)

    def end(self) -> None:
        """A call is over, or its answer has begun to flow."""
        try:
            self.in_flight.popleft()
        except IndexError:  # its start was not told, or forgotten when the circuit opened
            return

    def succeeded(self, now: float, *, began: float) -> None:
        """A call ended well; where the circuit is steady it is enough to set `failures` to 0."""
        self.failures = 0
        if self.status == "unknown":
            self._close(now, ramp=False)
        elif self.status in ("recovering", "unhealthy") and began >= self.opened_at:
            self.successes += 1
            if self.successes >= self.rules.recovery_threshold:
                self._close(now, ramp=self._broken or self.status == "unhealthy")

    def failed(
        self, now: float, *, began: float, reason: str, sentence: Sentence = STRIKE, told_s: float | None = None
    ) -> None:
        """A call failed; `told_s` is how long the provider asked us to stay away."""
        self.recent.failed(now)
        if self.status in ("unhealthy", "recovering") and began < self.opened_at:
            return  # it left before the outage was known: one outage counts once
        self.failures += 1
        if self.status == "recovering" or sentence.at_once or self._is_enough(now):
            self.take_out(now, reason, sentence)
        if told_s is not None:
            self.hold(now, reason, told_s)

    def limited(self, now: float, *, reason: str, told_s: float | None) -> None:
        """The provider asked for a pause; how long it did not say doubles from 1 s up to a minute.

        Of a storm the first refusal counts: those that come while the pause lasts do not double it.
        """
        if told_s is not None and told_s > 0:
            self.hold(now, reason, told_s)
        elif now >= self.out_until:
            self.hold(now, reason, self._jittered(self._limit_s))
            self._limit_s = min(self._limit_s * 2, _MAX_LIMIT_S)

    def hold(self, now: float, reason: str, wait_s: float) -> None:
        """Stay away for so long; of two ends the later holds."""
        self.out_until = max(self.out_until, now + min(wait_s, MAX_TOLD_S))
        self.reason = reason
        self.steady = False
        if self.status != "unhealthy":
            self._go("limited")

    def take_out(self, now: float, reason: str, sentence: Sentence = STRIKE) -> None:
        """Open: nobody is let in before the cool-down is over."""
        if self.status == "unhealthy" and self.out_until > now:
            self.successes = 0
            return
        if self._steady_since is not None:
            self.doublings = max(0, self.doublings - int((now - self._steady_since) // _FORGIVES_ONE_S))
        first_s = self.rules.cool_down_s if sentence.first_s is None else sentence.first_s
        most_s = self.rules.max_cool_down_s if sentence.most_s is None else sentence.most_s
        wait_s = self._jittered(min(first_s * 2.0**self.doublings, most_s))
        self.doublings = min(self.doublings + 1, _MOST_DOUBLINGS)
        self.out_until = max(self.out_until, now + wait_s)
        self.opened_at, self.successes, self._steady_since = now, 0, None
        self.reason, self.lasting, self.steady = reason, sentence.at_once, False
        self._go("unhealthy")

    def excuse(self, since: float) -> None:
        """What failed from `since` on was not its fault: as if it had not been."""
        self.failures = 0
        self.recent.clear()
        if self.status == "unhealthy" and self.opened_at >= since:
            self.doublings = max(0, self.doublings - 1)
            self.status, self.out_until, self.reason, self.opened_at = self._before, 0.0, None, -math.inf
            self.steady = self.status == "healthy"

    def join(self, now: float, status: Status, wait_s: float, *, reason: str, doublings: int) -> None:
        """Take over what another process has found out; of two ends the later holds."""
        if wait_s <= 0 or now + wait_s <= self.out_until:
            return
        self.out_until = now + min(wait_s, MAX_TOLD_S)
        self.reason, self.steady, self.successes, self._steady_since = reason, False, 0, None
        self.doublings = min(max(self.doublings, doublings), _MOST_DOUBLINGS)
        self._go(status)

    def try_again(self) -> None:
        """End the cool-down early: the next call is a trial."""
        if self.status == "unhealthy":
            self.out_until = 0.0
            self._on_trial()

    # what the choice asks

    def lets_in(self, now: float) -> bool:
        """May it be chosen at all? The first question after a cool-down puts it on trial."""
        if self.status not in ("unhealthy", "limited"):
            return True
        if now < self.out_until:
            return False
        self._on_trial()
        return True

    def is_full(self, now: float) -> bool:
        """True when it has as many calls in flight as it has earned since it came back."""
        return not self.steady and len(self.in_flight) >= self._room(now)

    def hangs(self, now: float) -> bool:
        """Are so many calls overdue that waiting for them to fail would be a waste? Then it is out."""
        if not self.in_flight or now - self.in_flight[0] <= self.slow_s or self.status in ("unhealthy", "limited"):
            return False
        overdue = sum(now - began > self.slow_s for began in list(self.in_flight))
        if not (self.status == "recovering" or self._is_enough(now, overdue)):
            return False
        self.take_out(now, f"slow: {overdue} calls unanswered for over {self.slow_s:.0f} s")
        return True

    # inside

    def _is_enough(self, now: float, overdue: int = 0) -> bool:
        if self.failures + overdue >= self.rules.failure_threshold:
            return True
        calls, failures = self.recent.counts(now)
        return calls >= self.rules.min_calls and failures + overdue >= self.rules.failure_rate * calls

    def _room(self, now: float) -> float:
        if self.status == "recovering":
            return self.successes + 1
        if self.status != "healthy" or self._steady_since is None:
            return math.inf
        share = (now - self._steady_since) / self.rules.ramp_s
        if share >= 1:
            self.steady = True
            return math.inf
        return self.rules.recovery_threshold + int(2.0 ** (_DOUBLINGS_OF_RAMP * share)) - 1

    def _on_trial(self) -> None:
        self._broken = self._broken or self.status == "unhealthy"
        self.successes = 0
        self.in_flight.clear()  # who left before the outage takes nobody's place on trial
        self._go("recovering")

    def _close(self, now: float, *, ramp: bool) -> None:
        self._limit_s, self.out_until, self.reason = _FIRST_LIMIT_S, 0.0, None
        self.opened_at, self._steady_since, self.steady = -math.inf, now, not ramp
        self._broken = False
        if ramp:
            self.recent.clear()
        self._go("healthy")

    def _go(self, status: Status) -> None:
        if status != self.status:
            self._before, self.status = self.status, status

    def _jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(0.8, 1.2)
