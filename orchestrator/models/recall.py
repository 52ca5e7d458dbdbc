"""Before the road: has this been asked before? The cache of the model, else that of its registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.core.caching.keys import CALL_OPTIONS
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Request
from orchestrator.core.model import Model

if TYPE_CHECKING:
    from orchestrator.core.cache import ModelCache
    from orchestrator.core.replies import Rater

__all__ = ["Recall"]


class Recall:
    """Answers from a cache what it remembers and asks for the rest; a hit is not a pull and costs nothing.

    Without a cache, and for requests that no cache takes, it only asks.
    """

    def __init__(self, cache: ModelCache | None, rater: Rater) -> None:
        self.cache = cache
        self._rater = rater

    async def answer(
        self,
        request: Request,
        only: Model | None,
        wanted: Mapping[str, Any],
        ask: Callable[[], Awaitable[ChatResponse]],
    ) -> ChatResponse:
        """The remembered answer of this model, or of any that meets what is wanted, else what `ask` brings."""
        cache = self._cache_of(only)
        key = None if cache is None else self._key(cache, request, only, wanted)
        tags = _take_options(request)
        if cache is None or key is None:
            return await ask()
        return await cache.answer(key, ask, tags=tags, rater=self._rater)

    def stream(
        self,
        request: Request,
        only: Model | None,
        wanted: Mapping[str, Any],
        ask: Callable[[], AsyncGenerator[Chunk, None]],
    ) -> AsyncGenerator[Chunk, None]:
        """The same in pieces."""
        cache = self._cache_of(only)
        key = None if cache is None else self._key(cache, request, only, wanted)
        tags = _take_options(request)
        if cache is None or key is None:
            return ask()
        return cache.stream(key, ask, tags=tags, rater=self._rater)

    async def embed(
        self, model: Model, texts: Sequence[str], params: dict[str, Any], ask: Callable[..., Awaitable[Embeddings]]
    ) -> Embeddings:
        """The remembered vectors, and those of new texts from `ask(texts, params)`."""
        cache = self._cache_of(model)
        if cache is None or not params.pop("cache", True):
            return await ask(texts, params)
        return await cache.embed(model, texts, params, lambda new: ask(new, params))

    def _cache_of(self, only: Model | None) -> ModelCache | None:
        return self.cache if only is None or only.cache is None else only.cache

    @staticmethod
    def _key(cache: ModelCache, request: Request, only: Model | None, wanted: Mapping[str, Any]) -> str | None:
        return cache.key_of(only, request, wanted) if cache.takes(request) else None


def _take_options(request: Request) -> Sequence[str]:
    """Take out of a request what speaks to the cache alone; returns the tags for the entry."""
    params = request.params
    if CALL_OPTIONS.isdisjoint(params):
        return ()
    params.pop("cache", None)
    return tuple(params.pop("cache_tags", ()))
