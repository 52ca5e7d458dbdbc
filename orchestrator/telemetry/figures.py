"""Counts and distributions of one registry, by label: cheap to add to, bounded in size, and nothing but numbers."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import NamedTuple

from orchestrator.telemetry.names import COUNTED, REFUSED, Metric

__all__ = ["Cell", "Figures", "Labels", "Mirror", "Names", "Reading"]

Labels = Mapping[str, str | int]
Mirror = Callable[[float, Labels], None]
_MOST_NAMES = 200
_MOST_NOTED = 256
_HUGE = 1e15  # a value beyond is a fault of whoever told it


class Reading(NamedTuple):
    """A cell at one moment: how many values, their sum, and how many in each bucket and beyond the last."""

    values: int
    total: float
    buckets: tuple[int, ...]


class Names:
    """Bounds how many different names become labels: those that come later are all called "other".

    >>> names = Names(most=1)
    >>> names.bounded("a"), names.bounded("b"), names.bounded("a")
    ('a', 'other', 'a')
    """

    def __init__(self, most: int = _MOST_NAMES) -> None:
        self._most = most
        self._known: set[str] = set()

    def bounded(self, name: str) -> str:
        """The name itself while there is room."""
        if name not in self._known:
            if len(self._known) >= self._most:
                return "other"
            self._known.add(name)
        return name


class Cell:
    """One metric under one set of labels: how many values there were, their sum, and of a histogram how many a bucket.

    Values are noted first and counted in a few hundred at a time, or when somebody reads: a note is one append, which
    needs no lock.
    """

    __slots__ = ("_bounds", "_buckets", "_count", "_lock", "_mirrors", "_noted", "_refused", "_total", "labels")

    def __init__(self, metric: Metric, labels: Labels, mirrors: list[Mirror], refused: Cell | None) -> None:
        self.labels = labels
        self._bounds = metric.bounds
        self._buckets = [0] * (len(metric.bounds) + 1) if metric.bounds else []  # the last is for what lies beyond
        self._count, self._total = 0, 0.0
        self._noted: list[float] = []
        self._lock = threading.Lock()
        self._mirrors = mirrors
        self._refused = refused

    def add(self, value: float = 1.0) -> None:
        """Note it; what is no number, negative or beyond all measure is refused and counted as that."""
        if not 0.0 <= value < _HUGE:
            if self._refused is not None:
                self._refused.add()
            return
        noted = self._noted
        noted.append(value)
        if len(noted) >= _MOST_NOTED:
            self._count_in()
        if self._mirrors:
            for mirror in self._mirrors:
                mirror(value, self.labels)

    def read(self) -> Reading:
        """How it stands now."""
        self._count_in()
        with self._lock:
            return Reading(self._count, self._total, tuple(self._buckets))

    def _count_in(self) -> None:
        with self._lock:
            values = self._noted[:]
            del self._noted[: len(values)]  # what others append meanwhile stays
            self._count += len(values)
            self._total += sum(values)
            if self._bounds:
                for value in values:
                    self._buckets[bisect_left(self._bounds, value)] += 1


class Figures:
    """The cells of every metric; several event loops and threads may add at once.

    >>> from orchestrator.telemetry.names import DECISIONS
    >>> figures = Figures()
    >>> figures.cell(DECISIONS, {"orchestrator.model": "a"}).add()
    >>> [(labels, reading.total) for labels, reading in figures.read(DECISIONS)]
    [({'orchestrator.model': 'a'}, 1.0)]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[Metric, dict[tuple[tuple[str, str | int], ...], Cell]] = {one: {} for one in COUNTED}
        self._mirrors: dict[Metric, list[Mirror]] = {one: [] for one in COUNTED}
        self._refused: Cell | None = None
        self._refused = self.cell(REFUSED, {})

    def cell(self, metric: Metric, labels: Labels) -> Cell:
        """The cell to add to; keep it where it is used often."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            cells = self._cells[metric]
            if key not in cells:
                cells[key] = Cell(metric, labels, self._mirrors[metric], self._refused)
            return cells[key]

    def read(self, metric: Metric) -> list[tuple[Labels, Reading]]:
        """Every cell of a metric that has seen a value, in the order of their labels: unknown is not zero."""
        with self._lock:
            found = sorted(self._cells[metric].items(), key=lambda item: str(item[0]))
        read = [(cell.labels, cell.read()) for _, cell in found]
        return [(labels, reading) for labels, reading in read if reading.values]

    def mirror(self, metric: Metric, mirror: Mirror) -> None:
        """Tell this one too of every value, with its labels."""
        self._mirrors[metric].append(mirror)

    def unmirror(self, metric: Metric, mirror: Mirror) -> None:
        """Tell it no more."""
        if mirror in self._mirrors[metric]:
            self._mirrors[metric].remove(mirror)
