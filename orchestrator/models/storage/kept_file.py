"""A SQLite file that totals or records outlive the process in: opened with care, written in whole transactions."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

from orchestrator.caches.folder import private_file
from orchestrator.caches.table import is_corrupt
from orchestrator.errors import ConfigurationError
from orchestrator.models.storage.contract import set_aside

__all__ = ["KeptFile"]

_BUSY_S = 10.0
_log = logging.getLogger(__name__)


class KeptFile:
    """A file in WAL mode, closed to other users, that several processes may write to.

    One that is damaged or of another version is set aside under another name, with a warning, and a new one begun. A
    kind of file says what it is called, its version, its tables, how lasting a write is (`FULL` survives a power cut,
    of `NORMAL` it may take the last second), and a query that fails where a table is missing. Whoever has it keeps
    threads apart.
    """

    what: ClassVar[str]
    version: ClassVar[int]
    schema: ClassVar[tuple[str, ...]]
    synchronous: ClassVar[Literal["FULL", "NORMAL"]]
    probe: ClassVar[str]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = Path(path).expanduser().absolute()
        try:
            self.path = private_file(given.parent, given.name)
            self._file = self._opened()
        except (OSError, sqlite3.Error) as error:
            why = f"no {self.what} can be kept at {str(given)!r} ({error}): give another path"
            raise ConfigurationError(why) from error

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
            aside = set_aside(self.path, "aside")
            _log.warning("the %s %s cannot be used (%s): it is kept as %s, and a new one begun",
                         self.what, self.path, error, aside)  # fmt: skip
            private_file(self.path.parent, self.path.name)
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        file = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(file)
        except BaseException:
            file.close()
            raise
        return file

    def _prepare(self, file: sqlite3.Connection) -> None:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute(f"PRAGMA synchronous={self.synchronous}")
        if not self.version_in(file):
            self._create(file)
        if file.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it is damaged")
        file.execute(self.probe).fetchone()  # the tables are there

    def _create(self, file: sqlite3.Connection) -> None:
        """Make the tables, unless another process has just made them."""
        with _whole(file):
            if not self.version_in(file):
                for statement in self.schema:
                    file.execute(statement)
                file.execute(f"PRAGMA user_version={self.version}")

    @classmethod
    def version_in(cls, file: sqlite3.Connection) -> int:
        """Ours, or 0 for a new file; anything else is an error."""
        found = int(file.execute("PRAGMA user_version").fetchone()[0])
        if found not in (0, cls.version):
            raise sqlite3.DatabaseError(f"version {found}, and this is version {cls.version}")
        return found

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is done inside is in the file when it ends, or, on any error, nothing of it."""
        with _whole(self._file):
            yield self._file

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def _whole(file: sqlite3.Connection) -> Iterator[None]:
    with file:  # commits or rolls back
        file.execute("BEGIN IMMEDIATE")
        yield
