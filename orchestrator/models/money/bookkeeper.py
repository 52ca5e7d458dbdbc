"""Who writes totals down, off the path of any request: usage and accounts, in one ledger."""

from __future__ import annotations

import os
from typing import Protocol, TypeVar

from orchestrator.models.money.ledger import Ledger
from orchestrator.models.money.usage_sheet import UsageSheet
from orchestrator.models.money.usage_summary import ExactSum
from orchestrator.models.storage.write_behind import WriteBehind

__all__ = ["Bookkeeper", "Counter"]

News = TypeVar("News", covariant=True)  # noqa: PLC0105 - the word says what it is


class Counter(Protocol[News]):
    """Who counts what a bookkeeper writes: it tells what is new, and then hears what became of it."""

    def take_fresh(self) -> News:
        """What was counted since the last time."""

    def written(self, *, success: bool) -> None:
        """It is on disk, or has to be taken again."""

    def leave_parent(self) -> None:
        """After a fork: the parent writes what it has counted."""


class Bookkeeper(WriteBehind[Ledger]):
    """Adds to the ledger what is new.

    A write that fails is tried again with the next; nothing is lost meanwhile but in a crash.
    """

    thread_name = "orchestrator-ledger"
    complaint = "the ledger %s cannot be written (%s): totals are kept in memory, and it is tried again"

    def __init__(self, path: str | os.PathLike[str], *, flush_every_s: float = 1.0) -> None:
        if not 0 <= flush_every_s < 3600:
            raise ValueError(f"flush_every_s={flush_every_s!r}: give a number of seconds from 0 to 3600")
        self._usage: Counter[UsageSheet] | None = None
        self._accounts: Counter[dict[str, ExactSum]] | None = None
        super().__init__(Ledger(path), flush_every_s=flush_every_s)

    def keep_usage(self, usage: Counter[UsageSheet]) -> UsageSheet:
        """Write this usage down from now on; returns what the file holds."""
        self._usage = usage
        with self._opened() as ledger:
            return ledger.usage()

    def keep_accounts(self, accounts: Counter[dict[str, ExactSum]]) -> dict[str, ExactSum]:
        """Write these accounts down from now on; returns what the file holds."""
        self._accounts = accounts
        with self._opened() as ledger:
            return ledger.accounts()

    def _open_file(self) -> Ledger:
        return Ledger(self.path)

    def _write(self) -> bool:
        usage = UsageSheet() if self._usage is None else self._usage.take_fresh()
        accounts = {} if self._accounts is None else self._accounts.take_fresh()
        found, success = bool(usage or accounts), False
        try:
            if found:
                with self._opened() as ledger:
                    ledger.write(usage, accounts)
            success = True
        finally:
            for part in (self._usage, self._accounts):
                if part is not None:
                    part.written(success=success)
        return found

    def leave_parent(self) -> None:
        """After a fork, in the child: what is not yet written belongs to the parent."""
        super().leave_parent()
        for part in (self._usage, self._accounts):
            if part is not None:
                part.leave_parent()
