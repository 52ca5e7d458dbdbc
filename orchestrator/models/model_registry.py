"""The registry: every model by its id, the choice among them, and the doors to the service."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.info import ModelConstraints
from orchestrator.core.messages import ChatResponse, Chunk, Prompt, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective, ObjectiveLike
from orchestrator.core.requirements import Requirements
from orchestrator.errors import ConfigurationError, ModelNotFoundError, NoEligibleModelsError
from orchestrator.models.admission import Admission
from orchestrator.models.budgets import Budgets
from orchestrator.models.collectors import collector_subscriber
from orchestrator.models.configured import Configured
from orchestrator.models.dispatcher import Dispatcher
from orchestrator.models.draining import flush
from orchestrator.models.engine import Engine
from orchestrator.models.health_monitor import HealthStatus, ModelHealthMonitor
from orchestrator.models.portal import portal
from orchestrator.models.road.contexts import Categorise, Contexts, Embed
from orchestrator.models.road.judging import Judge, judge_of
from orchestrator.models.road.wanting import split_wanted
from orchestrator.models.roster.selection import Selection
from orchestrator.models.storage import ModelStore, store_at
from orchestrator.models.usage import UsageService, UsageSummary
from orchestrator.selectors import (
    CostBasedSelector,
    ModelSelector,
    PerformanceSelector,
    UCBModelSelector,
    selector_named,
)

if TYPE_CHECKING:
    from orchestrator.core.cache import ModelCache
    from orchestrator.models.journal import Journal
    from orchestrator.state.sharing import Sharing
    from orchestrator.state.store import StateStore

__all__ = [
    "CostBasedSelector",
    "ModelNotFoundError",
    "ModelRegistry",
    "ModelSelector",
    "NoEligibleModelsError",
    "PerformanceSelector",
    "UCBModelSelector",
    "default_registry",
]


class ModelRegistry(Configured):
    """A mapping from ids to models that also chooses among them and answers prompts.

    Reads take no lock: every change puts a new mapping in place. `selection_strategy` names a selector, or
    `model_selector` is one; the same goes for `health_check_interval` (seconds) and `health_monitor`, and for
    `cache_responses=True` and `cache`. What is registered is kept in `storage_path`: a JSON file, SQLite (a path that
    ends in .db or .sqlite) or a `ModelStore` of your own. `limits` of a provider hold for all its models of one key,
    `max_queue` bounds who waits for a model that is at its limits (`wait_for_capacity`, or by the call). `journal`, a
    path or a `Journal`, keeps every decision. `categorise` and `embeddings` (the id of an embedding model, or an async
    function of a text) describe prompts to a policy that looks at them; `judge` decides when a cascade asks a dearer
    model. `state` (`redis://...`, `sqlite:///path`) is where processes share what they learn, and keep it for the next.
    Background work, sharing and health checks, runs inside `async with registry:` only; learning, failover and
    accounting always do.

    >>> from orchestrator.core.model import Model
    >>> registry = ModelRegistry()
    >>> registry["mine"] = Model(id="mine", provider="custom", context_size=8192, tags={"test"})
    >>> registry["mine"].context_size, list(registry), registry[lambda m: "test" in m.tags]
    (8192, ['mine'], [<Model 'mine'>])
    """

    def __init__(
        self,
        selection_strategy: str | None = None,
        health_check_interval: float | None = None,
        cache_responses: bool | None = None,  # noqa: FBT001 - the documented constructor
        *,
        model_selector: ModelSelector | None = None,
        health_monitor: ModelHealthMonitor | None = None,
        cache: ModelCache | None = None,
        storage_path: str | os.PathLike[str] | ModelStore | None = None,
        objective: ObjectiveLike = None,
        metrics: Mapping[str, Any] | None = None,
        usage_service: UsageService | None = None,
        budgets: Budgets | Mapping[str, Any] | None = None,
        deadline_s: float = 120.0,
        max_attempts: int = 3,
        limits: Mapping[str, ModelConstraints | Mapping[str, Any]] | None = None,
        max_queue: int = 1_000,
        wait_for_capacity: bool = False,
        hedge: bool = False,
        resume: bool = False,
        journal: Journal | str | os.PathLike[str] | None = None,
        judge: Judge | Callable[..., Any] | None = None,
        categorise: Categorise | None = None,
        embeddings: str | Embed | None = None,
        state: str | StateStore | Sharing | None = None,
        clock: Clock = SYSTEM_CLOCK,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        _one_of(selection_strategy=selection_strategy, model_selector=model_selector)
        _one_of(health_check_interval=health_check_interval, health_monitor=health_monitor)
        _one_of(cache_responses=cache_responses, cache=cache)
        selector = selector_named(model_selector or selection_strategy or "ucb", objective=objective)
        self.engine = Engine(
            roster=self._roster,
            selector=selector,
            clock=clock,
            health=health_monitor or ModelHealthMonitor(health_check_interval or 300),
            admission=Admission(clock, limits=limits, max_queue=max_queue, wait_for_capacity=wait_for_capacity),
            usage=usage_service if usage_service is not None else UsageService.default(clock),
            contexts=Contexts(categorise=categorise, embed=self._embedder(embeddings), clock=clock),
            judge=judge_of(judge, selector),
            journal=None if journal is None else _journal(journal, clock),
            cache=_cache(clock) if cache_responses else cache,
            seed=seed,
        )
        self.service = Dispatcher(
            self.engine, deadline_s=deadline_s, max_attempts=max_attempts, hedge=hedge, resume=resume
        )
        if budgets is not None:
            self.engine.keep_to(Budgets.of(budgets, clock=clock, accounts=self.usage.accounts))
        if metrics:
            self.subscribe(collector_subscriber(metrics))
        self.health.subscribe(self._health_changed)
        self._background: list[asyncio.Task[None]] = []
        if state is not None:
            self.share(state)
        if storage_path is not None:
            self._restore(store_at(storage_path))

    def share(self, state: str | StateStore | Sharing) -> None:
        """Share with other processes what is learnt, consumed, spent and seen failing, from before the first call on.

        `state` is `redis://...`, `sqlite:///path`, or a `StateStore` or `Sharing` of your own.
        """
        from orchestrator.state.sharing import Sharing

        if self._background:
            raise ConfigurationError("share() comes too late: call it before `async with registry`")
        budgets = self.budgets
        if self.sharing is not None and budgets is not None and budgets.accounts is self.sharing.accounts:
            budgets.accounts = self.usage.accounts  # as they were: the place that is named last has them
        self.sharing = state if isinstance(state, Sharing) else Sharing(state, clock=self.clock)
        self.sharing.attach(self.engine, self)

    def _embedder(self, embeddings: str | Embed | None) -> Embed | None:
        """An async function that turns a text into a vector."""
        if not isinstance(embeddings, str):
            return embeddings

        async def embed(text: str) -> Sequence[float]:
            return (await self.service.embed(self.get_model(embeddings), [text], {}))[0]

        return embed

    # the choice

    def select(
        self, *, prompt: Prompt | None = None, objective: ObjectiveLike = None, explain: bool = False, **wanted: Any
    ) -> Selection:
        """Choose without calling: the model, its score and, for every other, its score or why it was refused.

        With a prompt, what it takes itself counts too: its length, its pictures, its category. With `explain` the
        `explanation` is worked out at once, so that it tells what was known at this moment.
        """
        if prompt is None:
            needs, context = Requirements.for_chat(**wanted), None
        else:
            needs = self.service.needs_of(request := Request.of(prompt), wanted)
            policy = self.selector
            context = self.engine.contexts.of(request, features=policy.by_features) if policy.contextual else None
        selection = self.engine.choices.look(needs, Objective.of(objective), context)
        if explain:
            _ = selection.explanation
        return selection

    async def select_model(self, requirements: Mapping[str, Any] | None = None, **wanted: Any) -> Model:
        """The model to use for these requirements; using it teaches the selector.

        `capabilities` (names), `max_cost` (USD a request), `min_speed` (tokens/s), `max_latency` (s),
        `context_length` (tokens), `exclude_models`, `models`, `tags`, `provider`, `is_local`, `strict`,
        `custom_filter`. When none fits, NoEligibleModelsError says why, model by model.
        """
        selection = self.select(**(requirements or {}), **wanted)
        self.settlement.reserve(selection.model, selection)
        return selection.model

    def choose_model(self, wanted: Requirements, objective: Objective | None = None) -> Model:
        """The model for these requirements, without an explanation."""
        return self.engine.choices.model(wanted, objective)

    # the doors to the service

    async def generate_response(
        self, prompt: Prompt, *, objective: ObjectiveLike = None, **wanted: Any
    ) -> ChatResponse:
        """Answer a prompt with the best fitting model, and the next best if it fails.

        Keywords are requirements (see `select_model`), options of the call (`deadline_s`, `max_attempts`, `hedge`,
        `wait_for_capacity`, `priority`), or parameters for the provider.
        """
        needs, params = split_wanted(wanted)
        return await self.service.generate(Request.of(prompt, **params), needs, objective)

    def stream_response(
        self, prompt: Prompt, *, objective: ObjectiveLike = None, **wanted: Any
    ) -> AsyncIterator[Chunk]:
        """The same in pieces; the last chunk carries finish reason, usage, tool calls and the whole `response`.

        One option more: with `resume=True` the next model goes on with a stream that broke.
        """
        needs, params = split_wanted(wanted)
        return self.service.generate_stream(Request.of(prompt, **params), needs, objective)

    def invoke_model(self, model_id: str, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model, for code that cannot await."""
        return portal.run(lambda: self.invoke_model_async(model_id, prompt, **params))

    async def invoke_model_async(self, model_id: str, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model."""
        return await self.service.call(self.get_model(model_id), Request.of(prompt, **params))

    # what was learned

    def record_feedback(self, response_id: str, quality: float) -> bool:
        """Rate an answer from 0 to 1, also late or again; False when nothing changed or nobody remembers it."""
        return self.engine.rate(response_id, quality)

    def get_usage_summary(self, model_id: str) -> UsageSummary:
        """Requests, tokens and USD of one model; false when it was never called."""
        return self.usage.get_usage_summary(self._known_names().find(model_id) or model_id)

    async def get_model_health(self, model_id: str) -> HealthStatus:
        """How a model is; one that nobody has asked yet is probed first."""
        model = self.get_model(model_id)
        if self.health.status_of(model).status == "unknown":
            await self.health.check(model)
        return self.health.status_of(model)

    # the life cycle

    async def drain(self, timeout_s: float = 30.0) -> int:
        """Take no new calls (DrainingError), wait for those under way, write what was noted, and close.

        Returns how many calls were cut off after `timeout_s`: they make no further attempt. What the cache remembers
        is answered all the same; entering `async with registry` again opens it again.
        """
        self.gate.close()
        left = await self.gate.empty(timeout_s, self.clock)
        self.gate.cut = True
        await flush(self.settlement.listeners)
        await self.cleanup()
        return left

    async def __aenter__(self) -> Self:
        self.gate.open()
        if self.sharing is not None:  # first, since it is awaited: where it fails, nothing else runs yet
            self._background.append(await self.sharing.start())
        self._background.append(asyncio.create_task(self.health.run(self.values), name="health"))
        return self

    async def __aexit__(self, *exc: object) -> None:
        background, self._background = self._background, []
        for task in background:
            task.cancel()
        try:
            ended = await asyncio.gather(*background, return_exceptions=True)
        finally:
            await self.cleanup()
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure

    async def cleanup(self) -> None:
        """Close what the models' calls have opened on this event loop."""
        from orchestrator.integrations.transport import close_sessions

        for model in self._models.values():
            await model.cleanup()
        if self.recall.cache is not None:
            await self.recall.cache.close()  # it opens again when it is used
        if self.usage.keeper is not None:
            await asyncio.to_thread(self.usage.close)  # likewise
        if self.journal is not None:
            await asyncio.to_thread(self.journal.close)  # likewise
        if self.sharing is not None:
            await self.sharing.close()  # likewise
        if self.is_kept:
            await asyncio.to_thread(self.save)
        await close_sessions()

    def __repr__(self) -> str:
        return f"<ModelRegistry of {len(self)} models, {type(self.selector).__name__}>"


def _cache(clock: Clock) -> ModelCache:
    """The cache of `cache_responses=True`: in memory, for an hour."""
    from orchestrator.core.cache import ModelCache

    return ModelCache(clock=clock)


def _journal(journal: Journal | str | os.PathLike[str], clock: Clock) -> Journal:
    """The journal that is given, or one at this path."""
    from orchestrator.models.journal import Journal

    return journal if isinstance(journal, Journal) else Journal(journal, clock=clock)


def _one_of(**options: Any) -> None:
    """Two ways to say the same thing must not be used at once."""
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise TypeError(f"give {' or '.join(given)}, not both")


_default: ModelRegistry | None = None
_default_lock = threading.Lock()


def default_registry() -> ModelRegistry:
    """The registry of this process, made at first use."""
    global _default  # noqa: PLW0603 - the one process-wide object
    if _default is None:
        with _default_lock:
            if _default is None:
                _default = ModelRegistry()
    return _default
