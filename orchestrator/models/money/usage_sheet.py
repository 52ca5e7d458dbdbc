"""Usage by model, day, tenant and tags: the one table that totals, reports and the file on disk are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from orchestrator.core.usage import UsageStats
from orchestrator.models.money.usage_summary import UsageSummary

__all__ = ["OTHERS", "Cell", "Record", "UsageSheet"]

OTHERS = "(others)"
_MOST_CELLS = 50_000  # a summary takes about half a kilobyte
_DAY_S = 86_400


class Cell(NamedTuple):
    """What is added up together; `day` counts days since 1970-01-01 UTC, `tags` are sorted."""

    day: int
    tenant: str | None
    tags: tuple[str, ...]


Record = tuple[str, UsageStats, float | None, float, str | None, tuple[str, ...], bool]
"""A call: model, usage, USD, seconds since 1970, tenant, tags, whether it failed; plain, since every call makes one."""


def _is_detailed(cell: Cell) -> bool:
    return cell.tenant not in (None, OTHERS) or bool(cell.tags)


class UsageSheet:
    """Summaries by model and cell; sheets of several processes add up.

    Bounded: at 50,000 cells with tenants or tags, those of the oldest days are added up as `(others)`, and if one day
    alone has that many, further ones of that day; no total suffers.
    """

    __slots__ = ("_by_model", "_detailed", "_folded_on")

    def __init__(self) -> None:
        self._detailed = 0  # cells of a tenant or with tags
        self._folded_on = -1  # the day on which room was made last
        self._by_model: dict[str, dict[Cell, UsageSummary]] = {}

    def add(self, record: Record) -> None:
        """Count one call in."""
        model_id, usage, cost_usd, at_s, tenant, tags, failed = record
        cells, place = self._by_model.get(model_id), (int(at_s // _DAY_S), tenant, tags)
        summary = None if cells is None else cells.get(place)  # type: ignore[call-overload]  # - equal to a Cell
        if summary is None:
            summary = self.at(model_id, Cell(*place))
        summary.add(usage, cost_usd, failed=failed)

    def merge(self, other: UsageSheet) -> None:
        """Add another sheet."""
        for model_id, cell, summary in other:
            self.at(model_id, cell).merge(summary)

    def at(self, model_id: str, cell: Cell) -> UsageSummary:
        """The summary of a cell, made when there is none."""
        cells = self._by_model.get(model_id)
        if cells is None:
            cells = self._by_model[model_id] = {}
        summary = cells.get(cell)
        if summary is None:
            if _is_detailed(cell):
                if self._detailed >= _MOST_CELLS:
                    return self._at_full(model_id, cell)
                self._detailed += 1
            summary = cells[cell] = UsageSummary(model_id)
        return summary

    def _at_full(self, model_id: str, cell: Cell) -> UsageSummary:
        """The summary of a cell for which there is no room: of old days is made some, once a day."""
        if cell.day > self._folded_on:
            self._folded_on = cell.day
            self._fold_oldest()
            return self.at(model_id, cell)
        return self.at(model_id, Cell(cell.day, OTHERS, ()))

    def _fold_oldest(self) -> None:
        """Add up tenants and tags of old days, so that the newest keep theirs in half of the room."""
        by_day = Counter(cell.day for _, cell, _ in self if _is_detailed(cell))
        kept, room = set[int](), _MOST_CELLS // 2
        for day in sorted(by_day, reverse=True):
            room -= by_day[day]
            if room < 0:
                break
            kept.add(day)
        for model_id, cell, summary in tuple(self):
            if _is_detailed(cell) and cell.day not in kept:
                del self._by_model[model_id][cell]
                self._detailed -= 1
                self.at(model_id, Cell(cell.day, OTHERS, ())).merge(summary)

    def model(self, model_id: str) -> dict[Cell, UsageSummary]:
        """The cells of one model."""
        return self._by_model.get(model_id, {})

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Every model that has a cell."""
        return tuple(self._by_model)

    def __iter__(self) -> Iterator[tuple[str, Cell, UsageSummary]]:
        for model_id, cells in self._by_model.items():
            for cell, summary in cells.items():
                yield model_id, cell, summary

    def __bool__(self) -> bool:
        return bool(self._by_model)
