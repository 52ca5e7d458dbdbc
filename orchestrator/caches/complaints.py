"""A level that is off says so once, by cause, and then keeps quiet."""

from __future__ import annotations

import logging

from orchestrator.core.clock import Clock

__all__ = ["Complaints"]

_log = logging.getLogger("orchestrator.caches")
_QUIET_S = 60.0


class Complaints:
    """One warning a cause a minute; keys, values and addresses are never part of it."""

    def __init__(self, level: str, clock: Clock) -> None:
        self.count = 0
        self.last: str | None = None
        self._level = level
        self._clock = clock
        self._said: dict[str, float] = {}

    def note(self, cause: str, remedy: str = "") -> None:
        """Count a fault, and name its cause unless it was named in the last minute."""
        self.count += 1
        self.last = cause
        now = self._clock.monotonic()
        if now - self._said.get(cause, -_QUIET_S) < _QUIET_S:
            return
        self._said[cause] = now
        _log.warning("the %s level of the cache goes on without: %s%s", self._level, cause, remedy and f"; {remedy}")
