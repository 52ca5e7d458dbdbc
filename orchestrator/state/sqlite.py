"""A meeting place in a file: a process that starts again finds what it knew, and processes of one machine share it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from orchestrator.caches.folder import private_file
from orchestrator.caches.table import is_corrupt
from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import ConfigurationError
from orchestrator.models.storage.contract import set_aside
from orchestrator.state.desk import Desk
from orchestrator.state.store import Delivery, Flow, Grant, Limit, Parcel, StateUnavailableError, life_s

__all__ = ["SQLiteState"]

T = TypeVar("T")
_VERSION = 1
_OPENING_S, _EXCHANGE_MS, _DRAW_MS = 10.0, 1000, 50  # that others may hold the file; draws are on a request's path
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS cells (
        section TEXT NOT NULL, name TEXT NOT NULL, field TEXT NOT NULL, value NOT NULL,
        PRIMARY KEY (section, name, field)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS versions ON cells (value) WHERE section = 'versions' AND field = 'version';
"""


class SQLiteState:
    """One table in write-ahead mode; a step is one transaction, of which a killed process leaves all or nothing.

    A file that is damaged is set aside under another name and a new one begun; one of a newer version is refused and
    stays as it is.
    """

    name = "sqlite"

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.path = Path(path).expanduser().absolute()
        self._clock = clock
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None
        self._owner = os.getpid()
        with self._lock:
            self._opened()  # what is wrong with the path is said at once
        self.close()

    def exchange(self, parcel: Parcel) -> Delivery:
        """Add the news unless this sequence is known already, and tell what is new."""
        return self._visit(lambda desk: desk.exchange(parcel), _EXCHANGE_MS)

    def draw_usd(self, process: str, limits: Sequence[Limit]) -> Grant:
        """Set aside from every account what is needed, more where there is plenty; all or nothing."""
        return self._visit(lambda desk: desk.draw_usd(process, limits), _DRAW_MS)

    def draw_flow(self, flows: Sequence[Flow]) -> Grant:
        """Take from every limit by the minute what is needed, more where there is plenty; all or nothing."""
        return self._visit(lambda desk: desk.draw_flow(flows), _DRAW_MS)

    def close(self) -> None:
        """Close the file; it opens again when it is used."""
        with self._lock:
            if self._file is not None and self._owner == os.getpid():
                self._file.close()
            self._file = None

    def _visit(self, work: Callable[[Desk], T], patience_ms: int) -> T:
        with self._lock:
            try:
                file = self._opened()
                file.execute(f"PRAGMA busy_timeout={patience_ms}")
                file.execute("BEGIN IMMEDIATE")
                try:
                    done = work(Desk(_Cells(file), self._clock.time()))
                    file.execute("COMMIT")
                except BaseException:
                    if file.in_transaction:
                        file.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, ConfigurationError) as error:
                raise StateUnavailableError(f"the state in {str(self.path)!r} cannot be used: {error}") from error
        return done

    def _opened(self) -> sqlite3.Connection:
        if self._file is not None and self._owner == os.getpid():
            return self._file
        try:
            self._file = _prepared(private_file(self.path.parent, self.path.name))
        except (OSError, sqlite3.Error) as error:
            if not (isinstance(error, sqlite3.DatabaseError) and is_corrupt(error)):
                raise ConfigurationError(
                    f"no state can be kept at {str(self.path)!r} ({error}): give another path"
                ) from error
            set_aside(self.path, "corrupt")
            self._file = _prepared(private_file(self.path.parent, self.path.name))
        self._owner = os.getpid()
        _forget_old(self._file, self._clock.time())
        return self._file


def _prepared(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=_OPENING_S, isolation_level=None, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("PRAGMA synchronous=NORMAL")  # a crash of the process loses nothing, a power cut the last moments
        _check_version(int(file.execute("PRAGMA user_version").fetchone()[0]), path)
        file.executescript(_SCHEMA)
        file.execute(f"PRAGMA user_version={_VERSION}")
    except BaseException:
        file.close()
        raise
    return file


def _check_version(found: int, path: Path) -> None:
    if found > _VERSION:
        raise ConfigurationError(f"{str(path)!r} is of version {found} and this is {_VERSION}: upgrade, or move it")


def _forget_old(file: sqlite3.Connection, now_s: float) -> None:
    """Records that nobody has added to for their whole life."""
    rows = file.execute("SELECT name, value FROM cells WHERE section = 'versions' AND field = 'at_s'").fetchall()
    old = [(name,) for name, at_s in rows if now_s - at_s > life_s(name)]
    if old:
        file.executemany("DELETE FROM cells WHERE section IN ('sums', 'versions') AND name = ?", old)


class _Cells:
    """`Tables` as rows of one table of the file."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def row(self, table: str, name: str) -> dict[str, float | str]:
        return dict(
            self._file.execute(
                "SELECT field, value FROM cells WHERE section = ? AND name = ?", (table, name)
            ).fetchall()
        )

    def rows(self, table: str) -> Mapping[str, dict[str, float | str]]:
        found: dict[str, dict[str, float | str]] = {}
        for name, field, value in self._file.execute(
            "SELECT name, field, value FROM cells WHERE section = ?", (table,)
        ):
            found.setdefault(name, {})[field] = value
        return found

    def put(self, table: str, name: str, fields: Mapping[str, float | str]) -> None:
        rows = [(table, name, field, value) for field, value in fields.items()]
        self._file.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", rows)

    def drop(self, table: str, name: str) -> None:
        self._file.execute("DELETE FROM cells WHERE section = ? AND name = ?", (table, name))

    def changed(self, since: int) -> dict[str, dict[str, float]]:
        query = """
            SELECT sums.name, sums.field, sums.value FROM cells AS news JOIN cells AS sums ON sums.name = news.name
            WHERE news.section = 'versions' AND news.field = 'version' AND news.value > ? AND sums.section = 'sums'
        """
        found: dict[str, dict[str, float]] = {}
        for name, field, value in self._file.execute(query, (since,)):
            found.setdefault(name, {})[field] = float(value)
        return found
