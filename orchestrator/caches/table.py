"""The SQLite file of the disk level: one table, write-ahead log, two connections."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from orchestrator.core.caching.levels import Which

__all__ = ["Row", "Table", "is_busy", "is_corrupt"]

_VERSION = 1  # of the table's shape; another one is set aside like a corrupt file
_BUSY_MS = 250
_EVICT_SHARE = 10  # one entry in so many goes when there is no room

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS entries (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL, used INTEGER NOT NULL, tags TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS by_use ON entries (used);
"""
_PUT = "INSERT OR REPLACE INTO entries (key, value, expires, used, tags) VALUES (?, ?, ?, ?, ?)"
_GET = "SELECT value, expires FROM entries WHERE key = ?"
_OLDEST = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries ORDER BY used LIMIT ?)"


class Row(NamedTuple):
    """One entry on its way to the file; `tags` is a text of labels between spaces."""

    key: str
    value: bytes
    expires: float
    used: int
    tags: str


class Table:
    """Reads and writes one file; errors of SQLite pass through for the level to judge.

    A reader never waits for a writer (WAL), and a locked file is an error at once; a writer waits 250 ms.
    """

    def __init__(self, path: Path, *, max_size: int, max_bytes: int) -> None:
        self._max_size, self._max_bytes = max_size, max_bytes
        self._reading = threading.Lock()
        self._writer = self._connect(path, _BUSY_MS)
        try:
            self._prepare()
            self._reader = self._connect(path, 0)
            self._reader.execute("PRAGMA query_only=1")
        except BaseException:
            self._writer.close()
            raise
        self._page_bytes: int = self._ask("PRAGMA page_size")
        self.entries: int = self._ask("SELECT count(*) FROM entries")

    @staticmethod
    def _connect(path: Path, busy_ms: int) -> sqlite3.Connection:
        # the locks of this class and the level's single writing thread keep the connections apart
        return sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)

    def _prepare(self) -> None:
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=NORMAL")
        self._writer.execute(f"PRAGMA journal_size_limit={4 * 1024 * 1024}")
        found: int = self._ask("PRAGMA user_version")
        if found not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"version {found} of the table")
        if not found:
            self._writer.executescript(_SCHEMA)
            self._writer.execute(f"PRAGMA user_version={_VERSION}")

    def _ask(self, query: str) -> int:
        return int(self._writer.execute(query).fetchone()[0])

    def get(self, key: str) -> tuple[object, object] | None:
        """Value and expiry as they are in the file."""
        with self._reading:
            found: tuple[object, object] | None = self._reader.execute(_GET, (key,)).fetchone()
        return found

    def put(self, rows: Iterable[Row], touched: Iterable[tuple[int, str]]) -> None:
        """Write in one transaction, whole or not at all, after making room."""
        rows = list(rows)
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            self._make_room(rows)
            self._writer.executemany("UPDATE entries SET used = ? WHERE key = ?", touched)
            self._writer.executemany(_PUT, rows)
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise
        self.entries += len(rows)

    def _make_room(self, rows: list[Row]) -> None:
        """Delete the least recently used while the file's pages or the entries are too many."""
        coming = sum(len(row.value) + 300 for row in rows)
        while self.entries and (self.bytes + coming > self._max_bytes or self.entries + len(rows) > self._max_size):
            gone = self._writer.execute(_OLDEST, (max(len(rows), self.entries // _EVICT_SHARE),)).rowcount
            self.entries = self._ask("SELECT count(*) FROM entries") if not gone else self.entries - gone

    @property
    def bytes(self) -> int:
        """What the used pages of the file take, whoever filled them."""
        return (self._ask("PRAGMA page_count") - self._ask("PRAGMA freelist_count")) * self._page_bytes

    def held(self) -> tuple[int, int]:
        """Entries and bytes as they are in the file, whoever has written them."""
        self.entries = self._ask("SELECT count(*) FROM entries")
        return self.entries, self.bytes

    def expire(self, now: float) -> None:
        """Delete what is past its time."""
        self._writer.execute("DELETE FROM entries WHERE expires < ?", (now,))
        self.entries = self._ask("SELECT count(*) FROM entries")

    def drop(self, which: Which) -> int:
        """Delete what matches; labels are hexadecimal, so they are safe in patterns."""
        where, values = ["1"], []
        if which.key is not None:
            where, values = ["key = ?"], [which.key]
        if which.model is not None:
            where, values = [*where, "key >= ? AND key < ?"], [*values, f"{which.model}.", f"{which.model}/"]
        if which.tenant is not None:
            where, values = [*where, "key LIKE ?"], [*values, f"%.{which.tenant}.%"]
        if which.tag is not None:
            where, values = [*where, "tags LIKE ?"], [*values, f"% {which.tag} %"]
        gone = self._writer.execute(f"DELETE FROM entries WHERE {' AND '.join(where)}", values).rowcount  # noqa: S608 - fixed words
        self.entries -= gone
        return gone

    def close(self) -> None:
        """Let go of the file; SQLite folds the log into it."""
        with self._reading:
            self._reader.close()
        self._writer.close()


def is_busy(error: sqlite3.Error) -> bool:
    """Somebody else holds the file: BUSY or LOCKED."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_corrupt(error: sqlite3.Error) -> bool:
    """The file is not what we wrote: CORRUPT, NOTADB, another version, or a table that is missing."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return type(error) is sqlite3.DatabaseError
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
