"""From a question to its answer: look it up, choose, admit, call, settle, fail over. Nothing else calls a provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from orchestrator.core.attribution import tenant_of, usage_tags_of
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Message, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective, ObjectiveLike
from orchestrator.core.requirements import ANY, Requirements, implied_by
from orchestrator.models.engine import Engine
from orchestrator.models.portal import portal
from orchestrator.models.road.calling import answer, embeddings
from orchestrator.models.road.climbing import climb, whole
from orchestrator.models.road.deciding import Deciding
from orchestrator.models.road.question import Question, checked_limit, checked_switch, question_of
from orchestrator.models.road.route import Route
from orchestrator.models.road.streaming import stream
from orchestrator.selectors.context import Context

__all__ = ["Dispatcher"]

Answering = Coroutine[Any, Any, ChatResponse]


class Dispatcher:
    """Has requests answered by the models of an engine.

    `deadline_s` bounds a whole request, retries and failover included (of a stream the wait for its first piece, unless
    the call itself sets the deadline); `max_attempts` how often models are asked for it. `hedge` asks a second model
    where the first is unusually slow, `resume` has the next one go on with a stream that broke.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        deadline_s: float = 120.0,
        max_attempts: int = 3,
        hedge: bool = False,
        resume: bool = False,
    ) -> None:
        self.engine = engine
        self.observers = engine.observers
        self.deadline_s = checked_limit("deadline_s", deadline_s, int | float)
        self.max_attempts = checked_limit("max_attempts", max_attempts, int)
        self.hedge = checked_switch("hedge", hedge)
        self.resume = checked_switch("resume", resume)

    # each door gives the coroutine that answers, to be awaited at once: where thousands wait, a frame each is memory

    def call(self, model: Model, request: Request) -> Answering:
        """This very model's answer; its passing failures are retried, others are not asked."""
        return self._recalled(question_of(request, only=model))

    def generate(self, request: Request, wanted: Mapping[str, Any], objective: ObjectiveLike = None) -> Answering:
        """The answer of the best model that meets the requirements; on failure of the next best."""
        return self._recalled(question_of(request, wanted=wanted, objective=Objective.of(objective)))

    def stream(self, model: Model, request: Request) -> AsyncIterator[Chunk]:
        """This very model's answer in pieces."""
        return self._streamed(question_of(request, only=model))

    def generate_stream(
        self, request: Request, wanted: Mapping[str, Any], objective: ObjectiveLike = None
    ) -> AsyncIterator[Chunk]:
        """The best fitting model's answer in pieces; before the first piece another model may take over."""
        return self._streamed(question_of(request, wanted=wanted, objective=Objective.of(objective)))

    async def embed(self, model: Model, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """One vector a text, accounted like any call."""
        given: Sequence[object] = texts
        if strange := {type(text).__name__ for text in given if not isinstance(text, str)}:
            raise TypeError(f"only texts can be embedded, not {' or '.join(sorted(strange))}")
        tenant, tags = tenant_of(params.pop("tenant", None)), usage_tags_of(params.pop("usage_tags", None))
        question = question_of(Request((), (), params, tenant=tenant, usage_tags=tags), only=model)

        async def ask(new: Sequence[str], rest: dict[str, Any]) -> Embeddings:
            words = tuple(Message("user", text) for text in new)
            asked = Request(list(new), words, {}, tenant=tenant, usage_tags=tags)
            return await embeddings(self._route(question._replace(request=asked)), model, new, rest)

        found = partial(self.engine.recall.embed, model, texts, params, tenant=tenant)
        if self.observers:
            return await self.observers.answer(question.request, found, ask, "embeddings")
        return await found(ask)

    @staticmethod
    def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of a coroutine function, for code that cannot await."""
        return portal.run(work)

    @staticmethod
    def needs_of(request: Request, wanted: Mapping[str, Any]) -> Requirements:
        """What the caller requires, and what the request itself does."""
        needs = Requirements.for_chat(**wanted)
        implied = implied_by(request, needs)
        return replace(needs, **implied) if implied else needs

    # a whole answer: watched, looked up, asked for

    def _recalled(self, question: Question) -> Answering:
        if self.observers:
            return self.observers.answer(question.request, self._looked_up, question)
        return self._looked_up(question)

    def _looked_up(self, question: Question) -> Answering:
        patience_s = question.deadline_s or self.deadline_s
        return self.engine.recall.answer(question, partial(self._asked, question), patience_s=patience_s)

    def _asked(self, question: Question) -> Answering:
        engine = self.engine
        if engine.judge is None and not engine.contexts.awaits:
            return answer(self._route(question))
        return self._considered(question)

    async def _considered(self, question: Question) -> ChatResponse:
        """The answer where a decision needs more than what is at hand: an embedding before it, a judge after it."""
        engine = self.engine
        if question.only is not None:
            return await answer(self._route(question))
        await engine.contexts.prepare(question.request)
        route = self._route(question)
        return await (answer(route) if engine.judge is None else climb(route, engine.judge))

    # the same in pieces

    def _streamed(self, question: Question) -> AsyncIterator[Chunk]:
        pieces = self.engine.recall.stream(question, lambda: self._flowing(question))
        return self.observers.stream(question.request, pieces) if self.observers else pieces

    def _flowing(self, question: Question) -> AsyncGenerator[Chunk, None]:
        engine = self.engine
        if question.only is None and engine.judge is not None:
            return whole(lambda: self._considered(question))
        if question.only is None and engine.contexts.awaits:
            return self._prepared(question)
        return stream(self._route(question))

    async def _prepared(self, question: Question) -> AsyncGenerator[Chunk, None]:
        await self.engine.contexts.prepare(question.request)
        async with aclosing(stream(self._route(question))) as pieces:
            async for piece in pieces:
                yield piece

    # the way through the models

    def _route(self, question: Question) -> Route:
        engine, objective = self.engine, question.objective
        choose: Callable[[Requirements], Model] = engine.choices.model
        deciding = None
        if engine.journal is not None or engine.selector.contextual:
            choose = deciding = Deciding(engine.choices, question.request, objective, self._context(question.request))
        elif objective is not None:
            choose = partial(engine.choices.model, objective=objective)
        return Route(
            engine,
            question,
            ANY if question.only is not None else self.needs_of(question.request, question.wanted),
            choose=choose,
            deciding=deciding,
            deadline_s=question.deadline_s or self.deadline_s,
            max_attempts=question.max_attempts or self.max_attempts,
            hedge=self.hedge if question.hedge is None else question.hedge,
            resume=self.resume if question.resume is None else question.resume,
        )

    def _context(self, request: Request) -> Context | None:
        """What a policy that looks at requests is told of this one."""
        selector = self.engine.selector
        return self.engine.contexts.of(request, features=selector.by_features) if selector.contextual else None
