"""Chat answers on the levels: found, judged by their age, counted, and kept when they deserve it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.core.caching.ageing import Ageing, Verdict
from orchestrator.core.caching.entries import Entry, Found, pack_response, response_from, storable, unpack
from orchestrator.core.caching.figures import Ledger
from orchestrator.core.caching.keys import ANY_MODEL, label
from orchestrator.core.caching.levels import Levels
from orchestrator.core.clock import Clock
from orchestrator.core.messages import ChatResponse
from orchestrator.core.replies import Rater

__all__ = ["Answers", "Candidate", "tag_of_model"]


class Candidate(NamedTuple):
    """An answer that was found, the number of its level, and what its age allows."""

    found: Found
    level: int
    verdict: Verdict


class Answers:
    """What was answered before, by key."""

    def __init__(
        self,
        levels: Levels,
        ledger: Ledger,
        *,
        ttl_s: float,
        ageing: Ageing,
        compress_above: int | None,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.levels, self.ledger = levels, ledger
        self._ttl_s, self._ageing, self._compress_above = ttl_s, ageing, compress_above
        self._clock, self._now, self._rng = clock, clock.monotonic, rng
        self._watches = ageing.watches

    def peek(self, key: str, *, rater: Rater | None = None) -> ChatResponse | None:
        """A fresh answer from a near level, counted as a hit, or None."""
        started = self._now()
        at_hand = self.levels.peek(key)
        if at_hand is None:
            return None
        raw, level = at_hand
        entry = unpack(raw)
        if entry is None or (self._watches and self._verdict(entry) is not Verdict.FRESH):
            return None
        found = self._found(entry, level, started, rater)
        if found is None:
            return None
        if level:
            self.levels.promote(key, raw, entry, level)
        return self.hit(found, level)

    async def find(self, key: str, rater: Rater | None, *, start: int | None = None) -> Candidate | None:
        """The answer in the first level that has it, unless it is dead; by default after `peek`, so the far ones."""
        started = self._now()
        if start is None:
            start = 0 if self._watches else len(self.levels.nearest)
        located = await self.levels.find(key, start=start)
        if located is None:
            return None
        entry, level = located
        verdict = self._verdict(entry)
        found = self._found(entry, level, started, rater)
        return None if found is None or verdict is Verdict.DEAD else Candidate(found, level, verdict)

    def _verdict(self, entry: Entry) -> Verdict:
        return self._ageing.verdict(entry, now=self._clock.time(), rng=self._rng)

    def _found(self, entry: Entry, level: int, started: float, rater: Rater | None) -> Found | None:
        name = self.levels.stores[level].name
        return response_from(entry, level=name, latency_s=self._now() - started, rater=rater)

    def hit(self, found: Found, level: int) -> ChatResponse:
        """Count an answer as given by this level."""
        self.levels.hits[level] += 1
        self.ledger.bought(found.cost_usd, found.latency_s, found.response.latency_s)
        return found.response

    def store(
        self, key: str, response: ChatResponse, *, tags: Sequence[str] = (), pieces: list[list[int]] | None = None
    ) -> bool:
        """Keep an answer for the next who asks; False for one that is not to be kept."""
        labels = _labels(key, response, tags)
        if labels is None or not storable(response):
            self.ledger.refused += 1
            return False
        fresh_s = self._ageing.life_s(self._ttl_s, self._rng)
        raw = pack_response(
            response,
            stored_at=self._clock.time(),
            fresh_s=fresh_s,
            tags=labels,
            pieces=pieces,
            compress_above=self._compress_above,
        )
        self.levels.put(key, raw, fresh_s, labels)
        self.ledger.stored += 1
        return True


def _labels(key: str, response: ChatResponse, tags: Sequence[str]) -> tuple[str, ...] | None:
    """The tags of an entry, or None when another model answered than the key stands for."""
    labels = tuple(map(label, tags))
    asked, stands_for_models, _ = key.partition(".")
    if response.model_id is None or not stands_for_models or asked == label(response.model_id):
        return labels
    return (*labels, tag_of_model(response.model_id)) if asked == label(ANY_MODEL) else None


def tag_of_model(model_id: str) -> str:
    """The tag of what was asked of "any model" and answered by this one."""
    return label(f"model {model_id}")
