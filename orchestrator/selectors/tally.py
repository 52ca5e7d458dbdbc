"""Results by category and model, as matrices: what difficulties, deviations and costs by category are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from orchestrator.selectors.arm import LARGEST
from orchestrator.selectors.arms import Column

__all__ = ["Tally", "true_results"]

_MOST_CATEGORIES: Final = 256  # the rest share one
_OTHERS: Final = "(others)"
_MOST_CALLS: Final = 1e15
_GRIDS: Final = ("number", "total", "charged", "spent_usd")


class Tally:
    """Numbers of results and sums of their qualities: a row a category, a column a model.

    `charged` counts the calls of known cost, and `spent_usd` sums what they cost, each at the price of its time.

    >>> tally = Tally()
    >>> tally.clear(1)
    >>> tally.add("maths", 1, number=1.0, total=0.5)
    >>> tally.number.tolist(), tally.of(1), tally.of(0)
    ([[0.0, 1.0]], {'maths': [1.0, 0.5]}, {})
    """

    __slots__ = (*(f"_{name}" for name in _GRIDS), *_GRIDS, "_bills", "_results", "columns", "row_of")

    def __init__(self) -> None:
        self.row_of: dict[str, int] = {}
        self.columns = 0
        self._number: Column = np.zeros((4, 8))
        self._total: Column = np.zeros((4, 8))
        self._charged: Column = np.zeros((4, 8))
        self._spent_usd: Column = np.zeros((4, 8))
        self._show()

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("row_of", "columns", *(f"_{name}" for name in _GRIDS))}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._show()  # a copy's grids are its own

    def clear(self, column: int) -> None:
        """Make room for a newcomer, who starts with nothing."""
        self.columns = max(self.columns, column + 1)
        self._grow()
        for name in _GRIDS:
            getattr(self, f"_{name}")[:, column] = 0.0

    def open(self, category: str) -> None:
        """Make room for a category of which there are no results yet."""
        if category not in self.row_of:
            self._new_row(category)

    def add(self, category: str, column: int, *, number: float, total: float) -> None:
        """Count so many results with this sum of qualities; no sum leaves its bounds."""
        row = self.row_of.get(category)
        if row is None:
            row = self._new_row(category)
        numbers, totals = self._results
        numbers[row, column] += number
        totals[row, column] += total
        if number != 1.0:  # a correction, or a sum from elsewhere
            numbers[row, column] = max(numbers[row, column], 0.0)
            totals[row, column] = min(max(totals[row, column], 0.0), numbers[row, column])

    def charge(self, category: str, column: int, *, cost_usd: float, number: float = 1.0) -> None:
        """Count what a call cost, or so many calls elsewhere did together."""
        row = self.row_of.get(category)
        if row is None:
            row = self._new_row(category)
        charged, spent_usd = self._bills
        charged[row, column] += number
        spent_usd[row, column] += cost_usd
        if number != 1.0:  # a correction, or a sum from elsewhere
            charged[row, column] = max(charged[row, column], 0.0)
            spent_usd[row, column] = max(spent_usd[row, column], 0.0)

    def at(self, category: str, column: int) -> tuple[float, float]:
        """The number of results and the sum of their qualities."""
        row = self.row_of.get(category, self.row_of.get(_OTHERS))
        if row is None:
            return 0.0, 0.0
        numbers, totals = self._results
        return numbers[row, column], totals[row, column]

    def of(self, column: int) -> dict[str, list[float]]:
        """One model's results by category, for JSON: number and total, and where costs are known these two too."""
        pairs = {name: [grid[row, column].item() for grid in self._grids()] for name, row in self.row_of.items()}
        return {name: sums if sums[2] else sums[:2] for name, sums in pairs.items() if sums[0] or sums[2]}

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
            for name in _GRIDS:
                larger = np.zeros(wanted)
                larger[:rows, :columns] = getattr(self, f"_{name}")
                setattr(self, f"_{name}", larger)
        self._show()

    def _show(self) -> None:
        used = (slice(len(self.row_of)), slice(self.columns))
        self.number: Column = self._number[used]
        self.total: Column = self._total[used]
        self.charged: Column = self._charged[used]
        self.spent_usd: Column = self._spent_usd[used]
        # typeshed's memoryviews hold bytes; through one a number is read and written in half the time that numpy takes
        self._results: Any = self._number.data, self._total.data
        self._bills: Any = self._charged.data, self._spent_usd.data

    def _grids(self) -> tuple[Column, ...]:
        return self.number, self.total, self.charged, self.spent_usd


def true_results(record: Any) -> Iterator[tuple[str, list[float]]]:
    """Category and sums from a saved record, two or four of them; what cannot be true is left out."""
    if not isinstance(record, Mapping):
        return
    for name, sums in record.items():
        if isinstance(sums, list | tuple) and len(sums) in {2, 4} and all(isinstance(one, int | float) for one in sums):
            number, total, charged, spent_usd = (*sums, 0.0, 0.0)[:4]
            if 0 <= total <= number <= _MOST_CALLS and 0 <= spent_usd <= charged * LARGEST and charged <= _MOST_CALLS:
                yield str(name), [float(one) for one in sums]
