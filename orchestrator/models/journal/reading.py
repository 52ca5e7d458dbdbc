"""What a journal holds, read by others while it may be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from orchestrator.errors import ConfigurationError
from orchestrator.models.journal.entry import COLUMNS, Entry
from orchestrator.models.journal.file import JournalFile

__all__ = ["entries_of_request", "read_entries"]

_BUSY_S = 10.0
_READ = f"SELECT {', '.join(COLUMNS)} FROM decisions"  # noqa: S608 - fixed words
_LATEST = f"{_READ} ORDER BY number DESC LIMIT ?"
_SAME = f"{_READ} WHERE run = ? AND request = ? AND number BETWEEN ? AND ? ORDER BY number"
_NEAR = 100_000  # entries around an answer among which the other attempts of its request are


def read_entries(path: str | os.PathLike[str], *, latest: int | None = None) -> list[Entry]:
    """All entries, or the latest so many, in the order in which the attempts ended.

    The file is only read; ConfigurationError says why it cannot be.
    """
    with _opened(path) as file:
        if latest is None:
            return [Entry.of_row(row) for row in file.execute(f"{_READ} ORDER BY number")]
        return [Entry.of_row(row) for row in file.execute(_LATEST, (latest,))][::-1]


def entries_of_request(path: str | os.PathLike[str], response_id: str | None = None) -> list[Entry]:
    """The attempts of the request that this answer belongs to, or of the latest request; empty when it is not there."""
    with _opened(path) as file:
        if response_id is None:
            found = file.execute("SELECT run, request, number FROM decisions ORDER BY number DESC LIMIT 1").fetchone()
        else:
            query = "SELECT run, request, number FROM decisions WHERE response_id = ?"
            found = file.execute(query, (response_id,)).fetchone()
        if found is None:
            return []
        run, request, number = found
        return [Entry.of_row(row) for row in file.execute(_SAME, (run, request, number - _NEAR, number + _NEAR))]


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[sqlite3.Connection]:
    place = Path(path).expanduser().absolute()
    if not place.is_file():
        raise ConfigurationError(f"there is no journal at {str(place)!r}: give the path of ModelRegistry(journal=...)")
    try:
        with closing(sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as file:
            found = file.execute("PRAGMA user_version").fetchone()[0]
            if found != JournalFile.version:
                raise ConfigurationError(
                    f"{str(place)!r} is no journal of version {JournalFile.version} ({found}): give another file"
                )
            yield file
    except (sqlite3.Error, ValueError) as error:
        raise ConfigurationError(f"{str(place)!r} cannot be read as a journal ({error}): give another file") from error
