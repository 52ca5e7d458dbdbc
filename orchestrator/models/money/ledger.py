"""The file that totals outlive the process in: SQLite, additive rows, one transaction a write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from orchestrator.errors import ConfigurationError
from orchestrator.models.money.usage_sheet import Cell, UsageSheet
from orchestrator.models.money.usage_summary import TOKEN_BUCKETS, ExactSum, UsageSummary
from orchestrator.models.storage.kept_file import KeptFile

__all__ = ["Ledger", "read_usage"]

_BUSY_S = 10.0
_EPOCH = date(1970, 1, 1)
_FIGURES = ("requests", "billed_failures", "unpriced", "dropped", *TOKEN_BUCKETS, "cost_usd", "carry_usd")
_TYPES = ("INTEGER NOT NULL",) * 4 + ("INTEGER",) * len(TOKEN_BUCKETS) + ("REAL NOT NULL",) * 2
_SCHEMA = (
    f"""CREATE TABLE usage (
        day TEXT NOT NULL, model TEXT NOT NULL, tenant TEXT NOT NULL, tags TEXT NOT NULL,
        {", ".join(f"{name} {kind}" for name, kind in zip(_FIGURES, _TYPES, strict=True))},
        PRIMARY KEY (day, model, tenant, tags)
    ) WITHOUT ROWID""",
    "CREATE TABLE accounts (name TEXT PRIMARY KEY, spent_usd REAL NOT NULL, carry_usd REAL NOT NULL) WITHOUT ROWID",
)
_PLACE = "day = ? AND model = ? AND tenant = ? AND tags = ?"
_READ = f"SELECT day, model, tenant, tags, {', '.join(_FIGURES)} FROM usage ORDER BY day"  # noqa: S608 - fixed words
_READ_ONE = f"SELECT {', '.join(_FIGURES)} FROM usage WHERE {_PLACE}"  # noqa: S608 - fixed words
_PUT = f"INSERT OR REPLACE INTO usage VALUES ({', '.join('?' * (4 + len(_FIGURES)))})"  # noqa: S608 - fixed words


class Ledger(KeptFile):
    """Usage by cell and USD by account; `write` adds to what is there, so several processes may share a file."""

    what = "ledger"
    version = 1
    schema = _SCHEMA
    synchronous = "FULL"
    probe = "SELECT count(*) FROM usage, accounts WHERE 0"

    def usage(self) -> UsageSheet:
        """All cells."""
        return _sheet(self._file)

    def accounts(self) -> dict[str, ExactSum]:
        """USD spent by account."""
        rows = self._file.execute("SELECT name, spent_usd, carry_usd FROM accounts")
        return {name: ExactSum(spent, carry) for name, spent, carry in rows}

    def write(self, usage: UsageSheet, accounts: Mapping[str, ExactSum]) -> None:
        """Add all of it, or nothing; when this returns it is on disk."""
        with self.transaction():
            for model_id, cell, summary in usage:
                self._add_usage(model_id, cell, summary)
            for name, spent in accounts.items():
                self._add_account(name, spent)

    def _add_usage(self, model_id: str, cell: Cell, summary: UsageSummary) -> None:
        place = (_day_name(cell.day), model_id, cell.tenant or "", json.dumps(cell.tags))
        total = UsageSummary(model_id)
        found = self._file.execute(_READ_ONE, place).fetchone()
        if found is not None:
            total.merge(UsageSummary.of_row(model_id, found))
        total.merge(summary)
        self._file.execute(_PUT, (*place, *total.to_row()))

    def _add_account(self, name: str, spent: ExactSum) -> None:
        query = "SELECT spent_usd, carry_usd FROM accounts WHERE name = ?"
        total = ExactSum(*(self._file.execute(query, (name,)).fetchone() or (0.0, 0.0)))
        total.merge(spent)
        self._file.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)", (name, total.total, total.carry))


def read_usage(path: Path) -> UsageSheet:
    """The usage in a ledger that others write; the file is only read, and ConfigurationError says why it cannot be."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as file:
            Ledger.version_in(file)
            return _sheet(file)
    except (sqlite3.Error, ValueError) as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read as a ledger ({error}): give another file") from error


def _sheet(file: sqlite3.Connection) -> UsageSheet:
    sheet = UsageSheet()
    for day, model_id, tenant, tags, *figures in file.execute(_READ):
        cell = Cell(_day_number(day), tenant or None, tuple(json.loads(tags)))
        sheet.at(model_id, cell).merge(UsageSummary.of_row(model_id, tuple(figures)))
    return sheet


def _day_name(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _day_number(name: str) -> int:
    return (date.fromisoformat(name) - _EPOCH).days
