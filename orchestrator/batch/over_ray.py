"""The same batch over a Ray cluster: one registry an actor, one ledger where it was started."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, nullcontext
from typing import Any

from orchestrator.batch.asking import failed, pause_s, record_of
from orchestrator.batch.ledger import Record
from orchestrator.batch.lines import Line, Prompts, count_lines, read_lines
from orchestrator.batch.progress import Progress
from orchestrator.batch.running import Batch, checked, ledger_at
from orchestrator.errors import ConfigurationError
from orchestrator.gateway.refusals import Refusal
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["run"]


class _Worker:
    """A process somewhere in the cluster, with a registry of its own that is open from its first line on."""

    def __init__(self, make_registry: Callable[[], ModelRegistry], tries: int) -> None:
        self._registry = make_registry()
        self._tries = tries
        self._rng = random.Random()
        self._open = AsyncExitStack()
        self._opening: asyncio.Future[ModelRegistry] | None = None

    async def answer(self, line: Line) -> Record:
        """The record of a line."""
        if self._opening is None:  # Ray starts a lost actor again, and tells it nothing but the next line
            self._opening = asyncio.ensure_future(self._open.enter_async_context(self._registry))
        await asyncio.shield(self._opening)  # a line that is given up leaves it open for the others
        return await record_of(self._registry, line, tries=self._tries, rng=self._rng)

    async def close(self) -> None:
        """Write what was noted, tell the others, and close."""
        await self._registry.drain()
        await self._open.aclose()


class _Workers:
    """The actors; a line that loses one goes to the next, and a line that has lost some goes alone.

    For it may be what kills them: others that were under way beside it shall not be given up with it. One that has lost
    `tries` of them gets a record of that, and the others go on.
    """

    def __init__(self, ray: Any, actors: Sequence[Any], tries: int) -> None:
        self._ray = ray
        self._actors = actors
        self._tries = tries
        self._alone = asyncio.Lock()
        self._rng = random.Random()

    async def answer(self, line: Line, place: int) -> Record:
        """The record of a line."""
        refusal = Refusal(
            500, "server", f"{self._tries} workers were lost while they answered this line", "worker_lost"
        )
        for lost in range(self._tries):
            if lost:
                await asyncio.sleep(pause_s(refusal, lost, self._rng))
            async with self._alone if lost > 1 else nullcontext():
                record = await self._answer(line, self._actors[(place + lost) % len(self._actors)])
            if record is not None:
                return record
        return failed(line, refusal, spent_usd=None)  # who knew has died

    async def _answer(self, line: Line, actor: Any) -> Record | None:
        """The same by one actor; None where it was lost."""
        try:
            record: Record = await actor.answer.remote(line)
        except self._ray.exceptions.RayActorError as lost:
            if getattr(lost, "actor_init_failed", False):
                why = "make_registry failed in a worker, see the cause: it runs there, with nothing of what is here"
                raise ConfigurationError(why) from lost
            return None
        return record

    async def close(self) -> None:
        """Close every registry, and end the actors."""
        await asyncio.gather(*(actor.close.remote() for actor in self._actors), return_exceptions=True)
        for actor in self._actors:
            self._ray.kill(actor)


async def run(
    prompts: Prompts,
    out: str | os.PathLike[str],
    *,
    make_registry: Callable[[], ModelRegistry],
    workers: int = 2,
    concurrency: int = 32,
    cpus_each: float = 1.0,
    max_total_usd: float | None = None,
    tries: int = 5,
    retry: str = "passing",
    on_progress: Callable[[Progress], object] | None = None,
    stop: asyncio.Event | None = None,
    **defaults: Any,
) -> Progress:
    """`orchestrator.batch.run` with `workers` actors of a Ray cluster, `concurrency` lines under way in each.

    `make_registry` is called in every actor; give it `state="redis://..."` and they share what they learn, limits and
    budgets. The ledger stays with the caller: resuming works as ever, and what stands there is not asked again. An
    actor that dies is started again, and the lines that were under way in it go to the next; one that has lost `tries`
    of them is given up, as an error that may pass. A cluster that `ray.init` has not joined is joined, or begun
    here, with Ray's own defaults (`RAY_ADDRESS`).
    """
    ray = _ray()
    checked(workers=workers, concurrency=concurrency, tries=tries)
    lines = read_lines(prompts, defaults)
    async with ledger_at(out, retry) as ledger:
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False)
        options = {"num_cpus": cpus_each, "max_restarts": -1, "max_concurrency": concurrency + 1}
        crew = _Workers(
            ray, [ray.remote(_Worker).options(**options).remote(make_registry, tries) for _ in range(workers)], tries
        )
        batch = Batch(
            lines,
            ledger,
            total=count_lines(prompts),
            clock_s=time.monotonic,
            max_total_usd=max_total_usd,
            on_progress=on_progress,
            stop=stop,
        )
        try:
            return await batch.answered(crew.answer, workers * concurrency)
        finally:
            await crew.close()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise ConfigurationError(
            "batches over a cluster need Ray: pip install 'model-orchestrator[ray]', or use orchestrator.batch.run"
        ) from None
    return ray
