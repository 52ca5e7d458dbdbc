"""Whether a far level is worth asking at all right now."""

from __future__ import annotations

from orchestrator.core.clock import Clock

__all__ = ["Breaker"]

_OPENS_AFTER = 3  # failures in a row
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 2.0


class Breaker:
    """Opens after three failures in a row; while it is open nobody waits, and a probe is due after each pause.

    Pauses double up to two seconds, so that a level is back within five seconds of its return.

    >>> from orchestrator.testing import FakeClock
    >>> clock = FakeClock()
    >>> breaker = Breaker(clock)
    >>> for _ in range(3):
    ...     breaker.failed()
    >>> breaker.is_open, breaker.probe_due
    (True, False)
    >>> clock.jump(0.3)
    >>> breaker.probe_due
    True
    >>> breaker.worked()
    >>> breaker.is_open
    False
    """

    def __init__(self, clock: Clock) -> None:
        self.is_open = False
        self._clock = clock
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
        self._next_probe = 0.0

    @property
    def probe_due(self) -> bool:
        """True when it is open and the pause is over."""
        return self.is_open and self._clock.monotonic() >= self._next_probe

    def worked(self) -> None:
        """The level has answered."""
        self.is_open = False
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S

    def failed(self, *, for_sure: bool = False) -> None:
        """The level has not answered; `for_sure` opens at once, where asking again cannot help."""
        now = self._clock.monotonic()
        if not self.is_open:
            self._failures += 1
            self.is_open = for_sure or self._failures >= _OPENS_AFTER
        elif now < self._next_probe:
            return  # the echo of calls that were under way when it opened
        else:
            self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)
        self._next_probe = now + self._pause_s
