"""Where entries of any kind are put and found again, each with its life, and what was counted on the way."""

from __future__ import annotations

import asyncio
import json
import random
from array import array
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from orchestrator.core.caching.ageing import Ageing
from orchestrator.core.caching.entries import VALUE, VECTOR, Entry, pack
from orchestrator.core.caching.figures import Ledger
from orchestrator.core.caching.flights import Flights
from orchestrator.core.caching.keys import SCHEMA, Answerer, digest_of, identity, label, relevant
from orchestrator.core.caching.levels import Levels
from orchestrator.core.clock import Clock
from orchestrator.core.messages import Embeddings
from orchestrator.core.usage import UsageStats
from orchestrator.errors import MalformedResponseError

__all__ = ["Shelf"]

FetchVectors = Callable[[list[str]], Awaitable[Embeddings]]


class Shelf:
    """Vectors and plain values, item by item."""

    def __init__(
        self, levels: Levels, ledger: Ledger, *, ttl_s: float, ageing: Ageing, clock: Clock, rng: random.Random
    ) -> None:
        self._levels, self._ledger = levels, ledger
        self._ttl_s, self._ageing = ttl_s, ageing
        self._clock, self._rng = clock, rng
        self._flights: Flights[Any] = Flights()

    async def find(self, key: str, kind: bytes) -> Entry | None:
        """A living entry of this kind."""
        located = await self._levels.find(key)
        if located is None:
            return None
        entry, level = located
        if entry.kind != kind or entry.age_s(self._clock.time()) >= entry.fresh_s:
            return None
        self._levels.hits[level] += 1
        return entry

    def put(
        self,
        key: str,
        kind: bytes,
        meta: Any,
        body: bytes = b"",
        *,
        ttl_s: float | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        """Store under this key in every level."""
        fresh_s = self._ageing.life_s(ttl_s or self._ttl_s, self._rng)
        labels = tuple(map(label, tags))
        spelled = json.dumps(meta, separators=(",", ":"), ensure_ascii=False)
        raw = pack(Entry(kind, self._clock.time(), fresh_s, 0.0, spelled, body, labels))
        self._levels.put(key, raw, fresh_s, labels)
        self._ledger.stored += 1

    # plain values: metadata, lists of models

    async def value(
        self, kind: str, parts: Any, fetch: Callable[[], Awaitable[Any]], *, ttl_s: float | None, tags: Sequence[str]
    ) -> Any:
        """The JSON-like value remembered for these parts, else what `fetch` brings; nothing empty is kept."""
        digest = digest_of([SCHEMA, kind, parts])
        if digest is None:
            return await fetch()
        key = f"{label(f'value {kind}')}.{label(None)}.{digest}"

        async def look_or_fetch() -> Any:
            entry = await self.find(key, VALUE)
            if entry is not None:
                return entry.meta
            self._ledger.misses += 1
            fetched = await fetch()
            spelled = json.dumps(fetched)
            if fetched:
                self.put(key, VALUE, fetched, ttl_s=ttl_s, tags=tags)
            return spelled

        landed = await self._flights.run(key, look_or_fetch)
        self._ledger.joined += landed.shared
        return json.loads(landed.value)

    # vectors: one entry a text

    async def vectors(
        self, model: Answerer, texts: Sequence[str], params: dict[str, Any], fetch: FetchVectors, *, tenant: str | None
    ) -> Embeddings:
        """A vector for each text in order; only texts that are new are asked for, each once."""
        keys = [_vector_key(model, text, params, tenant) for text in texts]
        if params.get("cache") is False or None in keys:
            return await fetch(list(texts))
        unique = {key: text for key, text in zip(keys, texts, strict=True) if key is not None}
        entries = dict(zip(unique, await asyncio.gather(*(self.find(key, VECTOR) for key in unique)), strict=True))
        known = {key: _vector_of(entry) for key, entry in entries.items() if entry is not None}
        missing = [key for key in unique if key not in known]
        usage = UsageStats(0, cost_usd=0.0)
        if missing:
            fetched = await self._fetched(missing, [unique[key] for key in missing], fetch)
            known |= dict(zip(missing, fetched, strict=True))
            usage = fetched.usage
        self._ledger.saved_usd += sum(json.loads(entry.meta) or 0.0 for entry in entries.values() if entry is not None)
        return Embeddings([known[key] for key in keys if key is not None], usage=usage, model_id=model.id)

    async def _fetched(self, keys: list[str], texts: list[str], fetch: FetchVectors) -> Embeddings:
        """The vectors of what is missing, stored one by one; equal batches at once are one."""

        async def ask() -> Embeddings:
            self._ledger.misses += len(keys)
            fetched = await fetch(texts)
            if len(fetched) != len(texts):
                raise MalformedResponseError(f"{len(fetched)} vectors for {len(texts)} texts")
            cost_usd = None if fetched.usage.cost_usd is None else fetched.usage.cost_usd / len(keys)
            for key, vector in zip(keys, fetched, strict=True):
                self.put(key, VECTOR, cost_usd, array("d", vector).tobytes())
            return fetched

        landed = await self._flights.run("\n".join(keys), ask)
        if not landed.shared:
            return landed.value  # type: ignore[no-any-return]  # flights carry any value
        self._ledger.joined += len(keys)
        free = landed.value.usage.with_cost(0.0)
        return Embeddings(landed.value, usage=free, model_id=landed.value.model_id)


def _vector_key(model: Answerer, text: str, params: dict[str, Any], tenant: str | None) -> str | None:
    digest = digest_of([SCHEMA, "vector", identity(model), tenant, text, relevant(params)])
    return digest and f"{label(model.id)}.{label(tenant)}.{digest}"


def _vector_of(entry: Entry) -> list[float]:
    vector = array("d")
    vector.frombytes(entry.body)
    return vector.tolist()
