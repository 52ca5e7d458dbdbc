"""Decisions are noted on the path of a request, which costs an append, and written by a thread of their own."""

from __future__ import annotations

import math
import os
from collections import deque
from typing import Any

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.errors import ConfigurationError
from orchestrator.models.journal.entry import Origin, row_of
from orchestrator.models.journal.file import JournalFile
from orchestrator.models.road.contexts import Contexts, prompt_text
from orchestrator.models.road.deciding import Deciding
from orchestrator.models.roster.selection import Selection
from orchestrator.models.storage.write_behind import WriteBehind
from orchestrator.selectors.context import Context

__all__ = ["Journal"]

_PRUNE_EVERY = 100  # so many times the journal is pruned while it is written once over
_Note = tuple[float, Any, Any, Selection | None]  # when, what, by whom and how; or a rating and an answer's id


class Journal(WriteBehind[JournalFile]):
    """Keeps every decision with its candidates, scores, propensity, kind of request, outcome and later rating.

    At most `max_rows` decisions of at most `max_age_s` seconds are kept in a SQLite file, and at most `max_waiting` in
    memory until they are written, every `flush_every_s` seconds; `dropped` counts those that found no place. A crash
    may lose the last second and never the file. Neither prompts nor answers are kept.

    Give it, or its path, to `ModelRegistry(journal=...)`.
    """

    thread_name = "orchestrator-journal"
    complaint = "the journal %s cannot be written (%s): decisions are dropped until it can"

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
        _positive("flush_every_s", flush_every_s)
        self.dropped = 0
        self.contexts: Contexts | None = None  # describe the requests at which the policy does not look
        self._crowded = math.ceil(max_waiting / 2)  # with so many waiting, the next write comes early
        self._clock = clock
        self._run = os.urandom(4).hex()
        self._waiting: deque[_Note] = deque()
        self._since_pruned: float = math.inf
        super().__init__(JournalFile(path), flush_every_s=flush_every_s)

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
            self.hurry()
        if not self._awake:
            self.wake()

    # in the thread

    def _open_file(self) -> JournalFile:
        return JournalFile(self.path)

    def _write(self) -> bool:
        """Write all that was noted; what cannot be is dropped."""
        notes = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            if notes:
                with self._opened() as file:
                    self._put(file, notes)
        except Exception:
            self.dropped += len(notes)
            raise
        return bool(notes)

    def _put(self, file: JournalFile, notes: list[_Note]) -> None:
        rows, ratings = [], []
        for number, what, decided, selection in notes:
            if selection is None:
                ratings.append((number, what))
            else:
                origin = Origin(self._run, decided.number, self._context(decided))
                rows.append(row_of(number, origin, what, selection))
        file.write(rows, ratings)
        self._since_pruned += len(rows)
        if self._since_pruned >= self.max_rows / _PRUNE_EVERY:
            file.prune(max_rows=self.max_rows, before_s=self._clock.time() - self.max_age_s)
            self._since_pruned = 0

    def _context(self, decided: Deciding) -> Context | None:
        """What describes the request, worked out here where the policy did not look at all of it."""
        known = decided.context
        if self.contexts is None or (known is not None and known.features is not None):
            return known
        return self.contexts.of_text(prompt_text(decided.request))

    def leave_parent(self) -> None:
        """After a fork, in the child: what is noted belongs to the parent."""
        super().leave_parent()
        self._waiting.clear()
        self._run = os.urandom(4).hex()

    def __repr__(self) -> str:
        return f"<Journal at {str(self.path)!r}, {len(self._waiting)} waiting, {self.dropped} dropped>"


def _positive(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigurationError(f"{name}={value!r}: give a number above 0")
    return value
