"""One number under one set of labels, and rows of them: noted at once, counted a few hundred at a time."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from orchestrator.telemetry.names import Metric

__all__ = ["Cell", "Labels", "Lane", "Mirror", "Reading"]

Labels = Mapping[str, str | int]
Mirror = Callable[[float, Labels], None]
Row = tuple[float | None, ...]
_MOST_NOTED = 256
_HUGE = 1e15  # a value beyond is a fault of whoever told it


class Reading(NamedTuple):
    """A cell at one moment: how many values, their sum, how many in each bucket and beyond the last, and the extremes.

    >>> Reading(2, 5.0, (1, 1, 0), 1.0, 4.0) + Reading(1, 9.0, (0, 0, 1), 9.0, 9.0)
    Reading(values=3, total=14.0, buckets=(1, 1, 1), least=1.0, most=9.0)
    """

    values: int
    total: float
    buckets: tuple[int, ...]
    least: float | None = None
    most: float | None = None

    def __add__(self, other: object) -> Reading:
        """Both together."""
        if not isinstance(other, Reading):
            return NotImplemented
        buckets = tuple(map(sum, zip(self.buckets, other.buckets, strict=True)))
        least = None if self.least is None or other.least is None else min(self.least, other.least)
        most = None if self.most is None or other.most is None else max(self.most, other.most)
        return Reading(self.values + other.values, self.total + other.total, buckets, least, most)

    def __sub__(self, before: Reading) -> Reading:
        """What has come since then; its extremes are not known."""
        buckets = tuple(now - then for now, then in zip(self.buckets, before.buckets, strict=True))
        return Reading(self.values - before.values, self.total - before.total, buckets)


class Cell:
    """One metric under one set of labels: how many values there were, their sum, and of a histogram how many a bucket.

    Values are noted first and counted in a few hundred at a time, or when somebody reads: a note is one append, which
    needs no lock.
    """

    __slots__ = (
        "_bounds",
        "_buckets",
        "_count",
        "_least",
        "_lock",
        "_mirrors",
        "_most",
        "_noted",
        "_refused",
        "_total",
        "labels",
    )

    def __init__(self, metric: Metric, labels: Labels, mirrors: list[Mirror], refused: Cell | None) -> None:
        self.labels = labels
        self._bounds = metric.bounds
        self._buckets = [0] * (len(metric.bounds) + 1) if metric.bounds else []  # the last is for what lies beyond
        self._count, self._total = 0, 0.0
        self._least: float | None = None
        self._most: float | None = None
        self._noted: list[float] = []
        self._lock = threading.Lock()
        self._mirrors = mirrors
        self._refused = refused

    def add(self, value: float = 1.0) -> None:
        """Note it; what is no number, negative or beyond all measure is refused and counted as that."""
        noted = self._noted
        noted.append(value)
        if len(noted) >= _MOST_NOTED:
            self.count_in()

    def add_all(self, values: Sequence[float]) -> None:
        """Note them all."""
        self._noted.extend(values)
        self.count_in()

    def read(self) -> Reading:
        """How it stands now."""
        self.count_in()
        with self._lock:
            return Reading(self._count, self._total, tuple(self._buckets), self._least, self._most)

    def count_in(self) -> None:
        """Count what is noted, and tell the mirrors of it."""
        with self._lock:
            told = self._noted[:]
            del self._noted[: len(told)]  # what others append meanwhile stays
            values = [value for value in told if 0.0 <= value < _HUGE]
            if values:
                self._count_values(values)
        if self._refused is not None:
            for _ in range(len(told) - len(values)):
                self._refused.add()
        for mirror in tuple(self._mirrors):
            for value in values:
                mirror(value, self.labels)

    def _count_values(self, values: list[float]) -> None:
        self._count += len(values)
        self._total += sum(values)
        if not self._bounds:
            return
        values.sort()  # then a bucket is a search for its bound, and not one for every value
        reached = 0
        for place, bound in enumerate(self._bounds):
            below = bisect_right(values, bound, reached)
            self._buckets[place] += below - reached
            reached = below
        self._buckets[-1] += len(values) - reached
        self._least = values[0] if self._least is None else min(self._least, values[0])
        self._most = values[-1] if self._most is None else max(self._most, values[-1])


class Lane:
    """Cells that are told together, one row of values at a time; None tells its cell nothing.

    A row is one append, however many cells there are, and may be longer than they are many.

    >>> from orchestrator.telemetry.names import DECISIONS
    >>> one, other = (Cell(DECISIONS, {}, [], None) for _ in "ab")
    >>> lane = Lane([one, other])
    >>> lane.add((2.0, None)), lane.add((3.0, 1.0)), lane.count_in()
    (None, None, None)
    >>> one.read().total, other.read().values
    (5.0, 1)
    """

    __slots__ = ("_cells", "_lock", "_rows")

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = tuple(cells)
        self._rows: list[Row] = []
        self._lock = threading.Lock()

    def add(self, row: Row) -> None:
        """Note a value for each cell, in the order of the cells."""
        self._rows.append(row)
        if len(self._rows) >= _MOST_NOTED:
            self.count_in()

    def count_in(self) -> None:
        """Hand the cells what is theirs."""
        with self._lock:
            rows = self._rows[:]
            del self._rows[: len(rows)]
        for cell, column in zip(self._cells, zip(*rows, strict=True), strict=False):
            cell.add_all(column if None not in column else [value for value in column if value is not None])
