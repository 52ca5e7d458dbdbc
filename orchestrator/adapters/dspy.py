"""The engine as the language model of a DSPy program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager
from typing import Any

from orchestrator.adapters.engine import Engine, call_id, facts_of
from orchestrator.adapters.extras import extra
from orchestrator.core.messages import ChatResponse, Chunk, Image, Message, ToolCall, UsageStats
from orchestrator.core.model import Model
from orchestrator.errors import OrchestratorError, ProviderAPIError
from orchestrator.models.model_registry import ModelRegistry

with extra("dspy"):
    import dspy
    from dspy import lm15

__all__ = ["AsyncOrchestratorEngine", "OrchestratorEngine", "orchestrator_lm"]


def orchestrator_lm(
    source: ModelRegistry | Model, *, wanted: Mapping[str, Any] | None = None, **options: Any
) -> dspy.LM:
    """A `dspy.LM` that asks a registry, or one model; `options` are those of `dspy.LM` (`temperature`, `cache`, ...).

    DSPy's own retries are off unless `num_retries` says otherwise: the engine has failed over already. What each call
    cost is in `registry.usage`, and in `provider_data` of the response.
    """
    engine = Engine(source, wanted)
    return dspy.LM(
        f"orchestrator/{engine.name}",
        engine=OrchestratorEngine(engine),
        async_engine=AsyncOrchestratorEngine(engine),
        **{"num_retries": 0, **options},
    )


class OrchestratorEngine:
    """DSPy's `Engine`: one request, one response, for plain code."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def complete(self, request: lm15.Request) -> lm15.Response:
        """The whole answer."""
        with _their_errors():
            return _response(self._engine.ask_now(_turns(request), _params(request)))

    def stream(self, request: lm15.Request) -> Iterator[Any]:
        """The answer as events."""
        with _their_errors(), closing(self._engine.stream_now(_turns(request), _params(request))) as pieces:
            yield lm15.StreamStartEvent()
            for chunk in pieces:
                yield from _events(chunk)

    def close(self) -> None:
        """The registry is its owner's to close."""


class AsyncOrchestratorEngine:
    """DSPy's `AsyncEngine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """The whole answer."""
        with _their_errors():
            return _response(await self._engine.ask(_turns(request), _params(request)))

    async def stream(self, request: lm15.Request) -> AsyncIterator[Any]:
        """The answer as events."""
        with _their_errors():
            async with aclosing(self._engine.stream(_turns(request), _params(request))) as pieces:
                yield lm15.StreamStartEvent()
                async for chunk in pieces:
                    for event in _events(chunk):
                        yield event

    async def aclose(self) -> None:
        """The registry is its owner's to close."""


# what DSPy asks, as ours


def _turns(request: lm15.Request) -> list[Message]:
    system = request.system if isinstance(request.system, str) else _text(request.system or ())
    turns = [Message("system", system)] if system else []
    return turns + [turn for message in request.messages for turn in _turns_of(message)]


def _turns_of(message: Any) -> list[Message]:
    results = [part for part in message.parts if part.type == "tool_result"]
    said = [part for part in message.parts if part.type in ("text", "image")]
    calls = tuple(ToolCall(p.name, dict(p.input), p.id) for p in message.parts if p.type == "tool_call")
    turns = [Message("tool", _text(part.content), tool_call_id=part.id, name=part.name) for part in results]
    if calls or said or not results:
        role = {"assistant": "assistant", "developer": "system", "system": "system"}.get(message.role, "user")
        plain = all(part.type == "text" for part in said)
        content = _text(said) if plain else tuple(map(_piece, said))
        turns.append(Message(role, content, calls))  # type: ignore[arg-type] # - one of the roles by construction
    return turns


def _text(parts: Any) -> str:
    return "".join(part.text for part in parts if part.type == "text")


def _piece(part: Any) -> str | Image:
    if part.type == "text":
        return str(part.text)
    if part.url:
        return Image(url=part.url)
    return Image.of(f"data:{part.media_type};base64,{part.data}")


_CONFIG = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "service_tier",
)


def _params(request: lm15.Request) -> dict[str, Any]:
    config = request.config
    params = {name: value for name in _CONFIG if (value := getattr(config, name)) is not None}
    if config.stop:
        params["stop"] = list(config.stop)
    if config.response_format is not None:
        params["response_format"] = dict(config.response_format)
    if config.user_id is not None:
        params["user"] = config.user_id
    return {**params, **_tools(request), **(config.extensions or {})}


def _tools(request: lm15.Request) -> dict[str, Any]:
    choice = request.config.tool_choice
    allowed = choice.allowed if choice is not None else ()
    tools = [
        {"name": tool.name, "description": tool.description or "", "parameters": dict(tool.parameters)}
        for tool in request.tools
        if tool.type == "function" and (not allowed or tool.name in allowed)
    ]
    if not tools:
        return {}
    wish: dict[str, Any] = {} if choice is None else {"tool_choice": choice.mode}
    if choice is not None and choice.parallel is not None:
        wish["parallel_tool_calls"] = choice.parallel
    return {"tools": tools, **wish}


# what the engine answers, as theirs

_ENDS = {"stop": "stop", "length": "length", "tool_calls": "tool_call", "content_filter": "content_filter"}


def _response(answer: ChatResponse) -> lm15.Response:
    parts: list[Any] = [lm15.ThinkingPart(answer.reasoning)] if answer.reasoning else []
    if answer.text or not answer.tool_calls:
        parts.append(lm15.TextPart(answer.text))
    parts += [
        lm15.ToolCallPart(call_id(call, at), call.name, _arguments(call)) for at, call in enumerate(answer.tool_calls)
    ]
    return lm15.Response(
        id=answer.id or None,
        model=answer.model_id or "orchestrator",
        message=lm15.Message("assistant", tuple(parts)),
        finish_reason=_ENDS.get(answer.finish_reason, "stop"),
        usage=_usage(answer.usage),
        provider_data=facts_of(answer),
    )


def _arguments(call: ToolCall) -> dict[str, Any]:
    if isinstance(call.arguments, str):
        raise lm15.ProviderError(f"the arguments of {call.name!r} are no JSON object")
    return call.arguments


def _events(chunk: Chunk) -> Iterator[Any]:
    if chunk.reasoning:
        yield lm15.StreamDeltaEvent(lm15.ThinkingDelta(chunk.reasoning, part_index=0))
    if chunk.text:
        yield lm15.StreamDeltaEvent(lm15.TextDelta(chunk.text, part_index=1))
    if (answer := chunk.response) is not None:
        for at, call in enumerate(answer.tool_calls):
            yield lm15.StreamDeltaEvent(
                lm15.ToolCallDelta(call.arguments_json, part_index=2 + at, id=call_id(call, at), name=call.name)
            )
        yield lm15.StreamEndEvent(
            _ENDS.get(answer.finish_reason, "stop"), _usage(answer.usage), provider_data=facts_of(answer)
        )


def _usage(usage: UsageStats) -> lm15.Usage:
    return lm15.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


_ERRORS = {
    "authentication": lm15.AuthError,
    "permission": lm15.AuthError,
    "quota": lm15.BillingError,
    "rate_limit": lm15.RateLimitError,
    "timeout": lm15.TimeoutError,
    "connection": lm15.TransportError,
    "overloaded": lm15.ServerError,
    "server": lm15.ServerError,
    "not_found": lm15.UnsupportedModelError,
    "context_length": lm15.ContextLengthError,
    "invalid_request": lm15.InvalidRequestError,
    "content_filter": lm15.InvalidRequestError,
}


@contextmanager
def _their_errors() -> Iterator[None]:
    """The engine's errors in the classes that an engine of DSPy raises; ours is the cause."""
    try:
        yield
    except ProviderAPIError as error:
        kind = _ERRORS.get(error.error_type, lm15.ProviderError)
        raise kind(str(error), provider="orchestrator", status=error.status, retry_after=error.retry_after_s) from error
    except OrchestratorError as error:
        raise lm15.ProviderError(str(error), provider="orchestrator") from error
