"""How many of the last half minute's calls failed, in memory that does not grow."""

from __future__ import annotations

__all__ = ["RecentCalls"]

_STEPS = 10


class RecentCalls:
    """Counts of calls and failures over the last `window_s` seconds, kept in ten steps of a tenth of it.

    Calls are counted when they start, so that those which hang count too. What falls out leaves a whole step at a
    time: the window is between nine and ten tenths as long as said.

    >>> recent = RecentCalls(window_s=30)
    >>> for _ in range(4):
    ...     recent.started(now=1.0)
    >>> recent.failed(now=2.0)
    >>> recent.counts(now=29.9), recent.counts(now=30.0)
    ((4, 1), (0, 0))
    """

    __slots__ = ("_at", "_calls", "_failures", "_step_s", "_until")

    def __init__(self, window_s: float) -> None:
        self._step_s = window_s / _STEPS
        self._calls = [0] * _STEPS
        self._failures = [0] * _STEPS
        self._at = 0  # the present step, counted since the clock's beginning
        self._until = 0.0

    def started(self, now: float) -> None:
        """One more call."""
        if now >= self._until:
            self._turn(now)
        self._calls[self._at % _STEPS] += 1

    def failed(self, now: float) -> None:
        """One more failure."""
        if now >= self._until:
            self._turn(now)
        self._failures[self._at % _STEPS] += 1

    def counts(self, now: float) -> tuple[int, int]:
        """Calls started and failures seen within the window; a failure is a call, whether or not its start was told."""
        if now >= self._until:
            self._turn(now)
        failures = sum(self._failures)
        return max(sum(self._calls), failures), failures

    def clear(self) -> None:
        """Begin anew."""
        self._calls, self._failures = [0] * _STEPS, [0] * _STEPS

    def _turn(self, now: float) -> None:
        """Go on to the step of this moment, and empty those that lie between."""
        step = int(now // self._step_s)
        for passed in range(max(self._at + 1, step - _STEPS + 1), step + 1):
            self._calls[passed % _STEPS] = self._failures[passed % _STEPS] = 0
        self._at, self._until = step, (step + 1) * self._step_s
