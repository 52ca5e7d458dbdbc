"""The file of a journal: one row a decision, no more rows and no older ones than allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.models.journal.entry import COLUMNS
from orchestrator.models.storage.kept_file import KeptFile

__all__ = ["JournalFile"]

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


class JournalFile(KeptFile):
    """Rows in the order in which they came; several processes may write to one file."""

    what = "journal"
    version = 1
    schema = (_TABLE, _INDEX)
    synchronous = "NORMAL"
    probe = "SELECT number, rating FROM decisions LIMIT 0"

    def write(self, rows: Iterable[Sequence[Any]], ratings: Iterable[tuple[float, str]]) -> None:
        """Add all of it, or nothing."""
        with self.transaction() as file:
            file.executemany(_PUT, rows)
            file.executemany(_RATE, ratings)

    def prune(self, *, max_rows: int, before_s: float) -> None:
        """Forget what is too old, and of the rest all but the newest."""
        with self.transaction() as file:
            file.execute(_TOO_OLD, (before_s,))
            file.execute(_TOO_MANY, (max_rows,))
