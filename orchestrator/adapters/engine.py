"""What every framework's adapter asks: a registry that chooses, or one model; awaited, or from plain code."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from orchestrator.core.messages import ChatResponse, Chunk, Prompt, ToolCall
from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.portal import portal
from orchestrator.models.road.wanting import split_wanted

__all__ = ["AsksEngine", "Engine", "call_id", "facts_of"]


class Engine:
    """A `ModelRegistry`, which chooses and fails over, or one `Model`, with wishes that go with every call.

    `wanted` are the keywords of `generate_response`: requirements, call options, sampling parameters. What a call
    itself says comes first.

    >>> Engine(ModelRegistry(), {"max_cost": 0.01}).name
    'auto'
    >>> Engine("gpt-4o")
    Traceback (most recent call last):
        ...
    TypeError: give a ModelRegistry or a Model, such as registry['openai/gpt-4o'], not str
    """

    __slots__ = ("_source", "_wanted")

    def __init__(self, source: ModelRegistry | Model, wanted: Mapping[str, Any] | None = None) -> None:
        if not isinstance(source, ModelRegistry | Model):
            raise TypeError(
                f"give a ModelRegistry or a Model, such as registry['openai/gpt-4o'], not {type(source).__name__}"
            )
        needs, _ = split_wanted(dict(wanted or {}))
        if needs and isinstance(source, Model):
            raise TypeError(f"{', '.join(map(repr, needs))} chooses among models: give the registry, not {source.id!r}")
        self._source = source
        self._wanted = dict(wanted or {})

    @property
    def name(self) -> str:
        """The model's id, or `auto` where the registry chooses."""
        return self._source.id if isinstance(self._source, Model) else "auto"

    @property
    def context_window(self) -> int | None:
        """Tokens that fit the one model, or the largest of the registry's; None when nobody knows."""
        if isinstance(self._source, Model):
            return self._source.context_size
        return max((model.context_size for model in self._source.values() if model.context_size), default=None)

    async def ask(self, prompt: Prompt, params: Mapping[str, Any]) -> ChatResponse:
        """The whole answer."""
        return await self._source.generate_response(prompt, **{**self._wanted, **params})

    def stream(self, prompt: Prompt, params: Mapping[str, Any]) -> AsyncGenerator[Chunk, None]:
        """The answer in pieces, the last with the whole `response`; close it when you stop early."""
        pieces = self._source.stream_response(prompt, **{**self._wanted, **params})
        return cast("AsyncGenerator[Chunk, None]", pieces)

    def ask_now(self, prompt: Prompt, params: Mapping[str, Any]) -> ChatResponse:
        """The whole answer, for code that cannot await."""
        return portal.run(lambda: self.ask(prompt, params))

    def stream_now(self, prompt: Prompt, params: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        """The pieces, for code that cannot await."""
        return cast("Generator[Chunk, None, None]", portal.iterate(self.stream(prompt, params)))

    def __repr__(self) -> str:
        return f"<Engine of {self._source!r}>"


class AsksEngine(BaseModel):
    """The head of an adapter that its framework wants as a pydantic object: what to ask, and `wanted` as a field.

    >>> AsksEngine(ModelRegistry(), wanted={"max_cost": 0.01})
    AsksEngine(wanted={'max_cost': 0.01})
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    wanted: dict[str, Any] = Field(default_factory=dict)
    _engine: Engine = PrivateAttr()

    def __init__(self, source: ModelRegistry | Model, **fields: Any) -> None:
        super().__init__(**fields)
        self._engine = Engine(source, self.wanted)


def facts_of(answer: ChatResponse) -> dict[str, Any]:
    """Who answered, after which attempts and at what cost (USD), as plain data for a framework's own records.

    >>> facts_of(ChatResponse("Hi", model_id="openai/gpt-4o"))["model_name"]
    'openai/gpt-4o'
    """
    return {
        "model_name": answer.model_id,
        "provider": answer.provider,
        "finish_reason": answer.finish_reason,
        "response_id": answer.id,
        "cost_usd": answer.cost_usd,
        "latency_s": answer.latency_s,
        "cached": answer.cached,
        "attempts": [attempt._asdict() for attempt in answer.attempts],
    }


def call_id(call: ToolCall, at: int) -> str:
    """The provider's id of a call, or one by its place in the answer: Gemini and Ollama give none, frameworks want one.

    >>> call_id(ToolCall("weather", {}), 0)
    'call_0'
    """
    return call.id or f"call_{at}"
