"""Usage as rows: grouped, limited to some days, and written as CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.models.money.usage_sheet import Cell, UsageSheet
from orchestrator.models.money.usage_summary import TOKEN_BUCKETS, UsageSummary

__all__ = ["DIMENSIONS", "UsageReport"]

DIMENSIONS = ("model", "tenant", "tag", "day")
_EPOCH = date(1970, 1, 1)
_FIGURES = (
    "requests",
    "billed_failures",
    "unpriced",
    "dropped",
    *TOKEN_BUCKETS,
    "total_tokens",
    "cost_usd",
)
Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Rows of one grouping, dearest first (by day: in order), and the total of the same calls.

    A call with two tags stands in the row of each and once in the total; None is "no tenant" or "no tag".
    """

    by: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    total: dict[str, Any]

    @classmethod
    def of(
        cls,
        sheet: UsageSheet,
        by: str | Sequence[str] = "model",
        *,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> UsageReport:
        """Group a sheet; `since` and `until` are UTC dates, both inclusive."""
        names = (by,) if isinstance(by, str) else tuple(by)
        for name in names:
            if name not in DIMENSIONS:
                raise ConfigurationError(f"usage has no {name!r}; {did_you_mean(name, DIMENSIONS)}")
        first, last = _day("since", since, 0), _day("until", until, 10**6)
        groups: dict[Key, UsageSummary] = {}
        total = UsageSummary()
        for model_id, cell, summary in sheet:
            if first <= cell.day <= last:
                total.merge(summary)
                for key in _keys(names, model_id, cell):
                    groups.setdefault(key, UsageSummary()).merge(summary)
        rows = [dict(zip(names, key, strict=True)) | _figures(summary) for key, summary in groups.items()]
        rows.sort(key=_order(names))
        return cls(names, tuple(rows), _figures(total))

    def to_json(self) -> str:
        """One object: `by`, `rows` and `total`."""
        report = {"by": list(self.by), "rows": list(self.rows), "total": self.total}
        return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """A header and a line a row; unknown is empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, (*self.by, *_FIGURES), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in self.rows)
        return text.getvalue()


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula is quoted (OWASP: CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _day(name: str, given: date | str | None, default: int) -> int:
    if given is None:
        return default
    try:
        if isinstance(given, datetime):
            given = given.astimezone(UTC).date()
        day = given if isinstance(given, date) else date.fromisoformat(given)
    except ValueError:
        raise ConfigurationError(f"{name}={given!r}: give a date such as '2026-11-21'") from None
    return (day - _EPOCH).days


def _keys(names: tuple[str, ...], model_id: str, cell: Cell) -> Iterator[Key]:
    """The groups a cell belongs to: one, or one for each of its tags."""
    day = (_EPOCH + timedelta(days=cell.day)).isoformat()
    tags = (cell.tags or (None,)) if "tag" in names else (None,)
    for tag in tags:
        facts = {"model": model_id, "tenant": cell.tenant, "tag": tag, "day": day}
        yield tuple(facts[name] for name in names)


def _figures(summary: UsageSummary) -> dict[str, Any]:
    used = summary.total_usage
    counted = (summary.request_count, summary.billed_failure_count, summary.unpriced_count, summary.dropped_count)
    tokens = (getattr(used, bucket) for bucket in TOKEN_BUCKETS)
    return dict(zip(_FIGURES, (*counted, *tokens, used.total_tokens, summary.cost_usd), strict=True))


def _order(names: tuple[str, ...]) -> Any:
    if "day" in names:
        return lambda row: (row["day"], -row["cost_usd"], *(row[name] or "" for name in names))
    return lambda row: (-row["cost_usd"], -row["requests"], *(row[name] or "" for name in names))
