"""The doors to the one road of a request: choose, admit, call, settle, fail over. Nothing else calls a provider."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from orchestrator.core.attribution import tenant_of, usage_tags_of
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Prompt, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective, ObjectiveLike
from orchestrator.core.requirements import ANY, REQUIREMENT_NAMES, Requirements, implied_by
from orchestrator.models.limits.seats import Seats
from orchestrator.models.limits.waiting import priority_of
from orchestrator.models.money.purse import Purse
from orchestrator.models.portal import portal
from orchestrator.models.road.calling import answer, embeddings
from orchestrator.models.road.deciding import Deciding
from orchestrator.models.road.hedging import Hedges
from orchestrator.models.road.judging import climb, whole
from orchestrator.models.road.observing import Observers
from orchestrator.models.road.question import Question
from orchestrator.models.road.route import Route
from orchestrator.models.road.streaming import stream

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.models.usage import UsageService

__all__ = ["ModelService", "split_wanted"]

_USE_REGISTRY: Any = object()
Answering = Coroutine[Any, Any, ChatResponse]


class ModelService:
    """Answers requests with the models of a registry.

    `deadline_s` bounds a whole request, retries and failover included (of a stream the wait for its first piece, unless
    the call itself sets the deadline); `max_attempts` how often models are asked for it. `hedge` asks a second model
    where the first is unusually slow, `resume` has the next one go on with a stream that broke. Without a registry it
    serves the process-wide one. Callable as `service("openai:gpt-4o", "Hello")` or `service(model_id=..., prompt=...)`.
    """

    def __init__(
        self,
        registry: ModelRegistry | None = None,
        usage_service: UsageService | None = _USE_REGISTRY,
        *,
        deadline_s: float = 120.0,
        max_attempts: int = 3,
        hedge: bool = False,
        resume: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        if registry is None:
            from orchestrator.models.model_registry import default_registry

            registry = default_registry()
        self.registry = registry
        self.deadline_s = _limit("deadline_s", deadline_s, int | float)
        self.max_attempts = _limit("max_attempts", max_attempts, int)
        self.hedge = _switch("hedge", hedge)
        self.resume = _switch("resume", resume)
        self.observers = Observers(registry.clock)
        self._hedges = Hedges()
        self._rng = rng if rng is not None else random.Random()
        if usage_service is not _USE_REGISTRY:
            registry.settlement.usage = usage_service

    # doors

    def __call__(self, model_id: Any, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model, for code that cannot await."""
        return self.invoke_model(model_id, prompt, **params)

    def invoke_model(self, model_id: Any, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model, for code that cannot await; an id or an enum member whose value is one."""
        return portal.run(lambda: self.invoke_model_async(model_id, prompt, **params))

    async def invoke_model_async(self, model_id: Any, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model."""
        return await self.call(self.get_model(model_id), Request.of(prompt, **params))

    def get_model(self, model_id: Any) -> Model:
        """The model of this id or enum member."""
        return self.registry.get_model(getattr(model_id, "value", model_id))

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of a coroutine function, from code that cannot await."""
        return portal.run(work)

    # the road

    # each gives the coroutine that answers, to be awaited at once: where thousands wait, a frame each is memory

    def call(self, model: Model, request: Request) -> Answering:
        """This very model's answer; its passing failures are retried, others are not asked."""
        return self._recalled(_question(request, only=model))

    def generate(self, request: Request, wanted: Mapping[str, Any], objective: ObjectiveLike = None) -> Answering:
        """The answer of the best model that meets the requirements; on failure of the next best."""
        return self._recalled(_question(request, wanted=wanted, objective=Objective.of(objective)))

    def _recalled(self, question: Question) -> Answering:
        if self.observers:
            return self.observers.answer(question.request, partial(self._looked_up, question))
        return self._looked_up(question)

    def _looked_up(self, question: Question) -> Answering:
        patience_s = question.deadline_s or self.deadline_s
        return self.registry.recall.answer(question, partial(self._asked, question), patience_s=patience_s)

    def _asked(self, question: Question) -> Answering:
        registry = self.registry
        if registry.judge is None and not registry.contexts.awaits:
            return answer(registry, question.request, self._route(question))
        return self._considered(question)

    async def _considered(self, question: Question) -> ChatResponse:
        """The answer where a decision needs more than what is at hand: an embedding before it, a judge after it."""
        registry, request = self.registry, question.request
        if question.only is not None:
            return await answer(registry, request, self._route(question))
        await registry.contexts.prepare(request)
        if registry.judge is None:
            return await answer(registry, request, self._route(question))
        return await climb(registry, request, self._route(question), registry.judge)

    def stream(self, model: Model, request: Request) -> AsyncIterator[Chunk]:
        """This very model's answer in pieces."""
        return self._streamed(_question(request, only=model))

    def generate_stream(
        self, request: Request, wanted: Mapping[str, Any], objective: ObjectiveLike = None
    ) -> AsyncIterator[Chunk]:
        """The best fitting model's answer in pieces; before the first piece another model may take over."""
        return self._streamed(_question(request, wanted=wanted, objective=Objective.of(objective)))

    def _streamed(self, question: Question) -> AsyncIterator[Chunk]:
        pieces = self.registry.recall.stream(question, lambda: self._flowing(question))
        return self.observers.stream(question.request, pieces) if self.observers else pieces

    def _flowing(self, question: Question) -> AsyncGenerator[Chunk, None]:
        registry, request = self.registry, question.request
        if question.only is None and registry.judge is not None:
            return whole(lambda: self._considered(question))
        if question.only is None and registry.contexts.awaits:
            return self._prepared(question)
        return stream(registry, request, self._route(question))

    async def _prepared(self, question: Question) -> AsyncGenerator[Chunk, None]:
        await self.registry.contexts.prepare(question.request)
        async with aclosing(stream(self.registry, question.request, self._route(question))) as pieces:
            async for piece in pieces:
                yield piece

    def _route(self, question: Question) -> Route:
        registry, objective = self.registry, question.objective
        choose: Callable[[Requirements], Model] = registry.choices.model
        deciding = None
        if registry.journal is not None or registry.settlement.selector.contextual:
            choose = deciding = Deciding(registry, question.request, objective)
        elif objective is not None:
            choose = partial(registry.choices.model, objective=objective)
        return Route(
            question.request,
            ANY if question.only is not None else self.needs_of(question.request, question.wanted),
            choose=choose,
            only=question.only,
            seats=Seats(
                registry.admission, question.request, waits=question.wait_for_capacity, priority=question.priority
            ),
            health=registry.health,
            budgets=registry.settlement.budgets,
            clock=registry.clock,
            rng=self._rng,
            deadline_s=question.deadline_s or self.deadline_s,
            strict=question.deadline_s is not None,
            max_attempts=question.max_attempts or self.max_attempts,
            population=len(registry),
            deciding=deciding,
            purse=None if registry.budgets is None else Purse(registry.budgets, question.request),
            hedges=self._hedges if (self.hedge if question.hedge is None else question.hedge) else None,
            resume=self.resume if question.resume is None else question.resume,
        )

    @staticmethod
    def needs_of(request: Request, wanted: Mapping[str, Any]) -> Requirements:
        """What the caller requires, and what the request itself does."""
        needs = Requirements.for_chat(**wanted)
        implied = implied_by(request, needs)
        return replace(needs, **implied) if implied else needs

    async def embed(self, model: Model, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """One vector a text, accounted like any call."""
        tenant, tags = tenant_of(params.pop("tenant", None)), usage_tags_of(params.pop("usage_tags", None))
        question = _question(Request((), (), params, tenant=tenant, usage_tags=tags), only=model)

        async def ask(new: Sequence[str], rest: dict[str, Any]) -> Embeddings:
            return await embeddings(self.registry, model, new, rest, self._route(question), asked=question.request)

        found = partial(self.registry.recall.embed, model, texts, params, ask, tenant=tenant)
        return await (self.observers.answer(question.request, found, "embeddings") if self.observers else found())


def _limit(name: str, value: Any, kind: Any) -> Any:
    """A limit on one request, or None where there is none of its own."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < math.inf):
        raise ValueError(f"{name}={value!r}: give a {'whole ' if kind is int else ''}number above 0")
    return value


def _switch(name: str, value: Any) -> Any:
    """An option that is on or off, or None where the call does not say."""
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name}={value!r}: give True or False")
    return value


def _question(request: Request, **facts: Any) -> Question:
    """The request, relieved of the parameters that speak to the engine and to no provider."""
    params = request.params
    if params:
        facts["deadline_s"] = _limit("deadline_s", params.pop("deadline_s", None), int | float)
        facts["max_attempts"] = _limit("max_attempts", params.pop("max_attempts", None), int)
        facts["hedge"] = _switch("hedge", params.pop("hedge", None))
        facts["resume"] = _switch("resume", params.pop("resume", None))
        facts["wait_for_capacity"] = _switch("wait_for_capacity", params.pop("wait_for_capacity", None))
        facts["priority"] = priority_of(params.pop("priority", None))
    return Question(request, **facts)


def split_wanted(keywords: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Requirements apart from parameters; a misspelt requirement is refused rather than sent to a provider.

    >>> split_wanted({"max_cost": 0.01, "temperature": 0})
    ({'max_cost': 0.01}, {'temperature': 0})
    >>> split_wanted({"max_costs": 0.01})
    Traceback (most recent call last):
    TypeError: 'max_costs' is neither a requirement nor a parameter; did you mean 'max_cost'?
    """
    if not keywords:
        return keywords, {}
    wanted: dict[str, Any] = {}
    params: dict[str, Any] = {}
    for name, value in keywords.items():
        if name in _WANTED:
            wanted[name] = value
        elif meant := _meant(name):
            raise TypeError(f"{name!r} is neither a requirement nor a parameter; did you mean {meant!r}?")
        else:
            params[name] = value
    return wanted, params


_WANTED = frozenset(REQUIREMENT_NAMES)


@lru_cache(maxsize=1024)
def _meant(name: str) -> str | None:
    """The requirement that was probably meant by a name that is none."""
    near = get_close_matches(name, REQUIREMENT_NAMES, n=1, cutoff=0.8)
    return near[0] if near else None
