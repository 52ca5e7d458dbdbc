"""Decisions are noted on the path of a request, which costs an append, and written by a thread of their own."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.errors import ConfigurationError
from orchestrator.models.journal.entry import Origin, row_of
from orchestrator.models.journal.file import JournalFile
from orchestrator.models.road.contexts import Contexts, prompt_text
from orchestrator.models.road.deciding import Deciding
from orchestrator.models.roster.selection import Selection
from orchestrator.selectors.context import Context

__all__ = ["Journal"]

_PRUNE_EVERY = 100  # so many times the journal is pruned while it is written once over
_Note = tuple[float, Any, Any, Selection | None]  # when, what, by whom and how; or a rating and an answer's id
_log = logging.getLogger(__name__)


class Journal:
    """Keeps every decision with its candidates, scores, propensity, kind of request, outcome and later rating.

    At most `max_rows` decisions of at most `max_age_s` seconds are kept in a SQLite file, and at most `max_waiting` in
    memory until they are written, every `flush_every_s` seconds; `dropped` counts those that found no place. A crash
    may lose the last second and never the file. Neither prompts nor answers are kept.

    Give it, or its path, to `ModelRegistry(journal=...)`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_rows: int = 100_000,
        max_age_s: float = 30 * 86_400,
        max_waiting: int = 10_000,
        flush_every_s: float = 1.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.max_rows = _positive("max_rows", max_rows)
        self.max_age_s = _positive("max_age_s", max_age_s)
        self.max_waiting = _positive("max_waiting", max_waiting)
        self.flush_every_s = _positive("flush_every_s", flush_every_s)
        self.dropped = 0
        self.contexts: Contexts | None = None  # describe the requests at which the policy does not look
        self._crowded = math.ceil(max_waiting / 2)  # with so many waiting, the next write comes early
        self._clock = clock
        self._run = os.urandom(4).hex()
        self._waiting: deque[_Note] = deque()
        self._since_pruned: float = math.inf
        self._awake = self._failing = False
        self._hurry = threading.Event()
        self._lock = threading.Lock()  # over the file; held while it is written, so no request may need it
        self._starting = threading.Lock()  # over the thread
        self._thread: ThreadPoolExecutor | None = None
        self._file: JournalFile | None = JournalFile(path)
        self.path = self._file.path
        _journals.add(self)

    # on the path of a request

    def __call__(self, model: Model, outcome: Outcome) -> None:  # noqa: ARG002 - what every subscriber is told
        """Note an attempt; one for which nothing was decided, as the caller named the model, is no decision."""
        decided = outcome.decided
        if decided is not None:
            selection = decided.selection_of(outcome.model_id)
            if selection is not None:
                self._note((self._clock.time(), outcome, decided, selection))

    def rate(self, response_id: str, quality: float) -> None:
        """Note what somebody said of an answer; the last rating counts."""
        self._note((quality, response_id, None, None))

    def _note(self, note: _Note) -> None:
        waiting = self._waiting
        if len(waiting) >= self.max_waiting:
            self.dropped += 1
            return
        waiting.append(note)
        if len(waiting) == self._crowded:
            self._hurry.set()
        if not self._awake:
            self._awake = True
            with suppress(RuntimeError):  # the interpreter is ending, and a call must not fail for its record
                self._submit(self._write_soon)

    # in the thread

    def _submit(self, work: Any) -> Future[bool]:
        with self._starting:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="orchestrator-journal")
            return self._thread.submit(work)

    def _write_soon(self) -> bool:
        self._hurry.wait(self.flush_every_s)
        return self._write()

    def _write(self) -> bool:
        """Write all that was noted; False when it did not work, and then it is dropped."""
        self._hurry.clear()
        self._awake = False  # before anything is taken: what comes now wakes us again
        notes = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            if notes:
                with self._lock:
                    self._put(notes)
                self._failing = False
        except (sqlite3.Error, ConfigurationError) as error:
            self.dropped += len(notes)
            if not self._failing:
                _log.warning("the journal %s cannot be written (%s): decisions are dropped until it can",
                             self.path, error)  # fmt: skip
            self._failing = True
        return not self._failing

    def _put(self, notes: list[_Note]) -> None:
        if self._file is None:
            self._file = JournalFile(self.path)
        rows, ratings = [], []
        for number, what, decided, selection in notes:
            if selection is None:
                ratings.append((number, what))
            else:
                origin = Origin(self._run, decided.number, self._context(decided))
                rows.append(row_of(number, origin, what, selection))
        self._file.write(rows, ratings)
        self._since_pruned += len(rows)
        if self._since_pruned >= self.max_rows / _PRUNE_EVERY:
            self._file.prune(max_rows=self.max_rows, before_s=self._clock.time() - self.max_age_s)
            self._since_pruned = 0

    def _context(self, decided: Deciding) -> Context | None:
        """What describes the request, worked out here where the policy did not look at all of it."""
        known = decided.context
        if self.contexts is None or (known is not None and known.features is not None):
            return known
        return self.contexts.of_text(prompt_text(decided.request))

    # for whoever closes up

    def flush(self) -> bool:
        """Return when all that was noted before is in the file; False when it could not be written."""
        self._hurry.set()
        return self._submit(self._write).result()

    def close(self) -> None:
        """Flush, end the thread and close the file; it opens again when it is used."""
        self.flush()
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
        with self._lock:
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    # across a fork

    def pause(self) -> None:
        """Before a fork: SQLite must not find itself in two processes, so its file is closed, and opens when needed."""
        self._lock.acquire()
        self._close_file()

    def resume(self) -> None:
        """After it, in the parent."""
        self._lock.release()

    def leave_parent(self) -> None:
        """After it, in the child: locks, thread and what is noted belong to the parent."""
        self._lock, self._starting, self._hurry = threading.Lock(), threading.Lock(), threading.Event()
        self._thread = None
        self._awake = False
        self._waiting.clear()
        self._run = os.urandom(4).hex()

    def __repr__(self) -> str:
        return f"<Journal at {str(self.path)!r}, {len(self._waiting)} waiting, {self.dropped} dropped>"


def _positive(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigurationError(f"{name}={value!r}: give a number above 0")
    return value


_journals: WeakSet[Journal] = WeakSet()
_paused: list[Journal] = []


def _before_fork() -> None:
    for journal in tuple(_journals):
        journal.pause()
        _paused.append(journal)


def _after_in_parent() -> None:
    while _paused:
        _paused.pop().resume()


def _after_in_child() -> None:
    while _paused:
        _paused.pop().leave_parent()


os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
