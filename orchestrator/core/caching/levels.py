"""The contract of a level, and the levels of one cache behind each other."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from orchestrator.core.caching.entries import Entry, unpack
from orchestrator.core.caching.figures import FLIGHT, Ledger, LevelStatistics
from orchestrator.core.caching.settings import LevelSettings
from orchestrator.core.clock import Clock
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["BACKENDS", "Levels", "Store", "Which", "build"]

# The addresses of the built-in levels. Only a cache that uses a level loads it, and the core knows where the levels
# live without importing upwards: the arrow of imports stays core <- caches.
_STORES = {
    "memory": "orchestrator.caches.memory:MemoryStore",
    "disk": "orchestrator.caches.disk:DiskStore",
    "redis": "orchestrator.caches.redis:RedisStore",
}
BACKENDS = {"memory": ("memory",), "disk": ("memory", "disk"), "redis": ("memory", "redis")}


class Which(NamedTuple):
    """Entries to drop: all that match every given part; labels, not names (see `keys.label`)."""

    key: str | None = None
    model: str | None = None
    tenant: str | None = None
    tag: str | None = None

    def matches(self, key: str, tags: Collection[str]) -> bool:
        """True for an entry of this key and these tags."""
        model, _, rest = key.partition(".")
        return (
            (self.key is None or self.key == key)
            and (self.model is None or self.model == model)
            and (self.tenant is None or self.tenant == rest.partition(".")[0])
            and (self.tag is None or self.tag in tags)
        )


class Store(Protocol):
    """One level. It never raises and never waits long: whatever goes wrong inside is a miss and a count.

    A `near` level answers `peek` at once, from this process; a far one is asked by `read`. `put` only hands over:
    the writing happens behind it, and `flush` waits for that.
    """

    name: str
    near: bool

    def peek(self, key: str) -> bytes | None:
        """What is at hand without waiting."""

    async def read(self, key: str) -> bytes | None:
        """What is stored, or None."""

    def put(self, key: str, value: bytes, ttl_s: float, tags: Sequence[str] = ()) -> None:
        """Store for so many seconds."""

    async def drop(self, which: Which) -> int:
        """Forget what matches; says how many entries that were."""

    async def clear(self) -> None:
        """Forget everything of this cache's namespace."""

    async def flush(self) -> None:
        """Return when everything put so far is written or given up."""

    async def close(self) -> None:
        """Flush and let go; the level may be used again afterwards."""

    def figures(self) -> LevelStatistics:
        """Faults, entries and bytes; hits and misses are counted by the cache."""


def build(backend: Any, settings: LevelSettings) -> tuple[Store, ...]:
    """The levels of a backend name, or of a tuple of names and levels of your own, nearest first."""
    if isinstance(backend, str):
        if backend not in BACKENDS:
            raise ConfigurationError(f"cache backend {backend!r}: {did_you_mean(backend, list(BACKENDS))}")
        backend = BACKENDS[backend]
    if not isinstance(backend, Sequence) or not backend:
        accepted = ", ".join(map(repr, BACKENDS))
        raise ConfigurationError(f"cache backend {backend!r}: one of {accepted}, or a tuple of these and of levels")
    stores = tuple(_store(level, settings) for level in backend)
    names = [store.name for store in stores]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"cache backend: every level needs a name of its own, not {names!r}")
    return stores


def _store(level: Any, settings: LevelSettings) -> Store:
    if isinstance(level, str):
        if level not in _STORES:
            raise ConfigurationError(f"cache level {level!r}: {did_you_mean(level, list(_STORES))}")
        module, _, name = _STORES[level].partition(":")
        made: Store = getattr(import_module(module), name).of(settings)
        return made
    store = getattr(level, "store", level)  # an aiocache face shows its store
    if not (callable(getattr(store, "peek", None)) and callable(getattr(store, "put", None))):
        raise ConfigurationError(
            f"cache level of type {type(level).__name__!r}: a level is one of {', '.join(map(repr, _STORES))}, "
            "or an object of orchestrator.caches"
        )
    found: Store = store
    return found


class Levels:
    """Levels behind each other: read through with promotion, write through, each within its own time to live."""

    def __init__(
        self, stores: Sequence[Store], *, ttl_s: Mapping[str, float], grace_s: float = 0.0, clock: Clock
    ) -> None:
        self.stores = tuple(stores)
        self.hits = [0] * len(self.stores)
        self._caps = [ttl_s.get(store.name) for store in self.stores]
        self._grace_s = grace_s
        self._clock = clock
        far = [number for number, store in enumerate(self.stores) if not store.near]
        self.nearest = self.stores[: far[0]] if far else self.stores
        self._peeks = tuple(store.peek for store in self.nearest)

    def peek(self, key: str) -> tuple[bytes, int] | None:
        """The bytes and the number of the first near level that has them."""
        for number, peek in enumerate(self._peeks):
            raw = peek(key)
            if raw is not None:
                return raw, number
        return None

    async def find(self, key: str, *, start: int = 0) -> tuple[Entry, int] | None:
        """The entry and the number of the first level from `start` on that has it; nearer levels get a copy."""
        for number in range(start, len(self.stores)):
            store = self.stores[number]
            raw = store.peek(key) if store.near else await store.read(key)
            entry = None if raw is None else unpack(raw)
            if raw is not None and entry is None:
                await store.drop(Which(key=key))
            if raw is not None and entry is not None:
                self.promote(key, raw, entry, number)
                return entry, number
        return None

    def promote(self, key: str, raw: bytes, entry: Entry, found: int) -> None:
        """Copy an entry into every nearer level for the rest of its life; a clock set back prolongs nothing."""
        left_s = entry.fresh_s - entry.age_s(self._clock.time())
        if found and left_s + self._grace_s > 0:
            self.put(key, raw, left_s, entry.tags, below=found)

    def put(self, key: str, raw: bytes, fresh_s: float, tags: Sequence[str] = (), *, below: int | None = None) -> None:
        """Hand the bytes to every level, to keep while they are fresh and for the grace after it."""
        ttl_s = fresh_s + self._grace_s
        for store, cap_s in zip(self.stores[:below], self._caps, strict=False):
            store.put(key, raw, ttl_s if cap_s is None else min(ttl_s, cap_s), tags)

    def figures(self, ledger: Ledger) -> dict[str, LevelStatistics]:
        """By level, nearest first; a level has missed whatever a farther one, or the model, had to answer."""
        figures = {FLIGHT: LevelStatistics(hits=ledger.joined)}
        missed = ledger.misses
        for store, hits in reversed(tuple(zip(self.stores, self.hits, strict=True))):
            figures[store.name] = replace(store.figures(), hits=hits, misses=missed)
            missed += hits
        return dict(reversed(figures.items()))

    async def drop(self, which: Which) -> int:
        """Forget what matches, everywhere; says how many entries the fullest level gave up."""
        return max([await store.drop(which) for store in self.stores])

    async def clear(self) -> None:
        """Forget everything."""
        for store in self.stores:
            await store.clear()

    async def flush(self) -> None:
        """Wait for all writing."""
        await asyncio.gather(*(store.flush() for store in self.stores))

    async def close(self) -> None:
        """Close every level."""
        for store in self.stores:
            await store.close()
