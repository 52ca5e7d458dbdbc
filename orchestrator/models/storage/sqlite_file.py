"""Descriptions in one SQLite file: a change writes a row, however many there are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from orchestrator.models.storage.contract import FORMAT, StorageError, newer, set_aside

__all__ = ["SQLiteFile"]

_BUSY_S = 5.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS models (id TEXT PRIMARY KEY, record TEXT NOT NULL)"
_PUT = "INSERT INTO models (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record"


class SQLiteFile:
    """One table of ids and JSON records, for other tools to query too; several processes may write to it.

    A file that is no database is set aside as `<name>.corrupt-<n>`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    def read(self) -> dict[str, dict[str, Any]]:
        """Every record by id, in the order in which they first came."""
        if not self._path.exists():
            return {}
        with self._open() as connection:
            rows = connection.execute("SELECT id, record FROM models ORDER BY rowid").fetchall()
        return {model_id: self._record(model_id, text) for model_id, text in rows}

    def _record(self, model_id: str, text: str) -> dict[str, Any]:
        try:
            record = json.loads(text)
        except (ValueError, TypeError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise StorageError(f"{self.place!r}, model {model_id!r}: its record is no JSON object; mend or delete it")
        return record

    def write(self, records: Mapping[str, str], *, changed: Collection[str], gone: Collection[str]) -> None:
        """Write what changed, in one transaction."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.place!r} cannot be written: {error.strerror}") from None
        with self._open() as connection, connection:
            connection.executemany("DELETE FROM models WHERE id = ?", [(model_id,) for model_id in gone])
            connection.executemany(_PUT, [(model_id, records[model_id]) for model_id in changed])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection to a table of our format; opened for each use, so that nothing is held between them."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as connection:
                found = connection.execute("PRAGMA user_version").fetchone()[0]
                if found > FORMAT:
                    raise newer(self.place, found)
                if found < FORMAT:
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.execute(_SCHEMA)
                    connection.execute(f"PRAGMA user_version={FORMAT}")
                yield connection
        except sqlite3.Error as error:
            raise self._judged(error) from None

    def _judged(self, error: sqlite3.Error) -> StorageError:
        if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StorageError(f"{self.place!r} cannot be used: {error}; what it holds is kept")
        aside = set_aside(self._path, "corrupt")
        return StorageError(
            f"{self.place!r} is no SQLite database any more ({error}); it is kept as {str(aside)!r}: mend it and move "
            "it back, or start again without it"
        )
