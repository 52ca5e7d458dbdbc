"""A meeting place inside one process: for registries that live side by side, and for tests."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.state.desk import Desk
from orchestrator.state.store import Delivery, Flow, Grant, Limit, Parcel

__all__ = ["MemoryState"]


class MemoryState:
    """Holds everything in dictionaries, under one lock.

    >>> state = MemoryState()
    >>> first = state.exchange(Parcel("a", 1, added={"arm:m": {"pulls": 2.0}}))
    >>> state.exchange(Parcel("b", 1, added={"arm:m": {"pulls": 3.0}})).totals
    {'arm:m': {'pulls': 5.0}}
    """

    name = "memory"

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tables = _Dictionaries()

    def exchange(self, parcel: Parcel) -> Delivery:
        """Add the news unless this sequence is known already, and tell what is new."""
        with self._lock:
            return self._desk().exchange(parcel)

    def draw_usd(self, process: str, limits: Sequence[Limit]) -> Grant:
        """Set aside from every account what is needed, more where there is plenty; all or nothing."""
        with self._lock:
            return self._desk().draw_usd(process, limits)

    def draw_flow(self, flows: Sequence[Flow]) -> Grant:
        """Take from every limit by the minute what is needed, more where there is plenty; all or nothing."""
        with self._lock:
            return self._desk().draw_flow(flows)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _desk(self) -> Desk:
        return Desk(self._tables, self._clock.time())


class _Dictionaries:
    """`Tables` as dictionaries."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, dict[str, float | str]]] = {}

    def row(self, table: str, name: str) -> dict[str, float | str]:
        return dict(self._tables.get(table, {}).get(name, {}))

    def rows(self, table: str) -> Mapping[str, dict[str, float | str]]:
        return self._tables.get(table, {})

    def put(self, table: str, name: str, fields: Mapping[str, float | str]) -> None:
        self._tables.setdefault(table, {}).setdefault(name, {}).update(fields)

    def drop(self, table: str, name: str) -> None:
        self._tables.get(table, {}).pop(name, None)

    def changed(self, since: int) -> dict[str, dict[str, float]]:
        news = [record for record, row in self.rows("versions").items() if int(row["version"]) > since]
        return {record: {name: float(number) for name, number in self.row("sums", record).items()} for record in news}
