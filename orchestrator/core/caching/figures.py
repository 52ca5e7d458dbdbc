"""What a cache has done so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FLIGHT", "CacheStatistics", "Ledger", "LevelStatistics"]

FLIGHT = "flight"  # the level that names those who joined an equal call under way


@dataclass(frozen=True, slots=True)
class LevelStatistics:
    """One level: answers it gave, look-ups it had to pass on, faults it kept from the caller, what it holds now.

    `entries` and `bytes` are None where counting would cost a round trip. `trouble` is the latest fault in words.
    """

    hits: int = 0
    misses: int = 0
    faults: int = 0
    entries: int | None = None
    bytes: int | None = None
    available: bool = True
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Counts since the cache was made; `levels` tells where the hits came from.

    A caller who joined an equal call under way counts as a hit of `"flight"`. `saved_usd` sums what the answers had
    cost when they were bought, as far as it is known, and `saved_s` the seconds the first callers had waited.

    >>> stats = CacheStatistics(hits=3, misses=1)
    >>> f"{stats.hit_rate:.2%}", CacheStatistics().hit_rate
    ('75.00%', 0.0)
    """

    hits: int = 0
    misses: int = 0
    stored: int = 0
    refused: int = 0
    refreshed: int = 0
    stale: int = 0
    saved_usd: float = 0.0
    saved_s: float = 0.0
    levels: Mapping[str, LevelStatistics] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float:
        """Share of the look-ups that cost nothing; 0.0 before the first, so that it can always be printed."""
        looked_up = self.hits + self.misses
        return self.hits / looked_up if looked_up else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, for tables and JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "levels"}
        levels = {
            level: {name: getattr(figures, name) for name in figures.__slots__}
            for level, figures in self.levels.items()
        }
        return {**plain, "hit_rate": self.hit_rate, "levels": levels}


@dataclass(slots=True)
class Ledger:
    """Running counts; see `CacheStatistics` for what they mean."""

    misses: int = 0
    joined: int = 0
    stored: int = 0
    refused: int = 0
    refreshed: int = 0
    stale: int = 0
    saved_usd: float = 0.0
    saved_s: float = 0.0

    def bought(self, cost_usd: float | None, took_s: float | None, looked_s: float | None) -> None:
        """Count what an answer would have cost again, and what waiting for it would have taken."""
        if cost_usd is not None:
            self.saved_usd += cost_usd
        if took_s is not None and looked_s is not None and took_s > looked_s:
            self.saved_s += took_s - looked_s

    def statistics(self, levels: Mapping[str, LevelStatistics]) -> CacheStatistics:
        """The counts as they stand."""
        hits = sum(level.hits for level in levels.values())
        return CacheStatistics(hits=hits, levels=levels, **{name: getattr(self, name) for name in _SHOWN})


_SHOWN = tuple(name for name in Ledger.__slots__ if name != "joined")
