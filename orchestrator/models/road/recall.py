"""Before the road: has this been asked before? The cache of the model, else that of its registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from orchestrator.core.caching.keys import CALL_OPTIONS, pool_of
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Request
from orchestrator.core.model import Model
from orchestrator.models.road.question import Question

if TYPE_CHECKING:
    from orchestrator.core.cache import ModelCache
    from orchestrator.core.replies import Rater

__all__ = ["Recall"]


class Recall:
    """Answers from a cache what it remembers and asks for the rest; a hit is not a pull and costs nothing.

    Without a cache, and for requests that no cache takes, it only asks.
    """

    def __init__(self, cache: ModelCache | None, rater: Rater, models: Callable[[], Mapping[str, Model]]) -> None:
        self.cache = cache
        self._rater = rater
        self._models = models
        self._pool: tuple[Mapping[str, Model], str | None] = ({}, None)

    def answer(
        self, question: Question, ask: Callable[[], Coroutine[Any, Any, ChatResponse]], *, patience_s: float
    ) -> Coroutine[Any, Any, ChatResponse]:
        """The remembered answer, else what `ask` brings; whoever joins an equal call waits `patience_s` at most."""
        cache, key, tags = self._look_up(question)
        if cache is None or key is None:
            return ask()
        asked = (question.only, question.request)
        return cache.answer(key, ask, asked=asked, tags=tags, rater=self._rater, patience_s=patience_s)

    def stream(self, question: Question, ask: Callable[[], AsyncGenerator[Chunk, None]]) -> AsyncGenerator[Chunk, None]:
        """The same in pieces."""
        cache, key, tags = self._look_up(question)
        if cache is None or key is None:
            return ask()
        return cache.stream(key, ask, tags=tags, rater=self._rater, patience_s=question.deadline_s)

    async def embed(
        self,
        model: Model,
        texts: Sequence[str],
        params: dict[str, Any],
        ask: Callable[..., Awaitable[Embeddings]],
        *,
        tenant: str | None = None,
    ) -> Embeddings:
        """The remembered vectors, and those of new texts from `ask(texts, params)`."""
        cache = self.cache if model.cache is None else model.cache
        if cache is None or not params.pop("cache", True):
            return await ask(texts, params)
        return await cache.embed(model, texts, params, lambda new: ask(new, params), tenant=tenant)

    def _look_up(self, question: Question) -> tuple[ModelCache | None, str | None, Sequence[str]]:
        """The cache in charge, the key there and the tags for a new entry."""
        request, only = question.request, question.only
        cache = self.cache if only is None or only.cache is None else only.cache
        key = None
        if cache is not None and cache.takes(request):
            key = cache.key_of(only, request, None if only is not None else self._wanted(question))
        return cache, key, _take_options(request)

    def _wanted(self, question: Question) -> dict[str, Any]:
        """All that decides who of a registry answers: what is wanted, how it is weighed, and who is there."""
        models = self._models()
        if models is not self._pool[0]:  # the registry puts a new mapping in place with every change
            self._pool = (models, pool_of(models.values()))
        objective = question.objective
        return {
            **question.wanted,
            "pool": self._pool[1],
            "objective": None if objective is None else list(astuple(objective)),
        }


def _take_options(request: Request) -> Sequence[str]:
    """Take out of a request what speaks to the cache alone; returns the tags for the entry."""
    params = request.params
    if CALL_OPTIONS.isdisjoint(params):
        return ()
    params.pop("cache", None)
    return tuple(params.pop("cache_tags", ()))
