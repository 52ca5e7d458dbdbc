"""One thread that writes totals down, off the path of any request."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from orchestrator.errors import ConfigurationError
from orchestrator.models.money.ledger import Ledger
from orchestrator.models.money.usage_sheet import UsageSheet
from orchestrator.models.money.usage_summary import ExactSum

if TYPE_CHECKING:
    from orchestrator.models.usage import UsageService

__all__ = ["AccountsToKeep", "Bookkeeper"]

_log = logging.getLogger(__name__)


class AccountsToKeep(Protocol):
    """What a bookkeeper asks of accounts: what is new, and then to hear what became of it."""

    def take_fresh(self) -> dict[str, ExactSum]:
        """USD by account since the last time."""

    def written(self, *, success: bool) -> None:
        """It is on disk, or has to be taken again."""

    def leave_parent(self) -> None:
        """After a fork: the parent writes what it has counted."""


class Bookkeeper:
    """Collects what is new and adds it to the ledger at most every `flush_every_s` seconds, and at exit.

    A write that fails is warned about once and tried again with the next; nothing is lost meanwhile but in a crash.
    """

    def __init__(self, path: str | os.PathLike[str], *, flush_every_s: float = 1.0) -> None:
        if not 0 <= flush_every_s < 3600:
            raise ValueError(f"flush_every_s={flush_every_s!r}: give a number of seconds from 0 to 3600")
        self.flush_every_s = flush_every_s
        self._ledger: Ledger | None = Ledger(path)
        self.path = self._ledger.path
        self._usage: UsageService | None = None
        self._accounts: AccountsToKeep | None = None
        self._lock = threading.Lock()  # over the file; held while it is written, so no request may need it
        self._starting = threading.Lock()  # over the thread
        self._hurry = threading.Event()
        self._thread: ThreadPoolExecutor | None = None
        self._awake = False
        self._failing = False
        _keepers.add(self)

    def keep_usage(self, usage: UsageService) -> UsageSheet:
        """Write this usage down from now on; returns what the file holds."""
        self._usage = usage
        return self._open().usage()

    def keep_accounts(self, accounts: AccountsToKeep) -> dict[str, ExactSum]:
        """Write these accounts down from now on; returns what the file holds."""
        self._accounts = accounts
        with self._lock:
            return self._open().accounts()

    def wake(self) -> None:
        """There is something to write: it will be on disk in `flush_every_s` seconds."""
        if not self._awake:
            self._awake = True
            with suppress(RuntimeError):  # the interpreter is ending, and a call must not fail for its account
                self._submit(self._write_soon)

    def _submit(self, work: Callable[[], bool]) -> Future[bool]:
        with self._starting:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="orchestrator-ledger")
            return self._thread.submit(work)

    def _write_soon(self) -> bool:
        self._hurry.wait(self.flush_every_s)
        return self._write()

    def _write(self) -> bool:
        """Write all that is new; False when it did not work."""
        self._awake = False  # before anything is taken: what comes now wakes us again
        usage = UsageSheet() if self._usage is None else self._usage.take_fresh()
        accounts = {} if self._accounts is None else self._accounts.take_fresh()
        success = False
        try:
            if usage or accounts:
                with self._lock:
                    self._open().write(usage, accounts)
            success = True
        except (sqlite3.Error, ConfigurationError) as error:
            self._complain(error)
        finally:
            for part in (self._usage, self._accounts):
                if part is not None:
                    part.written(success=success)
        self._failing = not success
        return success

    def _complain(self, error: Exception) -> None:
        if not self._failing:
            _log.warning("the ledger %s cannot be written (%s): totals are kept in memory, and it is tried again",
                         self.path, error)  # fmt: skip

    def _open(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self.path)
        return self._ledger

    def flush(self) -> bool:
        """Return when all that was counted before is on disk; False when it could not be written."""
        self._hurry.set()
        try:
            return self._submit(self._write).result()
        finally:
            self._hurry.clear()

    def close(self) -> None:
        """Flush, end the thread and close the file."""
        self.flush()
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._hurry.set()
            thread.shutdown()
            self._hurry.clear()
        with self._lock:
            self._close_file()

    def _close_file(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def pause(self) -> None:
        """Before a fork: SQLite must not find itself in two processes, so its file is closed, and opens when needed."""
        self._lock.acquire()
        self._close_file()

    def resume(self) -> None:
        """After it, in the parent."""
        self._lock.release()

    def leave_parent(self) -> None:
        """After it, in the child: locks, thread and what is not yet written belong to the parent."""
        self._lock, self._starting, self._hurry = threading.Lock(), threading.Lock(), threading.Event()
        self._thread = None
        self._awake = False
        for part in (self._usage, self._accounts):
            if part is not None:
                part.leave_parent()


_keepers: WeakSet[Bookkeeper] = WeakSet()
_paused: list[Bookkeeper] = []


def _before_fork() -> None:
    for keeper in tuple(_keepers):
        keeper.pause()
        _paused.append(keeper)


def _after_in_parent() -> None:
    while _paused:
        _paused.pop().resume()


def _after_in_child() -> None:
    while _paused:
        _paused.pop().leave_parent()


os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
