"""Who stands where: scores that move together, kept so that a choice has only to look for the largest."""

from __future__ import annotations

import numpy as np

from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.slate import FEW, Slate

__all__ = ["Standing"]


class Standing:
    """Scores of the form `floor + reach x slope`, by row of a table; floor and slope are an arm's own, reach is not.

    After `put` and `move` alike, every score is that of its row's last floor and slope under the last reach. So a
    decision that changes one arm costs one arm's work, and all arms' only when the reach moves. Lists hold the numbers
    where arms are few, as numpy takes longer to begin than they do to be gone through.

    >>> table = Arms(("a", "b"))
    >>> standing, all_of_them = Standing(table, reach=1.0), Slate(("a", "b"), table)
    >>> standing.put(0, 0.5, 0.25)
    >>> standing.put(1, 0.25, 0.75)
    >>> standing.first(all_of_them)
    (1, 1.0, [0.75, 1.0])
    >>> standing.move(0.25)
    >>> standing.first(all_of_them)
    (0, 0.5625, [0.5625, 0.4375])
    """

    __slots__ = ("_floors", "_scores", "_slopes", "reach", "table")

    def __init__(self, table: Arms, *, reach: float) -> None:
        self.table = table
        self.reach = reach
        self._floors, self._slopes, self._scores = (_zeros(len(table)) for _ in range(3))

    def put(self, row: int, floor: float, slope: float) -> None:
        """An arm has changed."""
        self._floors[row] = floor
        self._slopes[row] = slope
        self._scores[row] = floor + self.reach * slope

    def move(self, reach: float) -> None:
        """The reach has changed, and with it every score."""
        self.reach = reach
        if isinstance(self._scores, list):
            self._scores[:] = [floor + reach * slope for floor, slope in zip(self._floors, self._slopes, strict=True)]
        else:
            self._scores[:] = self._floors + reach * self.slopes

    @property
    def slopes(self) -> Column:
        """A copy of all slopes."""
        return np.array(self._slopes)

    @property
    def scores(self) -> Column:
        """A copy of all scores."""
        return np.array(self._scores)

    def first(self, slate: Slate) -> tuple[int, float, list[float] | Column]:
        """Of a slate of this table: the place of the largest score, or of the first of equals, that score, and all."""
        kept, rows = self._scores, slate.rows
        if isinstance(kept, list):
            scores = kept.copy() if rows is None else [kept[row] for row in rows.tolist()]
            score = max(scores)
            return scores.index(score), score, scores
        column = kept.copy() if rows is None else kept.take(rows)
        place = int(column.argmax())
        return place, column.item(place), column


def _zeros(rows: int) -> list[float] | Column:
    return [0.0] * rows if rows <= FEW else np.zeros(rows)
