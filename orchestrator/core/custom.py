"""Models that users write: their two methods, put behind the common door so that each call is counted once."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable
from contextvars import ContextVar
from typing import Any

from orchestrator.core.messages import ChatResponse, Chunk, Prompt, Reply, Request

__all__ = ["ask", "ask_in_pieces", "behind", "behind_in_pieces", "is_running"]

Method = Callable[..., Any]

_END = object()
_running: ContextVar[object] = ContextVar("running", default=None)  # the model whose own code runs here


def is_running(model: object) -> bool:
    """True inside the model's own code, where its methods mean themselves and not the door."""
    return _running.get() is model


def behind(door: Method, own: Method) -> Method:
    """The method users call: the door; from inside the model's own code the plain one, so that super() works."""

    @functools.wraps(own)
    async def generate_response(self: object, prompt: Prompt, *args: Any, **params: Any) -> Any:
        if is_running(self):
            result = own(self, prompt, *args, **params)
            return await result if inspect.isawaitable(result) else result
        return await door(self, prompt, **_named(args), **params)

    return generate_response


def behind_in_pieces(door: Method, own: Method) -> Method:
    """The same for a method that yields pieces."""

    @functools.wraps(own)
    def stream_response(self: object, prompt: Prompt, *args: Any, **params: Any) -> Any:
        if is_running(self):
            return own(self, prompt, *args, **params)
        return door(self, prompt, **_named(args), **params)

    return stream_response


async def ask(model: object, own: Method, request: Request) -> Reply:
    """What the model's own method answers."""
    token = _running.set(model)
    try:
        arguments = _arguments(own, request)
        if inspect.iscoroutinefunction(own):
            return _as_reply(await own(model, request.prompt, **arguments))
        # a plain function may block: it runs in a thread, the loop does not wait for it
        result = await asyncio.to_thread(own, model, request.prompt, **arguments)
        return _as_reply(await result if inspect.isawaitable(result) else result)
    finally:
        _running.reset(token)


async def ask_in_pieces(model: object, own: Method, request: Request) -> AsyncGenerator[Chunk, None]:
    """What the model's own method yields, with an end mark where it gives none."""
    token = _running.set(model)
    try:
        pieces = own(model, request.prompt, **_arguments(own, request))
    finally:
        _running.reset(token)
    ended = False
    try:
        while (piece := await _next(model, pieces)) is not _END:
            chunk = piece if isinstance(piece, Chunk) else Chunk(str(piece))
            ended = chunk.finish_reason is not None
            yield chunk
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
    if not ended:
        yield Chunk(finish_reason="stop")


async def _next(model: object, pieces: Any) -> Any:
    # step by step, because a generator's caller must not see this mark between its steps
    token = _running.set(model)
    try:
        return await anext(pieces, _END)
    finally:
        _running.reset(token)


def _named(args: tuple[Any, ...]) -> dict[str, Any]:
    """A second positional argument is the older `parameters` mapping."""
    return dict(args[0]) if args and args[0] else {}


@functools.lru_cache(maxsize=1024)
def _accepts(own: Method) -> tuple[bool, frozenset[str]]:
    """Whether a user's method takes any keyword, and which ones by name."""
    parameters = inspect.signature(own).parameters.values()
    return any(p.kind is p.VAR_KEYWORD for p in parameters), frozenset(p.name for p in parameters)


def _arguments(own: Method, request: Request) -> dict[str, Any]:
    """The keyword arguments of a request that a user's method can take."""
    anything, names = _accepts(own)
    given = dict(request.params)
    for name in ("tools", "tool_choice", "response_format"):
        value = getattr(request, name)
        if value:
            given[name] = value
    if anything:
        return given
    if "parameters" in names:
        return {"parameters": given}
    return {name: value for name, value in given.items() if name in names}


def _as_reply(result: Any) -> Reply:
    """What a user's method returned, as a reply."""
    if isinstance(result, Reply):
        return result
    if isinstance(result, ChatResponse):
        return Reply(result.text, result.finish_reason, result.usage, result.tool_calls, result.reasoning)
    return Reply("" if result is None else str(result))
