"""The nearest level: bytes in this process, bounded by count and by size, least recently used out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from sys import getsizeof

from orchestrator.core.caching.figures import LevelStatistics
from orchestrator.core.caching.levels import Which
from orchestrator.core.caching.settings import LevelSettings
from orchestrator.core.clock import SYSTEM_CLOCK, Clock

__all__ = ["MemoryStore"]

_OWN_BYTES = 250  # what an entry takes beside its key and value: a tuple, a number, its place in the order
_Held = tuple[bytes, float, tuple[str, ...], int]


class MemoryStore:
    """Least-recently-used bytes with a time to live; every verb takes the same time however much is held.

    What has expired is dropped when it is met, or pushed out by what is newer: no timers. `max_bytes` counts keys,
    values and bookkeeping.

    >>> store = MemoryStore(max_size=2)
    >>> for key in "abc":
    ...     store.put(key, b"...", ttl_s=60)
    >>> [store.peek(key) for key in "abc"]
    [None, b'...', b'...']
    """

    name = "memory"
    near = True

    def __init__(
        self, *, max_size: int = 10_000, max_bytes: int = 64 * 1024 * 1024, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.max_size = max_size
        self.max_bytes = max_bytes
        self.bytes = 0
        self._now = clock.monotonic
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()  # the blocking facade and the caller's loop are two threads

    @classmethod
    def of(cls, settings: LevelSettings) -> MemoryStore:
        """The level these settings describe."""
        return cls(max_size=settings.max_size, max_bytes=settings.max_bytes, clock=settings.clock)

    def peek(self, key: str) -> bytes | None:
        """The bytes, if they are here and alive."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return None
            if held[1] <= self._now():
                self._forget(key)
                return None
            self._held.move_to_end(key)
            return held[0]

    async def read(self, key: str) -> bytes | None:
        """The same as `peek`: nothing here waits."""
        return self.peek(key)

    def put(self, key: str, value: bytes, ttl_s: float, tags: Sequence[str] = ()) -> None:
        """Hold the bytes for so long; what would fill the whole level is not taken."""
        size = getsizeof(value) + getsizeof(key) + _OWN_BYTES
        with self._lock:
            if key in self._held:
                self._forget(key)
            if ttl_s <= 0 or size > self.max_bytes:
                return
            self._held[key] = (value, self._now() + ttl_s, tuple(tags), size)
            self.bytes += size
            while self.bytes > self.max_bytes or len(self._held) > self.max_size:
                self._forget(next(iter(self._held)))

    def _forget(self, key: str) -> None:
        self.bytes -= self._held.pop(key)[3]

    async def drop(self, which: Which) -> int:
        """Forget what matches."""
        with self._lock:
            if which.key is not None:
                doomed = [which.key] if which.key in self._held else []
            else:
                doomed = [key for key, held in self._held.items() if which.matches(key, held[2])]
            for key in doomed:
                self._forget(key)
        return len(doomed)

    async def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
            self.bytes = 0

    async def flush(self) -> None:
        """Nothing is ever pending."""

    async def close(self) -> None:
        """Nothing is open; what is held stays."""

    def figures(self) -> LevelStatistics:
        """What is held, the expired included until they are met."""
        return LevelStatistics(entries=len(self._held), bytes=self.bytes)
