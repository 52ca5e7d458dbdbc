"""Background work that outlives its own faults."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable

from orchestrator.core.clock import Clock

__all__ = ["Supervision"]

_FIRST_PAUSE_S, _MAX_PAUSE_S, _LONG_LIFE_S = 1.0, 60.0, 600.0
_log = logging.getLogger(__name__)


class Supervision:
    """Starts work again when it dies, after 1 s and then twice as long each time up to a minute, +-20 %.

    `deaths` counts them and `issue` tells of the last one until the work has lived for ten minutes again.
    """

    def __init__(self, name: str, rng: random.Random) -> None:
        self.deaths = 0
        self._name = name
        self._random = rng
        self._pause_s = _FIRST_PAUSE_S
        self._died_of: str | None = None
        self._started_at = 0.0

    async def run(self, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
        """Until the work is done, or this task is cancelled."""
        while True:
            self._started_at = clock.monotonic()
            try:
                return await work()
            except Exception as error:  # noqa: BLE001 - the boundary: whatever kills background work is shown, not lost
                self._note(error, clock)
            pause_s = self._pause_s * self._random.uniform(0.8, 1.2)
            self._pause_s = min(self._pause_s * 2, _MAX_PAUSE_S)
            await clock.sleep(pause_s)

    def issue(self, clock: Clock) -> str | None:
        """What is wrong with the work itself, if anything."""
        if self._died_of is None or clock.monotonic() - self._started_at >= _LONG_LIFE_S:
            return None
        return f"{self._name} died of {self._died_of}, {self.deaths} times by now, and is started again"

    def _note(self, error: Exception, clock: Clock) -> None:
        if clock.monotonic() - self._started_at >= _LONG_LIFE_S:
            self._pause_s = _FIRST_PAUSE_S
        self.deaths += 1
        self._died_of = type(error).__name__
        _log.error("%s died and is started again", self._name, exc_info=error)
