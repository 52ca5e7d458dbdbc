"""Results by category and model, as a matrix: what a shared difficulty is worked out from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from orchestrator.selectors.arms import Column

__all__ = ["Tally", "true_results"]

_MOST_CATEGORIES: Final = 256  # the rest share one
_OTHERS: Final = "(others)"
_MOST_CALLS: Final = 1e15


class Tally:
    """Numbers of results and sums of their qualities: a row a category, a column a model.

    >>> tally = Tally()
    >>> tally.clear(1)
    >>> tally.add("maths", 1, number=1.0, total=0.5)
    >>> tally.number.tolist(), tally.of(1), tally.of(0)
    ([[0.0, 1.0]], {'maths': [1.0, 0.5]}, {})
    """

    __slots__ = ("_number", "_total", "columns", "number", "row_of", "total")

    def __init__(self) -> None:
        self.row_of: dict[str, int] = {}
        self.columns = 0
        self._number: Column = np.zeros((4, 8))
        self._total: Column = np.zeros((4, 8))
        self._show()

    def clear(self, column: int) -> None:
        """Make room for a newcomer, who starts with nothing."""
        self.columns = max(self.columns, column + 1)
        self._grow()
        self._number[:, column] = self._total[:, column] = 0.0

    def add(self, category: str, column: int, *, number: float, total: float) -> None:
        """Count so many results with this sum of qualities; no sum leaves its bounds."""
        row = self.row_of.get(category)
        if row is None:
            row = self._new_row(category)
        self.number[row, column] += number
        self.total[row, column] += total
        if number != 1.0:  # a correction, or a sum from elsewhere
            self.total[row, column] = min(max(self.total[row, column], 0.0), self.number[row, column])

    def at(self, category: str, column: int) -> tuple[float, float]:
        """The number of results and the sum of their qualities."""
        row = self.row_of.get(category, self.row_of.get(_OTHERS))
        return (0.0, 0.0) if row is None else (self.number[row, column].item(), self.total[row, column].item())

    def of(self, column: int) -> dict[str, list[float]]:
        """One model's results by category, for JSON."""
        return {
            name: [self.number[row, column].item(), self.total[row, column].item()]
            for name, row in self.row_of.items()
            if self.number[row, column]
        }

    def _new_row(self, category: str) -> int:
        name = category if len(self.row_of) < _MOST_CATEGORIES - 1 else _OTHERS
        row = self.row_of.setdefault(name, len(self.row_of))
        self._grow()
        return row

    def _grow(self) -> None:
        """Double the room when it is used up, so that growing is rare."""
        rows, columns = self._number.shape
        wanted = (rows * (1 + (len(self.row_of) > rows)), max(columns, 2 * self.columns * (self.columns > columns)))
        if wanted != (rows, columns):
            for name in ("_number", "_total"):
                larger = np.zeros(wanted)
                larger[:rows, :columns] = getattr(self, name)
                setattr(self, name, larger)
        self._show()

    def _show(self) -> None:
        used = (slice(len(self.row_of)), slice(self.columns))
        self.number: Column = self._number[used]
        self.total: Column = self._total[used]


def true_results(record: Any) -> Iterator[tuple[str, float, float]]:
    """Category, number and sum from a saved record; what cannot be true is left out."""
    if not isinstance(record, Mapping):
        return
    for name, pair in record.items():
        if isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(part, int | float) for part in pair):
            number, total = pair
            if 0 <= total <= number <= _MOST_CALLS:
                yield str(name), float(number), float(total)
