"""Does anything in this process hold the event loop up? Then every call is late, and no model is to blame."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["LoopLag"]

_EVERY_S, _REMEMBERED_S = 0.1, 60.0
_WORTH_TELLING_S = 0.5


class LoopLag:
    """How late the running loop has been at most, over the last minute; None while nobody looks.

    It goes by the loop's own time, since a loop that stands still does so for real.

    >>> lag = LoopLag()
    >>> lag.note(0.75, now=10.0)
    >>> lag.worst_s, lag.issue
    (0.75, 'the event loop stood still for 0.8 s: something in this process blocks it')
    >>> lag.note(0.0, now=71.0)
    >>> lag.worst_s, lag.issue
    (0.0, None)
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()  # falling, the worst first: (when, seconds late)

    @property
    def worst_s(self) -> float | None:
        """Seconds."""
        return self._seen[0][1] if self._seen else None

    @property
    def issue(self) -> str | None:
        """What to tell people, if it is worth telling."""
        worst_s = self.worst_s
        if worst_s is None or worst_s < _WORTH_TELLING_S:
            return None
        return f"the event loop stood still for {worst_s:.1f} s: something in this process blocks it"

    def note(self, late_s: float, *, now: float) -> None:
        """One look."""
        seen = self._seen
        while seen and seen[-1][1] <= late_s:
            seen.pop()
        seen.append((now, late_s))
        while seen[0][0] < now - _REMEMBERED_S:
            seen.popleft()

    async def watch(self) -> None:
        """Look ten times a second until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                due = loop.time() + _EVERY_S
                await asyncio.sleep(_EVERY_S)
                self.note(max(0.0, loop.time() - due), now=loop.time())
        finally:
            self._seen.clear()
