"""From a key to an answer: remembered, joined while it is under way, or bought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from orchestrator.core.caching.ageing import Verdict, excusable
from orchestrator.core.caching.answers import Answers
from orchestrator.core.caching.entries import gratis, storable
from orchestrator.core.caching.figures import FLIGHT
from orchestrator.core.caching.flights import Flights, ImpatientError
from orchestrator.core.caching.leases import Leases
from orchestrator.core.caching.replay import Broadcast, Broadcasts, pieces_of, replayed, response_of
from orchestrator.core.clock import Clock
from orchestrator.core.messages import ChatResponse, Chunk, Request
from orchestrator.core.replies import Rater
from orchestrator.errors import ProviderTimeoutError

if TYPE_CHECKING:
    from orchestrator.core.caching.keys import Answerer
    from orchestrator.core.caching.semantic import Meaning, SemanticIndex

__all__ = ["Asking", "Fetch", "Open"]

Fetch = Callable[[], Awaitable[ChatResponse]]
Open = Callable[[], AsyncIterator[Chunk]]


class Asking:
    """One question at a time: look, join, take turns, ask, keep."""

    def __init__(
        self, answers: Answers, *, leases: Leases | None, semantic: SemanticIndex | None, clock: Clock
    ) -> None:
        self._answers, self._ledger = answers, answers.ledger
        self._leases, self._semantic, self._now = leases, semantic, clock.monotonic
        self._flights: Flights[ChatResponse] = Flights(clock)
        self._broadcasts = Broadcasts()
        self._renewals: dict[str, asyncio.Task[None]] = {}

    async def answer(
        self,
        key: str,
        fetch: Fetch,
        *,
        asked: tuple[Answerer | None, Request] | None,
        tags: Sequence[str],
        rater: Rater | None,
        patience_s: float | None,
    ) -> ChatResponse:
        """The answer, from wherever it is to be had."""
        hit = self._answers.peek(key, rater=rater)
        if hit is not None:
            return hit
        if self._semantic is not None and asked is not None:
            fetch = self._by_meaning(self._semantic, key, fetch, asked, rater)
        seat = self._flights.seat((key, patience_s), patience_s)
        if seat is not None:
            started = self._now()
            try:
                with seat:
                    await seat.future
            except ImpatientError as late:
                raise ProviderTimeoutError(f"an equal request under way took longer than {patience_s} s") from late
            if not seat.leads:
                return self._joined(seat.landed(), self._now() - started, rater)
        # only those join it who wait as long, since its deadline is its caller's
        return await self._flights.lead((key, patience_s), self._look_further(key, fetch, tags, rater))

    def _joined(self, response: ChatResponse, latency_s: float, rater: Rater | None) -> ChatResponse:
        self._ledger.joined += 1
        self._ledger.bought(response.cost_usd, None, None)
        return gratis(response, level=response.cached or FLIGHT, latency_s=latency_s, rater=rater)

    async def _look_further(self, key: str, fetch: Fetch, tags: Sequence[str], rater: Rater | None) -> ChatResponse:
        """What the farther levels have, else what the model says, else an old answer where that is allowed."""
        candidate = await self._answers.find(key, rater)
        if candidate is not None and candidate.verdict is not Verdict.SPARE:
            if candidate.verdict is Verdict.RENEW:
                self._renew(key, fetch, tags)
            return self._answers.hit(candidate.found, candidate.level)
        try:
            return await self._ask(key, fetch, tags, rater)
        except Exception as error:
            if candidate is None or not excusable(error):
                self._ledger.misses += 1
                raise
            self._ledger.stale += 1
            return self._answers.hit(candidate.found, candidate.level)

    async def _ask(self, key: str, fetch: Fetch, tags: Sequence[str], rater: Rater | None) -> ChatResponse:
        """The model's answer, stored; where processes take turns, perhaps another one's."""

        async def bought() -> ChatResponse:
            response = await fetch()
            if response.cached is not None:  # found by meaning, under a key of its own
                return response
            self._ledger.misses += 1
            if self._answers.store(key, response, tags=tags) and self._leases is not None:
                await self._answers.levels.flush()  # before the others may look
            return response

        async def another_s() -> ChatResponse | None:
            candidate = await self._answers.find(key, rater)
            if candidate is None or candidate.verdict is Verdict.SPARE:
                return None
            return self._answers.hit(candidate.found, candidate.level)

        return await bought() if self._leases is None else await self._leases.alone(key, bought, another_s)

    # the same question in other words

    def _by_meaning(
        self,
        index: SemanticIndex,
        key: str,
        fetch: Fetch,
        asked: tuple[Answerer | None, Request],
        rater: Rater | None,
    ) -> Fetch:
        """A fetch that first looks for an answer to the same question in other words."""

        async def near_or_fetched() -> ChatResponse:
            meaning = await index.meaning(*asked)
            near = None if meaning is None else await self._near(index, meaning, rater)
            if near is not None and not index.trial:
                index.hits += 1
                return near
            response = await fetch()
            if near is not None:
                index.compare(near, response)
            if meaning is not None and storable(response):
                index.learn(meaning, key)
            return response

        return near_or_fetched

    async def _near(self, index: SemanticIndex, meaning: Meaning, rater: Rater | None) -> ChatResponse | None:
        nearest = index.nearest(meaning)
        if nearest is None:
            return None
        key, words = nearest
        candidate = await self._answers.find(key, rater, start=0)
        if candidate is None or candidate.verdict is Verdict.SPARE:
            return None
        found = candidate.found
        if not await index.approves(meaning, words, found.response):
            return None
        if not index.trial:
            self._ledger.bought(found.cost_usd, found.latency_s, found.response.latency_s)
        return gratis(found.response, level=index.name, latency_s=found.response.latency_s or 0.0, rater=rater)

    # behind the caller's back

    def _renew(self, key: str, fetch: Fetch, tags: Sequence[str]) -> None:
        """Ask the model anew in a task of our own, one a key; `close` waits for it."""
        if key in self._renewals:
            return
        task = asyncio.get_running_loop().create_task(self._renewed(key, fetch, tags), name="cache renewal")
        self._renewals[key] = task
        task.add_done_callback(lambda _: self._renewals.pop(key, None))

    async def _renewed(self, key: str, fetch: Fetch, tags: Sequence[str]) -> None:
        try:
            response = await fetch()
        except Exception:  # noqa: BLE001 - the caller was served; the engine has recorded the failed attempt
            return
        self._ledger.refreshed += self._answers.store(key, response, tags=tags)

    # streams

    async def stream(
        self, key: str, open_stream: Open, *, tags: Sequence[str], rater: Rater | None, patience_s: float | None
    ) -> AsyncGenerator[Chunk, None]:
        """The remembered answer piece by piece, or a stream that is recorded while it passes."""
        candidate = await self._answers.find(key, rater, start=0)
        if candidate is not None and candidate.verdict is not Verdict.SPARE:
            if candidate.verdict is Verdict.RENEW:
                self._broadcast(key, open_stream, tags)
            self._answers.hit(candidate.found, candidate.level)
            for chunk in replayed(candidate.found):
                yield chunk
            return
        broadcast, joined = self._broadcast(key, open_stream, tags, patience_s)
        self._ledger.joined += joined
        self._ledger.misses += not joined
        async with aclosing(broadcast.read(level=FLIGHT if joined else None)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _broadcast(
        self, key: str, open_stream: Open, tags: Sequence[str], patience_s: float | None = None
    ) -> tuple[Broadcast, bool]:
        def landed(broadcast: Broadcast) -> None:
            response = response_of(broadcast.chunks) if broadcast.complete else None
            if response is not None:
                self._answers.store(key, response, tags=tags, pieces=pieces_of(broadcast.chunks))

        return self._broadcasts.join((key, patience_s), open_stream, landed)

    async def close(self) -> None:
        """End streams nobody finished reading, and let renewals end."""
        await self._broadcasts.stop()
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)
