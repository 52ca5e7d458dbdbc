"""One number under one set of labels, and rows of them: noted at once, counted a few hundred at a time."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from orchestrator.telemetry.names import Metric

__all__ = ["Cell", "Columns", "Labels", "Lane", "Mirror", "Reading", "Row"]

Labels = Mapping[str, str | int]
Mirror = Callable[[float, Labels], None]
Row = tuple[Any, ...]
Columns = Callable[[Sequence[Row]], Iterable[Sequence[float | None]]]
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
        "_least",
        "_lock",
        "_mirrors",
        "_most",
        "_noted",
        "_refused",
        "_total",
        "_values",
        "labels",
    )

    def __init__(self, metric: Metric, labels: Labels, mirrors: list[Mirror], refused: Cell | None) -> None:
        self.labels = labels
        self._bounds = metric.bounds
        self._buckets = [0] * (len(metric.bounds) + 1) if metric.bounds else []  # the last is for what lies beyond
        self._values, self._total = 0, 0.0
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

    def add_all(self, values: Sequence[float | None]) -> None:
        """Count them all; None is no value."""
        with self._lock:
            counted = self._count(values)
        self._pass_on(values, counted)

    def read(self) -> Reading:
        """How it stands now."""
        self.count_in()
        with self._lock:
            return Reading(self._values, self._total, tuple(self._buckets), self._least, self._most)

    def count_in(self) -> None:
        """Count what is noted, and tell the mirrors of it."""
        with self._lock:
            noted = self._noted[:]
            del self._noted[: len(noted)]  # what others append meanwhile stays
            counted = self._count(noted)
        self._pass_on(noted, counted)

    def _count(self, noted: Sequence[float | None]) -> list[float]:
        values = _sound(noted)
        if not values:
            return values
        self._values += len(values)
        self._total += sum(values)
        if self._bounds:
            self._sort(values)
        return values

    def _sort(self, values: list[float]) -> None:
        """Values in order into buckets: then each is a search for its bound, and not one for every value."""
        reached = 0
        for place, bound in enumerate(self._bounds):
            below = bisect_right(values, bound, reached)
            self._buckets[place] += below - reached
            reached = below
        self._buckets[-1] += len(values) - reached
        self._least = values[0] if self._least is None else min(self._least, values[0])
        self._most = values[-1] if self._most is None else max(self._most, values[-1])

    def _pass_on(self, noted: Sequence[float | None], counted: list[float]) -> None:
        if len(counted) < len(noted) and self._refused is not None:
            refused = len(noted) - noted.count(None) - len(counted)
            self._refused.add_all([1.0] * refused)
        for mirror in tuple(self._mirrors):
            for value in counted:
                mirror(value, self.labels)


def _sound(values: Sequence[float | None]) -> list[float]:
    """In order of size, without what is no number, negative or beyond all measure.

    >>> _sound([3.0, float("nan"), 1, None, -2.0]), _sound([2, 1])
    ([1, 3.0], [1, 2])
    """
    with suppress(TypeError, OverflowError, IndexError):  # None, an integer beyond all floats, nothing at all
        ordered: list[float] = sorted(values)  # type: ignore[arg-type]  # with None among them it goes the long way
        if ordered[0] >= 0.0 and sum(ordered) < _HUGE:  # one look for all of them; false of what is no number
            return ordered
    return sorted(value for value in values if value is not None and 0.0 <= value < _HUGE)


class Lane:
    """Cells that are told together: a row is noted for all of them, and turned into columns when it is counted.

    A row is one append, however many cells there are. `columns` gives of some rows what each cell is told, in the
    order of the cells, and may give more than there are cells.

    >>> from orchestrator.telemetry.names import DECISIONS
    >>> one, other = (Cell(DECISIONS, {}, [], None) for _ in "ab")
    >>> lane = Lane([one, other], lambda rows: zip(*rows))
    >>> lane.add((2.0, None)), lane.add((3.0, 1.0)), lane.count_in()
    (None, None, None)
    >>> one.read().total, other.read().values
    (5.0, 1)
    """

    __slots__ = ("_cells", "_columns", "_lock", "_rows")

    def __init__(self, cells: Sequence[Cell], columns: Columns) -> None:
        self._cells = tuple(cells)
        self._columns = columns
        self._rows: list[Row] = []
        self._lock = threading.Lock()

    def add(self, row: Row) -> None:
        """Note what happened."""
        rows = self._rows
        rows.append(row)
        if len(rows) >= _MOST_NOTED:
            self.count_in()

    def count_in(self) -> None:
        """Hand the cells what is theirs."""
        with self._lock:
            rows = self._rows[:]
            del self._rows[: len(rows)]
        if rows:
            for cell, column in zip(self._cells, self._columns(rows), strict=False):
                cell.add_all(column)
