"""The one road of a request: choose, admit, call, settle, fail over. Nothing else calls a provider."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from orchestrator.core.attempt import (
    StreamTally,
    as_provider_error,
    attempt,
    cost_of,
    final_chunk,
    is_set_up_fault,
    new_response_id,
    response_of,
    until,
)
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Prompt, Reply, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective, Outcome
from orchestrator.core.requirements import ANY, REQUIREMENT_NAMES, Requirements, implied_by
from orchestrator.models.portal import portal
from orchestrator.models.question import Question
from orchestrator.models.route import Route

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.models.usage import UsageService

__all__ = ["ModelService", "split_wanted"]

_USE_REGISTRY: Any = object()


class ModelService:
    """Answers requests with the models of a registry.

    `deadline_s` bounds a whole request, retries and failover included (of a stream the wait for its first piece, unless
    the call itself sets the deadline); `max_attempts` how often models are asked for it. Without a registry it serves
    the process-wide one. Callable as `service("openai:gpt-4o", "Hello")` or `service(model_id=..., prompt=...)`.
    """

    def __init__(
        self,
        registry: ModelRegistry | None = None,
        usage_service: UsageService | None = _USE_REGISTRY,
        *,
        deadline_s: float = 120.0,
        max_attempts: int = 3,
        rng: random.Random | None = None,
    ) -> None:
        if registry is None:
            from orchestrator.models.model_registry import default_registry

            registry = default_registry()
        self.registry = registry
        self.deadline_s = _limit("deadline_s", deadline_s, int | float)
        self.max_attempts = _limit("max_attempts", max_attempts, int)
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

    async def call(self, model: Model, request: Request) -> ChatResponse:
        """This very model's answer; its passing failures are retried, others are not asked."""
        return await self._recalled(_question(request, only=model))

    async def generate(
        self, request: Request, wanted: Mapping[str, Any], objective: Objective | None = None
    ) -> ChatResponse:
        """The answer of the best model that meets the requirements; on failure of the next best."""
        return await self._recalled(_question(request, wanted=wanted, objective=objective))

    async def _recalled(self, question: Question) -> ChatResponse:
        return await self.registry.recall.answer(
            question,
            lambda: self._answer(question.request, self._route(question)),
            patience_s=question.deadline_s or self.deadline_s,
        )

    async def _answer(self, request: Request, route: Route) -> ChatResponse:
        settlement = self.registry.settlement
        while True:
            model = route.next_model()
            if route.wait_s:
                await self.registry.clock.sleep(route.wait_s)
            settlement.begin(model)
            try:
                reply, outcome = await attempt(model, request, clock=self.registry.clock, limit_s=route.limit_s)
            except BaseException:
                settlement.abandon(model)
                raise
            settlement.settle(model, outcome)
            if reply is not None:
                return self._response(model, reply, outcome, route)
            route.failed(model, outcome)

    def _response(self, model: Model, reply: Reply, outcome: Outcome, route: Route) -> ChatResponse:
        attempts = (*route.attempts, outcome.attempt) if route.attempts else ()
        return response_of(model, reply, outcome, attempts=attempts, rater=self.registry.record_feedback)

    def stream(self, model: Model, request: Request) -> AsyncIterator[Chunk]:
        """This very model's answer in pieces."""
        return self._streamed(_question(request, only=model))

    def generate_stream(
        self, request: Request, wanted: Mapping[str, Any], objective: Objective | None = None
    ) -> AsyncIterator[Chunk]:
        """The best fitting model's answer in pieces; before the first piece another model may take over."""
        return self._streamed(_question(request, wanted=wanted, objective=objective))

    def _streamed(self, question: Question) -> AsyncIterator[Chunk]:
        return self.registry.recall.stream(question, lambda: self._stream(question.request, self._route(question)))

    async def _stream(self, request: Request, route: Route) -> AsyncGenerator[Chunk, None]:
        settlement, clock = self.registry.settlement, self.registry.clock
        while True:
            model = route.next_model()
            if route.wait_s:
                await clock.sleep(route.wait_s)
            settlement.begin(model)
            tally = StreamTally(clock)
            settled = False
            try:
                async with aclosing(model.open_stream(request)) as pieces:
                    with clock.timeout(route.limit_s):
                        first = await anext(pieces, None)
                    if first is not None and (shown := tally.take(first)) is not None:
                        yield shown
                    # what flows may go on as long as it flows, or until the deadline that the caller has set
                    async for chunk in until(pieces, clock, route.ends_at) if route.strict else pieces:
                        if (shown := tally.take(chunk)) is not None:
                            yield shown
                reply = tally.reply()
                outcome = tally.outcome(model, request, reply=reply, error=None)
                settled = True
                settlement.settle(model, outcome)
                yield final_chunk(model, reply, self._response(model, reply, outcome, route))
                return
            except Exception as error:
                if settled or is_set_up_fault(error):
                    raise
                settled = True
                self._stream_broke(model, request, tally, route, error)
            finally:
                if not settled:
                    settlement.abandon(model)

    def _stream_broke(self, model: Model, request: Request, tally: StreamTally, route: Route, error: Exception) -> None:
        """Settle a broken stream; returns when another model may start afresh, since nothing was shown yet."""
        outcome = tally.outcome(model, request, reply=None, error=error)
        self.registry.settlement.settle(model, outcome)
        assert outcome.error is not None
        if tally.ttft_s is not None:
            outcome.error.attempts = (*route.attempts, outcome.attempt)
            raise outcome.error from outcome.error.__cause__
        route.failed(model, outcome)

    def _route(self, question: Question) -> Route:
        registry, objective = self.registry, question.objective
        choose = registry.choose_model if objective is None else partial(registry.choose_model, objective=objective)
        return Route(
            question.request,
            ANY if question.only is not None else self.needs_of(question.request, question.wanted),
            choose=choose,
            only=question.only,
            admission=registry.admission,
            health=registry.health,
            clock=registry.clock,
            rng=self._rng,
            deadline_s=question.deadline_s or self.deadline_s,
            strict=question.deadline_s is not None,
            max_attempts=question.max_attempts or self.max_attempts,
        )

    @staticmethod
    def needs_of(request: Request, wanted: Mapping[str, Any]) -> Requirements:
        """What the caller requires, and what the request itself does."""
        needs = Requirements.for_chat(**wanted)
        implied = implied_by(request, needs)
        return replace(needs, **implied) if implied else needs

    async def embed(self, model: Model, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """One vector a text, accounted like any call."""
        return await self.registry.recall.embed(
            model, texts, params, lambda new, wanted: self._embed(model, new, wanted)
        )

    async def _embed(self, model: Model, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        settlement, clock = self.registry.settlement, self.registry.clock
        settlement.begin(model)
        started = clock.monotonic()
        try:
            with clock.timeout(self.deadline_s):
                vectors = await model.send_embeddings(texts, params)
        except BaseException as error:
            if not isinstance(error, Exception) or is_set_up_fault(error):
                settlement.abandon(model)
                raise
            failure = as_provider_error(error, model)
            settlement.settle(model, Outcome(model_id=model.id, latency_s=clock.monotonic() - started, error=failure))
            raise failure from failure.__cause__
        cost_usd = cost_of(model, vectors.usage)
        vectors.usage, vectors.model_id = vectors.usage.with_cost(cost_usd), model.id
        outcome = Outcome(
            model_id=model.id,
            latency_s=clock.monotonic() - started,
            usage=vectors.usage,
            cost_usd=cost_usd,
            response_id=new_response_id(),
        )
        settlement.settle(model, outcome)
        return vectors


def _limit(name: str, value: Any, kind: Any) -> Any:
    """A limit on one request, or None where there is none of its own."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < math.inf):
        raise ValueError(f"{name}={value!r}: give a {'whole ' if kind is int else ''}number above 0")
    return value


def _question(request: Request, **facts: Any) -> Question:
    """The request, relieved of the parameters that speak to the engine and to no provider."""
    params = request.params
    if params:
        facts["deadline_s"] = _limit("deadline_s", params.pop("deadline_s", None), int | float)
        facts["max_attempts"] = _limit("max_attempts", params.pop("max_attempts", None), int)
    return Question(request, **facts)


def split_wanted(keywords: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Requirements apart from parameters; a misspelt requirement is refused rather than sent to a provider.

    >>> split_wanted({"max_cost": 0.01, "temperature": 0})
    ({'max_cost': 0.01}, {'temperature': 0})
    >>> split_wanted({"max_costs": 0.01})
    Traceback (most recent call last):
    TypeError: 'max_costs' is neither a requirement nor a parameter; did you mean 'max_cost'?
    """
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
