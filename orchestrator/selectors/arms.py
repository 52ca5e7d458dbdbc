"""What a selector computes with: columns of numbers over all arms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from orchestrator.selectors.arm import UNKNOWN_QUALITY
from orchestrator.selectors.backlog import Backlog

__all__ = ["Arms", "Column"]

Column = npt.NDArray[np.float64]


class Arms:
    """The columns a policy computes with, one row an arm; the row of a retired arm stays until it is used again.

    `extra` holds the columns a policy names in `columns` and writes in `refresh`. The others are written when one
    of them is read: `lagging` are the arms that changed since.

    The shape never changes: when arms come or go, a new table with a new version takes over, so that a choice
    under way keeps the rows it started with.

    >>> arms = Arms(("a", "b"), extra=("width",))
    >>> len(arms), arms.mean.tolist(), arms.extra["width"].tolist()
    (2, [0.5, 0.5], [1.0, 1.0])
    """

    __slots__ = (
        "_cost_usd",
        "_latency_s",
        "_mean",
        "_merit",
        "_row_of",
        "_trials",
        "extra",
        "lagging",
        "names",
        "version",
    )

    def __init__(self, names: Sequence[str | None] = (), *, extra: Iterable[str] = (), version: int = 0) -> None:
        rows = len(names)
        self.names = tuple(names)
        self.version = version
        self.lagging = Backlog()
        self.extra: dict[str, Column] = {name: np.ones(rows) for name in extra}
        self._trials: Column = np.zeros(rows)
        self._mean: Column = np.full(rows, UNKNOWN_QUALITY)
        self._merit: Column = np.zeros(rows)
        self._cost_usd: Column = np.full(rows, np.nan)
        self._latency_s: Column = np.full(rows, np.nan)
        self._row_of: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def trials(self) -> Column:
        """Rated calls and calls in flight."""
        self._catch_up()
        return self._trials

    @property
    def mean(self) -> Column:
        """Mean quality; 1/2 before the first rating."""
        self._catch_up()
        return self._mean

    @property
    def merit(self) -> Column:
        """The worth of cost and latency under the selector's own objective."""
        self._catch_up()
        return self._merit

    @property
    def cost_usd(self) -> Column:
        """Mean USD of a call; NaN while unknown."""
        self._catch_up()
        return self._cost_usd

    @property
    def latency_s(self) -> Column:
        """Mean seconds of an answered call; NaN while unknown."""
        self._catch_up()
        return self._latency_s

    @property
    def row_of(self) -> dict[str, int]:
        """The row of each arm by name."""
        if self._row_of is None:
            self._row_of = {name: row for row, name in enumerate(self.names) if name is not None}
        return self._row_of

    def _catch_up(self) -> None:
        lagging = self.lagging
        while lagging:
            try:
                arm, _ = lagging.popitem()
            except KeyError:  # a choice in another thread was quicker
                break
            self._trials[arm.row] = arm.trials
            self._mean[arm.row] = arm.mean
            self._merit[arm.row] = arm.merit
            self._cost_usd[arm.row] = np.nan if arm.cost_usd is None else arm.cost_usd
            self._latency_s[arm.row] = np.nan if arm.latency_s is None else arm.latency_s

    def with_row(self, row: int, name: str | None) -> Arms:
        """The next version of the table, in which this row (or a new last one) belongs to `name`, or to nobody."""
        return self.with_rows({row: name})

    def with_rows(self, seats: Mapping[int, str | None]) -> Arms:
        """The same for many rows at once; new ones follow the last without a gap."""
        self._catch_up()
        kept = len(self.names)
        names = [*self.names, *[None] * (max(seats, default=-1) + 1 - kept)]
        for row, name in seats.items():
            names[row] = name
        successor = Arms(names, extra=self.extra, version=self.version + 1)
        for column in ("_trials", "_mean", "_merit", "_cost_usd", "_latency_s"):
            getattr(successor, column)[:kept] = getattr(self, column)
        for column, values in self.extra.items():
            successor.extra[column][:kept] = values
        return successor
