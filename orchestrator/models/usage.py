"""What the calls have consumed, exactly: by model, tenant, tag and day, in memory and on disk."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.usage import UsageStats
from orchestrator.models.money.usage_sheet import Record, UsageSheet
from orchestrator.models.money.usage_summary import UsageSummary

if TYPE_CHECKING:
    from orchestrator.models.money.accounts import MemoryAccounts
    from orchestrator.models.money.bookkeeper import Bookkeeper
    from orchestrator.models.money.usage_report import UsageReport

__all__ = ["UsageService", "UsageSummary"]

_BATCH = 32
_log = logging.getLogger(__name__)


class UsageService:
    """Adds up what every model consumed; safe from any thread.

    With a `path` the totals outlive the process: they are read when it starts, written every `flush_every_s` seconds
    by a thread of their own, and several processes may share the file. `flush` returns when all is on disk.

    >>> usage = UsageService()
    >>> usage.add_usage_record("openai/gpt-4", UsageStats(12, 47, cost_usd=0.00318))
    >>> summary = usage.get_usage_summary("openai/gpt-4")
    >>> summary.request_count, summary.total_usage.total_tokens, summary.cost_usd
    (1, 59, 0.00318)
    >>> bool(usage.get_usage_summary("never used"))
    False
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        flush_every_s: float = 1.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.clock = clock
        self._now = clock.time
        self._uncounted: deque[Record] = deque()
        self._lock = threading.Lock()
        self._saved, self._saving, self._fresh = UsageSheet(), UsageSheet(), UsageSheet()
        self._unpriced: set[str] = set()  # models that were complained of
        self._accounts: MemoryAccounts | None = None
        self.keeper: Bookkeeper | None = None
        if path is not None:
            from orchestrator.models.money.bookkeeper import Bookkeeper

            self.keeper = Bookkeeper(path, flush_every_s=flush_every_s)
            self._saved = self.keeper.keep_usage(self)

    @classmethod
    def default(cls, clock: Clock = SYSTEM_CLOCK) -> UsageService:
        """In the ledger that `ORCHESTRATOR_USAGE_FILE` names, else in memory."""
        return cls(os.environ.get("ORCHESTRATOR_USAGE_FILE") or None, clock=clock)

    @property
    def accounts(self) -> MemoryAccounts:
        """The accounts of budgets that are kept beside the usage, in the same ledger if there is one."""
        if self._accounts is None:
            from orchestrator.models.money.accounts import MemoryAccounts

            self._accounts = MemoryAccounts(self.keeper)
        return self._accounts

    # counting

    def add_usage_record(self, model_id: str, usage_stats: UsageStats | Mapping[str, Any], **labels: Any) -> None:
        """Count one call, from a UsageStats or a mapping with its constructor's names; `labels` as in `add`."""
        usage = usage_stats if isinstance(usage_stats, UsageStats) else UsageStats(**usage_stats)
        self.add(model_id, usage, usage.cost_usd, **labels)

    def add(
        self,
        model_id: str,
        usage: UsageStats,
        cost_usd: float | None,
        *,
        tenant: str | None = None,
        tags: tuple[str, ...] = (),
        failed: bool = False,
    ) -> None:
        """Count one call whose cost the engine has worked out, now; `failed` is one that was billed all the same."""
        if cost_usd is None and model_id not in self._unpriced:
            self._complain(model_id)
        self._uncounted.append((model_id, usage, cost_usd, self._now(), tenant, tags, failed))
        if len(self._uncounted) >= _BATCH:
            self._count()
        if self.keeper is not None:
            self.keeper.wake()

    def _complain(self, model_id: str) -> None:
        """Say once a model that its calls are missing from the sums."""
        self._unpriced.add(model_id)
        _log.warning(
            "the cost of calls to %r is unknown (no price, or no count of tokens): they are counted as unpriced and "
            "are in no sum; set its cost=, or ORCHESTRATOR_COST_<MODEL>_INPUT and _OUTPUT (USD per million tokens)",
            model_id,
        )

    def _count(self) -> None:
        """Work off what has come since anyone looked: done together, it costs a fraction of one by one."""
        with self._lock:
            while self._uncounted:
                self._fresh.add(self._uncounted.popleft())

    # reading

    def get_usage_summary(self, model_id: str) -> UsageSummary:
        """The totals of one model; empty, and false, when it was never called."""
        self._count()
        total = UsageSummary(model_id)
        with self._lock:
            for sheet in (self._saved, self._saving, self._fresh):
                for summary in sheet.model(model_id).values():
                    total.merge(summary)
        return total

    def summaries(self) -> dict[str, UsageSummary]:
        """The totals of every model that was called."""
        self._count()
        with self._lock:
            sheets = (self._saved, self._saving, self._fresh)
            model_ids = dict.fromkeys(model_id for sheet in sheets for model_id in sheet.model_ids)
        return {model_id: self.get_usage_summary(model_id) for model_id in model_ids}

    def report(self, by: str | Sequence[str] = "model", **limits: Any) -> UsageReport:
        """Rows by `model`, `tenant`, `tag`, `day` or several of them; `since` and `until` are dates (UTC, inclusive).

        >>> usage = UsageService()
        >>> usage.add("m", UsageStats(10, 5), 0.25, tenant="acme")
        >>> usage.report("tenant").rows[0]["cost_usd"]
        0.25
        """
        from orchestrator.models.money.usage_report import UsageReport

        return UsageReport.of(self.sheet(), by, **limits)

    def sheet(self) -> UsageSheet:
        """All that is known, added up in a sheet of its own."""
        self._count()
        whole = UsageSheet()
        with self._lock:
            for sheet in (self._saved, self._saving, self._fresh):
                whole.merge(sheet)
        return whole

    # keeping

    def take_fresh(self) -> UsageSheet:
        """What is to be written down now; `written` says what became of it."""
        self._count()
        with self._lock:
            self._saving, self._fresh = self._fresh, UsageSheet()
            return self._saving

    def written(self, *, success: bool) -> None:
        """What was taken is on disk, or has to be taken again."""
        with self._lock:
            (self._saved if success else self._fresh).merge(self._saving)
            self._saving = UsageSheet()

    def absorb(self, sheet: UsageSheet) -> None:
        """Count in what other processes have counted."""
        with self._lock:
            self._saved.merge(sheet)

    def flush(self) -> bool:
        """Return when all that was counted is on disk; False when it could not be written (and is kept to try again).

        Blocks for one write to disk: `await asyncio.to_thread(usage.flush)` in a coroutine.
        """
        return self.keeper is None or self.keeper.flush()

    def close(self) -> None:
        """Flush and let go of the file; it opens again when something more is counted."""
        if self.keeper is not None:
            self.keeper.close()

    def leave_parent(self) -> None:
        """After a fork: what the parent has counted is the parent's to write."""
        self._lock = threading.Lock()
        self._uncounted = deque()
        self._saved.merge(self._saving)
        self._saved.merge(self._fresh)
        self._saving, self._fresh = UsageSheet(), UsageSheet()
