"""The file of a journal: SQLite in WAL mode, one transaction a write, no more rows and no older ones than allowed."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.caches.folder import private_file
from orchestrator.caches.table import is_corrupt
from orchestrator.errors import ConfigurationError
from orchestrator.models.journal.entry import COLUMNS
from orchestrator.models.storage.contract import set_aside

__all__ = ["VERSION", "JournalFile"]

VERSION = 1
_BUSY_S = 10.0
_KINDS = {
    **dict.fromkeys(COLUMNS, "TEXT"),
    **dict.fromkeys(("at_s", "score", "propensity", "latency_s", "ttft_s", "cost_usd", "quality", "rating"), "REAL"),
    **dict.fromkeys(("request", "panic", "prompt_tokens", "completion_tokens"), "INTEGER"),
    "number": "INTEGER PRIMARY KEY AUTOINCREMENT",
}
_TABLE = f"CREATE TABLE decisions ({', '.join(f'{name} {kind}' for name, kind in _KINDS.items())})"
_INDEX = "CREATE INDEX by_response ON decisions (response_id)"
_PUT = f"INSERT INTO decisions ({', '.join(COLUMNS[1:])}) VALUES ({', '.join('?' * len(COLUMNS[1:]))})"  # noqa: S608 - fixed words
_RATE = "UPDATE decisions SET rating = ? WHERE response_id = ?"
_TOO_MANY = "DELETE FROM decisions WHERE number <= (SELECT max(number) FROM decisions) - ?"
_TOO_OLD = "DELETE FROM decisions WHERE at_s < ?"
_log = logging.getLogger(__name__)


class JournalFile:
    """Rows in the order in which they came; several processes may write to one file.

    One that is damaged, or of a newer version, is set aside under another name, with a warning, and a new one begun.
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
                aside = set_aside(self.path, "aside")
                _log.warning("the journal %s cannot be used (%s): it is kept as %s, and a new one begun",
                             self.path, error, aside)  # fmt: skip
                self._file = _opened(private_file(given.parent, given.name))
        except (OSError, sqlite3.Error) as error:
            why = f"no journal can be kept at {str(given)!r} ({error}): give another path"
            raise ConfigurationError(why) from error

    def write(self, rows: Iterable[Sequence[Any]], ratings: Iterable[tuple[float, str]]) -> None:
        """Add all of it, or nothing."""
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(_PUT, rows)
            self._file.executemany(_RATE, ratings)

    def prune(self, *, max_rows: int, before_s: float) -> None:
        """Forget what is too old, and of the rest all but the newest."""
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.execute(_TOO_OLD, (before_s,))
            self._file.execute(_TOO_MANY, (max_rows,))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _opened(path: Path) -> sqlite3.Connection:
    # the journal's lock keeps threads apart
    file = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(file)
    except BaseException:
        file.close()
        raise
    return file


def _prepare(file: sqlite3.Connection) -> None:
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=NORMAL")  # a power cut may take the last second, and never the file
    found = int(file.execute("PRAGMA user_version").fetchone()[0])
    if found not in (0, VERSION):
        raise sqlite3.DatabaseError(f"version {found}, and this is version {VERSION}")
    if not found:
        _create(file)
    if file.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("it is damaged")
    file.execute("SELECT number, rating FROM decisions LIMIT 0").fetchone()  # the table is there


def _create(file: sqlite3.Connection) -> None:
    """Make the table, unless another process has just made it."""
    with file:
        file.execute("BEGIN IMMEDIATE")
        if not file.execute("PRAGMA user_version").fetchone()[0]:
            file.execute(_TABLE)
            file.execute(_INDEX)
            file.execute(f"PRAGMA user_version={VERSION}")
