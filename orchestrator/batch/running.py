"""The batch itself: so many lines at a time, each written before the next is begun."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from orchestrator.batch.asking import is_passing, record_of
from orchestrator.batch.ledger import FACTS, Ledger, Record
from orchestrator.batch.lines import Line, Prompts, count_lines, read_lines
from orchestrator.batch.progress import Progress
from orchestrator.errors import ConfigurationError
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["RETRY", "Batch", "checked", "ledger_at", "run"]

RETRY = {"passing": is_passing, "all": lambda record: record.get("error") is not None, "none": None}
"""Which failed lines of an earlier run are asked again: those whose error may have passed, all, or none."""

_SKIPPED_AT_ONCE = 1_000  # lines that are done already are passed over, now and then letting others run


async def run(
    prompts: Prompts,
    out: str | os.PathLike[str],
    *,
    registry: ModelRegistry,
    concurrency: int = 32,
    max_total_usd: float | None = None,
    tries: int = 5,
    retry: str = "passing",
    on_progress: Callable[[Progress], object] | None = None,
    stop: asyncio.Event | None = None,
    seed: int | None = None,
    **defaults: Any,
) -> Progress:
    """Answer every line of `prompts` into the file `out`, in the order in which the answers come; returns the figures.

    `prompts` is a JSONL file (OpenAI's batch format, or objects with `prompt` or `messages`, or strings) or an iterable
    of such items; `out` has OpenAI's output format. What stands in `out` already is not asked again: after a crash the
    same call goes on, and of the answers that were on disk none is paid for twice. `concurrency` lines are under way
    at a time, each tried `tries` times while its error may pass. No line is begun once `max_total_usd` (USD, this run
    and earlier ones) is spent, or after `stop` is set; those under way are finished. `defaults` are requirements,
    options of the call and parameters (`max_cost`, `deadline_s`, `temperature`, ...) for lines that do not say
    otherwise.
    """
    checked(concurrency=concurrency, tries=tries)
    rng = random.Random(seed)

    async def ask(line: Line, place: int) -> Record:  # noqa: ARG001 - the same for every place
        return await record_of(registry, line, tries=tries, rng=rng)

    async with ledger_at(out, retry) as ledger:
        batch = Batch(
            read_lines(prompts, defaults),
            ledger,
            total=count_lines(prompts),
            clock_s=registry.clock.monotonic,
            max_total_usd=max_total_usd,
            on_progress=on_progress,
            stop=stop,
        )
        return await batch.answered(ask, concurrency)


def checked(**numbers: Any) -> None:
    """ConfigurationError for what is no whole number above 0."""
    for name, value in numbers.items():
        if type(value) is not int or value < 1:
            raise ConfigurationError(f"{name}={value!r}: give a whole number above 0")


def ledger_at(out: str | os.PathLike[str], retry: str) -> Ledger:
    """The output file, without those failures of earlier runs that are to be tried again."""
    if retry not in RETRY:
        raise ConfigurationError(f"retry={retry!r}: give one of {', '.join(map(repr, RETRY))}")
    return Ledger(out, drop=RETRY[retry])


class Batch:
    """The lines still to do, the ledger, and the figures."""

    def __init__(
        self,
        lines: Iterator[Line],
        ledger: Ledger,
        *,
        total: int | None,
        clock_s: Callable[[], float],
        max_total_usd: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        stop: asyncio.Event | None = None,
    ) -> None:
        self._lines = lines
        self._ledger = ledger
        self._earlier = frozenset(ledger.done)
        self._total = total
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._max_total_usd = max_total_usd
        self._on_progress = on_progress
        self._stop = stop
        self._stopped: str | None = None
        self._before = len(self._earlier)
        self._asked_before = {custom_id for custom_id, _ in self._earlier}
        self._done = 0
        self._spent_now_usd = 0.0
        self._spent_before_usd = ledger.spent_usd

    async def answered(self, ask: Callable[[Line, int], Awaitable[Record]], places: int) -> Progress:
        """Let so many ask side by side until nothing is left; the first who fails ends all, and its error comes out."""

        async def work(place: int) -> None:
            while (line := await self._next_line()) is not None:
                await self._keep(await ask(line, place))

        try:
            async with asyncio.TaskGroup() as group:
                for place in range(places):
                    group.create_task(work(place), name=f"batch {place}")
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return self.progress

    async def _next_line(self) -> Line | None:
        """The next line that is not done; None when there is none, or when no more are to be begun."""
        passed = 0
        while not self._is_over():
            line = next(self._lines, None)
            if line is None:
                return None
            if (line.custom_id, line.digest) not in self._earlier:
                self._before -= line.custom_id in self._asked_before  # what stands there answers another question
                return line
            passed += 1
            if not passed % _SKIPPED_AT_ONCE:
                await asyncio.sleep(0)
        return None

    def _is_over(self) -> bool:
        if self._stop is not None and self._stop.is_set():
            self._stopped = "stopped"
        spent_usd = self._spent_before_usd + self._spent_now_usd
        if self._max_total_usd is not None and spent_usd >= self._max_total_usd:
            self._stopped = self._stopped or "budget"
        return self._stopped is not None

    async def _keep(self, record: Record) -> None:
        """Write a record, and tell who watches."""
        await self._ledger.append(record)
        spent_usd = record[FACTS].get("spent_usd")
        self._done += 1
        self._spent_now_usd += spent_usd or 0.0
        if self._on_progress is not None:
            self._on_progress(self.progress)

    @property
    def progress(self) -> Progress:
        """The figures by now."""
        return Progress(
            total=self._total,
            done=self._before + self._done,
            before=self._before,
            failed=self._ledger.failed,
            spent_usd=self._spent_before_usd + self._spent_now_usd,
            spent_now_usd=self._spent_now_usd,
            unpriced=self._ledger.unpriced,
            elapsed_s=self._clock_s() - self._began_s,
            stopped=self._stopped,
        )
