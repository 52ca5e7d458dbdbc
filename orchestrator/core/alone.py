"""A model that belongs to no registry: asked once, remembered if it has a cache, counted in its own metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from orchestrator.core.attempt import StreamTally, attempt, is_set_up_fault, response_of, until
from orchestrator.core.caching.keys import CALL_OPTIONS
from orchestrator.core.clock import SYSTEM_CLOCK
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Request

if TYPE_CHECKING:
    from orchestrator.core.model import Model

__all__ = ["ALONE"]

_ENGINE_OPTIONS = CALL_OPTIONS | {  # for us, not for a provider
    "deadline_s",
    "max_attempts",
    "hedge",
    "resume",
    "priority",
    "wait_for_capacity",
}


class _Alone:
    """Carries out the calls of such a model: no choice, no retry, no failover."""

    async def call(self, model: Model, request: Request) -> ChatResponse:
        """Ask once, or remember."""
        key = _key_of(model, request)
        limit_s = _take_options(request).get("deadline_s")
        if model.cache is None or key is None:
            return await _ask(model, request, limit_s)
        return await model.cache.answer(key, lambda: _ask(model, request, limit_s), asked=(model, request))

    def stream(self, model: Model, request: Request) -> AsyncIterator[Chunk]:
        """Ask once, or remember, in pieces."""
        key = _key_of(model, request)
        limit_s = _take_options(request).get("deadline_s")
        if model.cache is None or key is None:
            return _ask_in_pieces(model, request, limit_s)
        return model.cache.stream(key, lambda: _ask_in_pieces(model, request, limit_s))

    async def embed(self, model: Model, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """Ask once for what is not remembered."""
        if model.cache is None or not params.pop("cache", True):
            return await model.send_embeddings(texts, params)
        return await model.cache.embed(model, texts, params, lambda new: model.send_embeddings(new, params))

    def run(self, work: Callable[[], Any]) -> Any:
        """In a loop of its own."""
        return asyncio.run(work())


def _key_of(model: Model, request: Request) -> str | None:
    return model.cache.key_of(model, request) if model.cache is not None and model.cache.takes(request) else None


def _take_options(request: Request) -> dict[str, Any]:
    return {name: request.params.pop(name) for name in _ENGINE_OPTIONS & request.params.keys()}


async def _ask(model: Model, request: Request, limit_s: float | None) -> ChatResponse:
    reply, outcome = await attempt(model, request, limit_s=limit_s)
    model.metrics.record(outcome)
    if reply is None:
        assert outcome.error is not None
        raise outcome.error
    return response_of(model, reply, outcome)


async def _ask_in_pieces(model: Model, request: Request, limit_s: float | None) -> AsyncGenerator[Chunk, None]:
    tally = StreamTally(request, SYSTEM_CLOCK)
    try:
        async with aclosing(model.open_stream(request)) as pieces:
            async for chunk in pieces if limit_s is None else until(pieces, SYSTEM_CLOCK, tally.started + limit_s):
                if (shown := tally.take(chunk)) is not None:
                    yield shown
        reply = tally.reply()
    except Exception as error:
        if is_set_up_fault(error):
            raise
        outcome = tally.outcome(model, error=error)
        model.metrics.record(outcome)
        raise (outcome.error or error) from error.__cause__
    outcome = tally.outcome(model, reply=reply)
    model.metrics.record(outcome)
    yield Chunk.closing(response_of(model, reply, outcome))


ALONE = _Alone()
