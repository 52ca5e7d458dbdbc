"""The cache of answers: what was asked before costs nothing, and a cache is never why an answer is wrong or missing."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Self, TypedDict, Unpack

from orchestrator.core.caching.ageing import Ageing
from orchestrator.core.caching.answers import Answers, tag_of_model
from orchestrator.core.caching.asking import Asking, Fetch, Open
from orchestrator.core.caching.figures import CacheStatistics, Ledger, LevelStatistics
from orchestrator.core.caching.keys import CALL_OPTIONS, IRRELEVANT, Answerer, key_of, label
from orchestrator.core.caching.leases import Leases
from orchestrator.core.caching.levels import Levels, Which, build
from orchestrator.core.caching.semantic import SemanticIndex
from orchestrator.core.caching.settings import LevelOptions, LevelSettings, amount
from orchestrator.core.caching.shelf import Shelf
from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Request
from orchestrator.core.replies import Rater

__all__ = ["CALL_OPTIONS", "IRRELEVANT", "CacheStatistics", "LevelStatistics", "ModelCache", "SemanticIndex"]

_COMPRESS_ABOVE = 1024  # bytes: below, zlib saves nothing worth its time


class _Common(TypedDict):
    ttl_s: float
    ageing: Ageing
    clock: Clock
    rng: random.Random


class ModelCache:
    """Answers by request, in one or several levels: `"memory"`, `"disk"` or `"redis"` (both with memory in front).

    `backend` may also be a tuple of these names and of levels of your own, nearest first. `ttl` is seconds,
    `max_size` entries a level, `compression` packs what is longer than 1 kB. `level_ttl` shortens the life in single
    levels; `any_temperature=True` keeps sampled answers too. `early_refresh`, `stale_while_revalidate_s` and
    `stale_if_error_s` are off until given, and so is `lease_s`: one call upstream over all processes that share a
    Redis. Further options are those of `LevelOptions`: where a level is and how much it may hold.

    >>> import asyncio
    >>> async def ask():
    ...     return ChatResponse("Paris", model_id="openai/gpt-4o")
    >>> cache = ModelCache(ttl=3600, max_size=10_000)
    >>> first, second = (asyncio.run(cache.answer("key", ask)) for _ in range(2))
    >>> first.cached, second.cached, second.text, cache.get_statistics().hit_rate
    (None, 'memory', 'Paris', 0.5)
    """

    def __init__(
        self,
        backend: str | Sequence[Any] = "memory",
        ttl: float = 3600,
        max_size: int = 10_000,
        compression: bool = False,  # noqa: FBT001, FBT002 - the documented constructor
        *,
        level_ttl: Mapping[str, float] | None = None,
        any_temperature: bool = False,
        jitter: float = 0.1,
        early_refresh: float = 0.0,
        stale_while_revalidate_s: float = 0.0,
        stale_if_error_s: float = 0.0,
        lease_s: float | None = None,
        semantic: SemanticIndex | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        **options: Unpack[LevelOptions],
    ) -> None:
        self.ttl_s = amount("ttl", ttl, above=True)
        self.any_temperature = any_temperature
        ageing = Ageing(
            jitter=amount("jitter", jitter, most=0.9),
            early_refresh=amount("early_refresh", early_refresh, most=100),
            while_revalidating_s=amount("stale_while_revalidate_s", stale_while_revalidate_s),
            if_error_s=amount("stale_if_error_s", stale_if_error_s),
        )
        self._levels = Levels(
            build(backend, LevelSettings.checked(options, max_size=max_size, clock=clock)),
            ttl_s={
                name: amount(f"level_ttl[{name!r}]", limit, above=True) for name, limit in (level_ttl or {}).items()
            },
            grace_s=ageing.grace_s,
            clock=clock,
        )
        if lease_s is not None:
            lease_s = amount("lease_s", lease_s, least=0.1, most=600)
        self._semantic = semantic
        self._ledger = Ledger()
        common: _Common = {
            "ttl_s": self.ttl_s,
            "ageing": ageing,
            "clock": clock,
            "rng": rng if rng is not None else random.Random(),
        }
        answers = Answers(self._levels, self._ledger, compress_above=_COMPRESS_ABOVE if compression else None, **common)
        leases = Leases.of(self._levels.stores, lease_s, clock)
        self._asking = Asking(answers, leases=leases, semantic=semantic, clock=clock)
        self._shelf = Shelf(self._levels, self._ledger, **common)
        self._peek, self.store = answers.peek, answers.store

    # the questions of the road: may it, under which key, and what is the answer

    def takes(self, request: Request) -> bool:
        """False for what is not to be remembered: sampled answers unless asked for, and calls with `cache=False`."""
        params = request.params
        if not params:
            return True
        wish = params.get("cache")
        if wish is not None:
            return bool(wish)
        temperature = params.get("temperature")
        return temperature is None or self.any_temperature or temperature == 0

    def key_of(self, model: Answerer | None, request: Request, wanted: Mapping[str, Any] | None = None) -> str | None:
        """The key of a request to this model, or to whichever meets what is wanted; None when it has none."""
        return key_of(model, request, wanted)

    def peek(self, key: str, *, rater: Rater | None = None) -> ChatResponse | None:
        """The answer if a near level has it, without waiting; counted as a hit, while None counts as nothing yet."""
        return self._peek(key, rater=rater)

    def answer(
        self,
        key: str,
        fetch: Fetch,
        *,
        asked: tuple[Answerer | None, Request] | None = None,
        tags: Sequence[str] = (),
        rater: Rater | None = None,
        patience_s: float | None = None,
    ) -> Coroutine[Any, Any, ChatResponse]:
        """The remembered answer, or what `fetch` brings: called once for any number of equal calls under way.

        A remembered answer is a copy with `cached` naming its level, a cost of 0 and the time of the look-up. What is
        cut, refused, filtered or broken is never kept, nor what another model said than the key stands for. `asked`,
        the model and the request behind the key, is read by a semantic index only. `patience_s` bounds the wait for
        somebody else's call, which has the same; one's own is bounded by `fetch`.
        """
        return self._asking.answer(key, fetch, asked=asked, tags=tags, rater=rater, patience_s=patience_s)

    def stream(
        self,
        key: str,
        open_stream: Open,
        *,
        tags: Sequence[str] = (),
        rater: Rater | None = None,
        patience_s: float | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """The remembered answer piece by piece, or a stream that is recorded while it passes.

        Equal streams under way with the same `patience_s` are one upstream; only one that came to its end is stored,
        and `answer` finds it too.
        """
        return self._asking.stream(key, open_stream, tags=tags, rater=rater, patience_s=patience_s)

    async def embed(
        self,
        model: Answerer,
        texts: Sequence[str],
        params: dict[str, Any],
        fetch: Callable[[list[str]], Awaitable[Embeddings]],
        *,
        tenant: str | None = None,
    ) -> Embeddings:
        """One vector a text, in order; `fetch` is asked only for texts that are new, and its usage is the usage."""
        return await self._shelf.vectors(model, texts, params, fetch, tenant=tenant)

    async def value(
        self,
        kind: str,
        parts: Any,
        fetch: Callable[[], Awaitable[Any]],
        *,
        ttl: float | None = None,
        tags: Sequence[str] = (),
    ) -> Any:
        """A JSON-like value such as a model's metadata or a list of models, by all the parts it depends on."""
        return await self._shelf.value(kind, parts, fetch, ttl_s=ttl, tags=tags)

    # figures

    def get_statistics(self) -> CacheStatistics:
        """What the cache has done since it was made."""
        levels = self._levels.figures(self._ledger)
        if self._semantic is not None:
            levels[self._semantic.name] = self._semantic.figures()
        return self._ledger.statistics(levels)

    # forgetting and closing

    async def invalidate(
        self,
        *,
        key: str | None = None,
        model: Answerer | str | None = None,
        tenant: str | None = None,
        tag: str | None = None,
    ) -> int:
        """Forget what matches all that is given, in every level; says how many entries that were."""
        if key is None and model is None and tenant is None and tag is None:
            raise TypeError("invalidate() needs key=, model=, tenant= or tag=; clear() forgets everything")
        by = Which(key, None, _label(tenant), _label(tag))
        if model is None:
            return await self._levels.drop(by)
        model_id = model if isinstance(model, str) else model.id
        dropped = await self._levels.drop(by._replace(model=label(model_id)))
        if tag is None:
            dropped += await self._levels.drop(by._replace(tag=tag_of_model(model_id)))
        return dropped

    async def clear(self) -> None:
        """Forget everything; the counts stay."""
        await self._levels.clear()
        if self._semantic is not None:
            self._semantic.clear()

    async def flush(self) -> None:
        """Return when everything stored so far is written."""
        await self._levels.flush()

    async def close(self) -> None:
        """Let renewals end, write what is pending and let go of files and connections."""
        await self._asking.close()
        await self._levels.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        levels = ", ".join(store.name for store in self._levels.stores)
        return f"<ModelCache of {levels}: {self.get_statistics().hit_rate:.0%} hits>"


def _label(name: str | None) -> str | None:
    return None if name is None else label(name)
