"""What calls have consumed, added up over processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.models.money.usage_sheet import Cell, UsageSheet
from orchestrator.models.money.usage_summary import TOKEN_BUCKETS, UsageSummary
from orchestrator.state.store import Sums

if TYPE_CHECKING:
    from orchestrator.models.usage import UsageService

__all__ = ["Consumption"]

_FIGURES = ("requests", "billed_failures", "unpriced", "dropped", *TOKEN_BUCKETS)


class Consumption:
    """A record for each model, day, tenant and set of tags; for a usage service that keeps no ledger of its own."""

    kind = "usage"

    def __init__(self, usage: UsageService) -> None:
        self._usage = usage

    def news(self) -> Sums:
        """The cells in which something was counted."""
        sheet = self._usage.take_fresh()
        self._usage.written(success=True)  # whoever asks sees to it that it arrives
        return {_name_of(model_id, cell): _row_of(summary) for model_id, cell, summary in sheet}

    def arrived(self) -> None:
        """Nothing is held back for it."""

    def absorb(self, changes: Sums) -> None:
        """Count in what others have consumed."""
        sheet = UsageSheet()
        for record, row in changes.items():
            model_id, day, tenant, tags = json.loads(record.partition(":")[2])
            counts = (None if name not in row else round(row[name]) for name in TOKEN_BUCKETS)
            figures = (round(row.get(name, 0.0)) for name in _FIGURES[:4])
            summary = UsageSummary.of_row(model_id, (*figures, *counts, row.get("cost_usd", 0.0), 0.0))
            sheet.at(model_id, Cell(day, tenant, tuple(tags))).merge(summary)
        self._usage.absorb(sheet)


def _name_of(model_id: str, cell: Cell) -> str:
    return f"usage:{json.dumps([model_id, cell.day, cell.tenant, cell.tags])}"


def _row_of(summary: UsageSummary) -> dict[str, float]:
    *counts, total_usd, carry_usd = summary.to_row()
    row = {name: float(count) for name, count in zip(_FIGURES, counts, strict=True) if count is not None}
    return {**row, "cost_usd": total_usd + carry_usd}
