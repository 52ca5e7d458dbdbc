"""The run itself: every prompt goes to the three policies at the same moment, and in the middle a provider breaks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.cli.demo.fleet import FLEET
from orchestrator.cli.demo.policies import registries, requirements
from orchestrator.cli.demo.records import POLICIES, Outage, PolicyName, Sent
from orchestrator.cli.demo.tasks import HOUSE_RULES, tasks
from orchestrator.core.messages import ChatResponse
from orchestrator.core.outcome import Attempt
from orchestrator.errors import OrchestratorError, ProviderAPIError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing.behaviour import Drop, Fail, Step
from orchestrator.testing.emulator import Emulator
from orchestrator.testing.skills import Task

__all__ = ["Options", "Run", "Seen", "drive"]

_BREAKS_AT, _MENDED_AT = 0.40, 0.65  # shares of the prompts
_LATELY = 60  # of the engine's answers, to see who carries the traffic
_TROUBLES: tuple[Step, ...] = (Fail(503), Drop())  # one model answers with errors, the other hangs up


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the caller may set."""

    prompts: int = 300
    seed: int = 7
    concurrency: int = 16
    selector: str = "pool"


class Seen(NamedTuple):
    """How far the run is, for a progress bar."""

    done: int
    total: int
    down: str | None  # the provider that is out


class Run(NamedTuple):
    """What was written down."""

    sent: list[Sent]
    outage: Outage
    took_s: float


async def drive(options: Options, *, watch: Callable[[Seen], None] = lambda _: None) -> Run:
    """Run the demo and return its records; the same options ask the same questions of the same models."""
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(FLEET, seed=options.seed))
        policies = registries(emulator, selector=options.selector, seed=options.seed)
        for registry in policies.values():
            await stack.enter_async_context(registry)
        stage = _Stage(emulator, policies, tasks(options.prompts, seed=options.seed), watch)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(options.concurrency, options.prompts)):
                group.create_task(stage.work())
        return stage.run()


class _Stage:
    """Deals the prompts to workers, breaks and mends a provider on the way, and keeps the records."""

    def __init__(
        self,
        emulator: Emulator,
        policies: dict[PolicyName, ModelRegistry],
        questions: Sequence[Task],
        watch: Callable[[Seen], None],
    ) -> None:
        self._emulator = emulator
        self._policies = policies
        self._questions = questions
        self._watch = watch
        self._dealt = enumerate(questions)
        self._breaks = int(len(questions) * _BREAKS_AT)
        self._mends = int(len(questions) * _MENDED_AT)
        self._inside = self._mends - self._breaks
        self._outlived = asyncio.Event()
        if not self._inside:
            self._outlived.set()
        self._broken_at = self._mended_at = 0.0
        self._provider = ""
        self._started = time.perf_counter()
        self._done = 0
        self._sent: list[Sent] = []

    async def work(self) -> None:
        """Send prompts, one after another, until there are none left."""
        for number, task in self._dealt:
            if number == self._mends:
                await self._outlived.wait()
            self._stage_outage(number)
            async with asyncio.TaskGroup() as group:
                for policy in POLICIES:
                    group.create_task(self._send(policy, number, task))
            self._done += 1
            self._note_end(number)
            self._report_progress()

    def run(self) -> Run:
        """The records, in the order of the prompts."""
        outage = Outage(self._provider, self._breaks, self._mends, self._broken_at, self._mended_at)
        return Run(sorted(self._sent, key=lambda one: (one.number, one.policy)), outage, self._now())

    def _now(self) -> float:
        return time.perf_counter() - self._started

    def _stage_outage(self, number: int) -> None:
        """Break whoever carries the most traffic when the time has come, and mend it later."""
        if number == self._breaks:
            self._provider = self._busiest()
            self._broken_at = self._now()
            for model, trouble in zip(self._emulator.served_by(self._provider), _TROUBLES, strict=True):
                self._emulator.break_model(model.name, trouble)
            self._report_progress()
        if number == self._mends:
            self._mended_at = self._now()
            self._emulator.mend()
            self._report_progress()

    def _note_end(self, number: int) -> None:
        """The outage lasts until whoever was sent into it has come back, however slow the machine is."""
        self._inside -= self._breaks <= number < self._mends
        if not self._inside:
            self._outlived.set()

    def _busiest(self) -> str:
        lately = [one.model_id for one in self._sent if one.policy == "engine" and one.model_id][-_LATELY:]
        providers = Counter(model_id.partition("/")[0] for model_id in lately)
        return providers.most_common(1)[0][0] if providers else FLEET[0].provider

    def _report_progress(self) -> None:
        down = self._provider if self._broken_at and not self._mended_at else None
        self._watch(Seen(self._done, len(self._questions), down))

    async def _send(self, policy: PolicyName, number: int, task: Task) -> None:
        registry, at_s = self._policies[policy], self._now()
        response, error = await _asked(registry, task.prompt, policy)
        took_s = self._now() - at_s
        attempts: Sequence[Attempt] = ()
        quality = 0.0
        if response is not None:
            attempts = response.attempts
            quality = task.check(response.text)
            response.rate(quality)
        elif isinstance(error, ProviderAPIError):
            attempts = error.attempts
        self._sent.append(
            Sent(
                policy=policy,
                number=number,
                category=task.category,
                at_s=at_s,
                took_s=took_s,
                model_id=None if response is None else response.model_id,
                quality=quality,
                attempts=attempts,
                own_s=took_s - sum(attempt.latency_s for attempt in attempts) if response is not None else None,
                error=None if error is None else getattr(error, "error_type", type(error).__name__),
            )
        )


async def _asked(
    registry: ModelRegistry, prompt: str, policy: PolicyName
) -> tuple[ChatResponse | None, OrchestratorError | None]:
    """The answer, or the error that a caller would have seen."""
    try:
        wanted = requirements(policy)
        return await registry.generate_response(prompt, system=HOUSE_RULES, temperature=0.7, **wanted), None
    except OrchestratorError as error:
        return None, error
