"""Counts and distributions of one registry, by label: cheap to add to, bounded in size, and nothing but numbers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from orchestrator.telemetry.cells import Cell, Columns, Labels, Lane, Mirror, Reading
from orchestrator.telemetry.names import COUNTED, REFUSED, Metric

__all__ = ["Figures", "Key", "Names"]

Key = tuple[tuple[str, str | int], ...]
_MOST_NAMES = 200


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


class Figures:
    """The cells of every metric; several event loops and threads may add at once.

    >>> from orchestrator.telemetry.names import DECISIONS
    >>> figures = Figures()
    >>> figures.cell(DECISIONS, {"orchestrator.model": "a"}).add()
    >>> [(labels, reading.total) for labels, reading in figures.read(DECISIONS)]
    [({'orchestrator.model': 'a'}, 1.0)]
    """

    def __init__(self) -> None:
        self.since_ns = time.time_ns()
        self._lock = threading.Lock()
        self._cells: dict[Metric, dict[Key, Cell]] = {one: {} for one in COUNTED}
        self._lanes: dict[tuple[Cell, ...], Lane] = {}
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

    def lane(self, cells: Sequence[Cell], columns: Columns) -> Lane:
        """The lane to these cells, to be kept; what goes along it is seen by whoever reads."""
        with self._lock:
            return self._lanes.setdefault(tuple(cells), Lane(cells, columns))

    def read(self, metric: Metric) -> list[tuple[Labels, Reading]]:
        """Every cell of a metric that has seen a value, in the order of their labels: unknown is not zero."""
        for lane in tuple(self._lanes.values()):
            lane.count_in()
        with self._lock:
            found = sorted(self._cells[metric].items(), key=lambda item: str(item[0]))
        read = [(cell.labels, cell.read()) for _, cell in found]
        return [(labels, reading) for labels, reading in read if reading.values]

    def mirror(self, metric: Metric, mirror: Mirror) -> None:
        """Tell this one too of every value from now on, a few hundred at a time or when somebody reads."""
        self.read(metric)  # what came before is not told
        self._mirrors[metric].append(mirror)

    def unmirror(self, metric: Metric, mirror: Mirror) -> None:
        """Tell it no more than what has come by now."""
        if mirror in self._mirrors[metric]:
            self.read(metric)
            self._mirrors[metric].remove(mirror)
