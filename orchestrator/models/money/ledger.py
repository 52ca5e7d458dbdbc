"""The file that totals outlive the process in: SQLite, additive rows, one transaction a write."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date, timedelta
from itertools import count
from pathlib import Path

from orchestrator.caches.folder import private_file
from orchestrator.caches.table import is_corrupt
from orchestrator.errors import ConfigurationError
from orchestrator.models.money.usage_sheet import Cell, UsageSheet
from orchestrator.models.money.usage_summary import TOKEN_BUCKETS, ExactSum, UsageSummary

__all__ = ["Ledger", "read_usage"]

_VERSION = 1
_BUSY_S = 10.0
_EPOCH = date(1970, 1, 1)
_FIGURES = ("requests", "billed_failures", "unpriced", "dropped", *TOKEN_BUCKETS, "cost_usd", "carry_usd")
_TYPES = ("INTEGER NOT NULL",) * 4 + ("INTEGER",) * len(TOKEN_BUCKETS) + ("REAL NOT NULL",) * 2
_SCHEMA = f"""
    CREATE TABLE usage (
        day TEXT NOT NULL, model TEXT NOT NULL, tenant TEXT NOT NULL, tags TEXT NOT NULL,
        {", ".join(f"{name} {kind}" for name, kind in zip(_FIGURES, _TYPES, strict=True))},
        PRIMARY KEY (day, model, tenant, tags)
    ) WITHOUT ROWID;
    CREATE TABLE accounts (name TEXT PRIMARY KEY, spent_usd REAL NOT NULL, carry_usd REAL NOT NULL) WITHOUT ROWID;
"""
_PLACE = "day = ? AND model = ? AND tenant = ? AND tags = ?"
_READ = f"SELECT day, model, tenant, tags, {', '.join(_FIGURES)} FROM usage ORDER BY day"  # noqa: S608 - fixed words
_READ_ONE = f"SELECT {', '.join(_FIGURES)} FROM usage WHERE {_PLACE}"  # noqa: S608 - fixed words
_PUT = f"INSERT OR REPLACE INTO usage VALUES ({', '.join('?' * (4 + len(_FIGURES)))})"  # noqa: S608 - fixed words
_log = logging.getLogger(__name__)


class Ledger:
    """Usage by cell and USD by account; `write` adds to what is there, so several processes may share a file.

    A file that is damaged or of a newer version is set aside under another name, with a warning, and a new one begun.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = Path(path).expanduser().absolute()
        try:
            self.path = private_file(given.parent, given.name)
            try:
                self._file = _opened(self.path)
            except sqlite3.DatabaseError as error:
                if not is_corrupt(error):
                    raise
                _set_aside(self.path, str(error))
                self._file = _opened(private_file(given.parent, given.name))
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"no ledger can be kept at {str(given)!r} ({error}): give another path") from error

    def usage(self) -> UsageSheet:
        """All cells."""
        return _sheet(self._file)

    def accounts(self) -> dict[str, ExactSum]:
        """USD spent by account."""
        rows = self._file.execute("SELECT name, spent_usd, carry_usd FROM accounts")
        return {name: ExactSum(spent, carry) for name, spent, carry in rows}

    def write(self, usage: UsageSheet, accounts: Mapping[str, ExactSum]) -> None:
        """Add all of it, or nothing; when this returns it is on disk."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            for model_id, cell, summary in usage:
                self._add_usage(model_id, cell, summary)
            for name, spent in accounts.items():
                self._add_account(name, spent)
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise

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

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_usage(path: Path) -> UsageSheet:
    """The usage in a ledger that others write; the file is only read, and ConfigurationError says why it cannot be."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as file:
            _check_version(file)
            return _sheet(file)
    except (sqlite3.Error, ValueError) as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read as a ledger ({error}): give another file") from error


def _sheet(file: sqlite3.Connection) -> UsageSheet:
    sheet = UsageSheet()
    for day, model_id, tenant, tags, *figures in file.execute(_READ):
        cell = Cell(_day_number(day), tenant or None, tuple(json.loads(tags)))
        sheet.at(model_id, cell).merge(UsageSummary.of_row(model_id, tuple(figures)))
    return sheet


def _opened(path: Path) -> sqlite3.Connection:
    # the bookkeeper's lock keeps threads apart
    file = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(file)
    except BaseException:
        file.close()
        raise
    return file


def _prepare(file: sqlite3.Connection) -> None:
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")  # what is acknowledged survives a power cut as well
    if not _check_version(file):
        _create(file)
    if file.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("it is damaged")
    file.execute("SELECT count(*) FROM usage, accounts WHERE 0").fetchone()  # the tables are there


def _check_version(file: sqlite3.Connection) -> int:
    """Ours, or 0 for a new file; anything else is an error."""
    found = int(file.execute("PRAGMA user_version").fetchone()[0])
    if found not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"version {found}, and this is version {_VERSION}")
    return found


def _create(file: sqlite3.Connection) -> None:
    """Make the tables, unless another process has just made them."""
    file.execute("BEGIN IMMEDIATE")
    if not file.execute("PRAGMA user_version").fetchone()[0]:
        for statement in filter(str.strip, _SCHEMA.split(";")):
            file.execute(statement)
        file.execute(f"PRAGMA user_version={_VERSION}")
    file.execute("COMMIT")


def _set_aside(path: Path, why: str) -> None:
    """Keep a file that we cannot read under another name, with what belongs to it."""
    number = next(n for n in count(1) if not os.path.lexists(f"{path}.aside-{n}"))
    for ending in ("", "-wal", "-shm"):
        if os.path.lexists(f"{path}{ending}"):
            Path(f"{path}{ending}").rename(f"{path}.aside-{number}{ending}")
    _log.warning("the ledger %s cannot be used (%s): it is kept as %s.aside-%d, and a new one begun",
                 path, why, path.name, number)  # fmt: skip


def _day_name(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _day_number(name: str) -> int:
    return (date.fromisoformat(name) - _EPOCH).days
