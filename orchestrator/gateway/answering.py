"""From what is asked to what is answered: the gateway's only steps onto the road."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from orchestrator.core.messages import ChatResponse, Chunk, Embeddings
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.dialects.openai_embeddings import FORM
from orchestrator.gateway.refusals import RefusedError
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["answers", "embeddings", "pieces", "total_usage"]

_MOST_WAITING = 16  # pieces of all choices that wait for a slow reader; beyond, the providers wait too


async def answers(registry: ModelRegistry, asked: Asked) -> list[ChatResponse]:
    """As many answers as choices were asked for; several are asked side by side, and one failure fails all."""
    if asked.choices == 1:
        return [await _one(registry, asked)]
    tasks = [asyncio.create_task(_one(registry, asked, choice)) for choice in range(asked.choices)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def _one(registry: ModelRegistry, asked: Asked, choice: int = 0) -> ChatResponse:
    request, service = asked.request(choice), registry.service
    if asked.varies:
        request.params["cache"] = False  # several choices that are one remembered answer are no choice
    if asked.model is not None:
        return await service.call(named(registry, asked, asked.model), request)
    return await service.generate(request, asked.wanted, asked.objective)


def named(registry: ModelRegistry, asked: Asked, name: str) -> Model:
    """The model of that name; RefusedError where it is not known to be able to do what is asked."""
    model = registry[name]
    for need in asked.needs:
        if not model.capabilities.has(need):
            why = f"{model.id!r} is not known to have the capability {need!r}: ask another, or leave out what needs it"
            raise RefusedError(400, "invalid_request", why)
    return model


async def pieces(registry: ModelRegistry, asked: Asked) -> AsyncGenerator[tuple[int, Chunk], None]:
    """The pieces of every choice as they come, each with the number of its choice."""
    if asked.choices == 1:
        async with aclosing(_stream(registry, asked)) as stream:
            async for chunk in stream:
                yield 0, chunk
        return
    async with aclosing(_merged([_stream(registry, asked, choice) for choice in range(asked.choices)])) as merged:
        async for piece in merged:
            yield piece


def _stream(registry: ModelRegistry, asked: Asked, choice: int = 0) -> Any:
    request, service = asked.request(choice), registry.service
    if asked.varies:
        request.params["cache"] = False
    if asked.model is not None:
        return service.stream(named(registry, asked, asked.model), request)
    return service.generate_stream(request, asked.wanted, asked.objective)


async def _merged(streams: Sequence[Any]) -> AsyncGenerator[tuple[int, Chunk], None]:
    """Several streams as one, in the order in which pieces arrive; the first failure ends all."""
    queue: asyncio.Queue[tuple[int, Chunk | Exception | None]] = asyncio.Queue(_MOST_WAITING)
    tasks = [asyncio.create_task(_drain(queue, number, stream)) for number, stream in enumerate(streams)]
    flowing = len(tasks)
    try:
        while flowing:
            number, piece = await queue.get()
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                flowing -= 1
            else:
                yield number, piece
    finally:
        await _end(tasks)


async def _drain(queue: asyncio.Queue[Any], number: int, stream: AsyncGenerator[Chunk, None]) -> None:
    end: Exception | None = None
    try:
        async with aclosing(stream):
            async for chunk in stream:
                await queue.put((number, chunk))
    except Exception as error:  # noqa: BLE001 - passed on to the reader, who raises it
        end = error
    await queue.put((number, end))


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Leave nothing running and nothing unheard behind."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def embeddings(registry: ModelRegistry, asked: Asked) -> Embeddings:
    """One vector a text, from the named model or from the best that can."""
    texts = list(map(str, asked.prompt))
    params = {name: value for name, value in asked.params.items() if name != FORM}
    if asked.model is not None:
        model = registry[asked.model]
    else:
        model = await registry.select_model(**{"capabilities": ["embeddings"], **asked.wanted})
    return await registry.service.embed(model, texts, params)


def total_usage(responses: Sequence[ChatResponse]) -> UsageStats:
    """What several choices consumed together."""
    total = responses[0].usage
    for response in responses[1:]:
        total += response.usage
    return total
