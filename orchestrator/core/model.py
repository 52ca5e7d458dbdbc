"""A model: its description, its live metrics and the way to call it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from orchestrator.core import custom
from orchestrator.core.info import ModelCapabilities, ModelConstraints, ModelInfo
from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Prompt, Reply, Request
from orchestrator.core.metrics import ModelMetrics
from orchestrator.errors import ModelProviderError

if TYPE_CHECKING:
    from orchestrator.core.cache import ModelCache

__all__ = ["Caller", "Model", "ModelCapabilities", "ModelConstraints", "ModelInfo", "ModelMetrics"]


class Caller(Protocol):
    """Who carries a model's calls out: the service of its registry, or a lone attempt."""

    async def call(self, model: Model, request: Request) -> ChatResponse:
        """One answer from this very model."""

    def stream(self, model: Model, request: Request) -> AsyncIterator[Chunk]:
        """The answer in pieces, the last with finish reason, usage and tool calls."""

    async def embed(self, model: Model, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """One vector a text, in order."""

    def run(self, work: Callable[[], Any]) -> Any:
        """The result of a coroutine function, for code that cannot await."""


class Model:
    """One model, callable, with what is known and what was measured about it.

    Write a model of your own by subclassing and giving two methods, `generate_response(prompt, **kwargs)`,
    which may return plain text, and `health_check()`. Caching, metrics, limits, failover and learning come with it.

    >>> class Echo(Model):
    ...     def __init__(self):
    ...         super().__init__(name="echo", provider="custom")
    ...     async def generate_response(self, prompt, **kwargs):
    ...         return prompt.upper()
    ...     async def health_check(self):
    ...         return True
    >>> import asyncio
    >>> echo = Echo()
    >>> print(asyncio.run(echo.generate_response("hello")), echo.id, echo.metrics.calls)
    HELLO custom/echo 1
    """

    id: str
    _info: ModelInfo
    _own_generate: ClassVar[Callable[..., Any] | None] = None
    _provider_send: ClassVar[Callable[..., Any] | None] = None  # what super() reaches in a subclass of a provider class
    _provider_stream: ClassVar[Callable[..., Any] | None] = None
    _own_stream: ClassVar[Callable[..., Any] | None] = None

    def __init__(
        self,
        info: ModelInfo | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the name users expect
        name: str | None = None,
        provider: str | None = None,
        capabilities: ModelCapabilities | Mapping[str, Any] | None = None,
        constraints: ModelConstraints | Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> None:
        if info is None:
            given: dict[str, Any] = dict(
                id=id, name=name, provider=provider, capabilities=capabilities, constraints=constraints
            )
            if provider is None and id is None:
                given["provider"] = "custom"
            info = ModelInfo(**{key: value for key, value in given.items() if value is not None}, **facts)
        self.info = info
        self.metrics = ModelMetrics()
        self.cost = info.cost  # the declared price; a registry fills in the price list's where there is none
        self.cache: ModelCache | None = None
        self._caller: Caller | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Put every subclass's own generation behind the common door, so that each call is counted once."""
        super().__init_subclass__(**kwargs)
        if "generate_response" in cls.__dict__:
            own = cls.__dict__["generate_response"]
            cls._own_generate = own
            if cls.send is not Model.send and "send" not in cls.__dict__:
                cls._provider_send, cls.send = cls.send, Model.send  # type: ignore[method-assign]  # theirs comes first
            cls.generate_response = custom.behind(Model.generate_response, own)  # type: ignore[method-assign]  # that is the point
        if "stream_response" in cls.__dict__:
            own = cls.__dict__["stream_response"]
            cls._own_stream = own
            if cls.open_stream is not Model.open_stream and "open_stream" not in cls.__dict__:
                cls._provider_stream, cls.open_stream = cls.open_stream, Model.open_stream  # type: ignore[method-assign]  # likewise
            cls.stream_response = custom.behind_in_pieces(Model.stream_response, own)  # type: ignore[method-assign]  # likewise

    # the doors: what users call

    async def generate_response(self, prompt: Prompt, **params: Any) -> ChatResponse:
        """Answer one prompt: text, a list of text and images, or a list of messages; parameters are forwarded."""
        if custom.is_running(self):
            return await self._ask_provider(Request.of(prompt, **params))
        return await self._door.call(self, Request.of(prompt, **params))

    def stream_response(self, prompt: Prompt, **params: Any) -> AsyncIterator[Chunk]:
        """Answer in pieces; the last chunk has `finish_reason`, `usage` and `tool_calls` for the whole."""
        ask = type(self)._provider_stream  # noqa: SLF001 - our own class
        if ask is not None and custom.is_running(self):
            pieces: AsyncIterator[Chunk] = ask(self, Request.of(prompt, **params))
            return pieces
        return self._door.stream(self, Request.of(prompt, **params))

    async def embed(self, texts: Sequence[str] | str, **params: Any) -> Embeddings:
        """One vector for each text, in order."""
        return await self._door.embed(self, [texts] if isinstance(texts, str) else list(texts), params)

    def __call__(self, prompt: Prompt, **params: Any) -> ChatResponse:
        """Answer from code that cannot await."""
        answer: ChatResponse = self._door.run(lambda: self.generate_response(prompt, **params))
        return answer

    async def health_check(self) -> bool:
        """True when the model can be asked; the cheapest probe there is, and never a paid one."""
        return self.setup_issue() is None

    async def initialize(self) -> None:
        """Get ready before the first call; the default has nothing to do."""

    async def cleanup(self) -> None:
        """Let go of what the calls have opened; the model may be used again afterwards."""

    def setup_issue(self) -> str | None:
        """Why this model cannot be called at all, with the remedy, or None."""
        if type(self).send is not Model.send or type(self)._own_generate is not None:  # noqa: SLF001 - our own class
            return None
        return (
            f"{self.id!r} is a description without a way to call it: use a provider class such as OpenAIModel, "
            f"or register_provider({self.provider!r}, ...)"
        )

    @property
    def rate_headers(self) -> Mapping[str, str] | None:
        """The headers of the last reply, which may say how much the provider still allows; None before one came."""
        return None

    def enable_caching(self, cache: ModelCache) -> None:
        """Answer repeated prompts from this cache."""
        self.cache = cache

    @property
    def _door(self) -> Caller:
        if self._caller is None:
            from orchestrator.core.alone import ALONE

            return ALONE
        return self._caller

    # the port: what the service calls, and what a provider class overrides

    async def send(self, request: Request) -> Reply:
        """One call to the provider, as it is: no retry, no cache, no accounting."""
        own = type(self)._own_generate  # noqa: SLF001 - our own class
        if own is None:
            raise ModelProviderError(self.setup_issue() or f"{self.id!r} has no generate_response")
        return await custom.ask(self, own, request)

    async def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The provider's answer in pieces; a model without streaming gives one piece."""
        own = type(self)._own_stream  # noqa: SLF001 - our own class
        if own is None:
            reply = await self.send(request)
            yield last_chunk(reply, reply.text)
            return
        async with aclosing(custom.ask_in_pieces(self, own, request)) as pieces:
            async for chunk in pieces:
                yield chunk

    async def _ask_provider(self, request: Request) -> ChatResponse:
        """The provider's own answer, for a subclass that has put its code before it."""
        ask = type(self)._provider_send  # noqa: SLF001 - our own class
        if ask is None:
            raise ModelProviderError(f"{self.id!r}: there is no generate_response above the model's own to call")
        reply: Reply = await ask(self, request)
        return ChatResponse(
            reply.text,
            usage=reply.usage,
            model_id=self.id,
            finish_reason=reply.finish_reason,
            tool_calls=reply.tool_calls,
            reasoning=reply.reasoning,
            provider=self.provider,
        )

    async def send_embeddings(self, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:  # noqa: ARG002 - the contract
        """One embeddings call to the provider."""
        raise ModelProviderError(f"{self.id!r} computes no embeddings; choose a model with the embeddings capability")

    # what is known, read through

    @property
    def info(self) -> ModelInfo:
        """Everything that is declared about it."""
        return self._info

    @info.setter
    def info(self, info: ModelInfo) -> None:
        self._info = info
        self.id = info.id  # the name in the registry, read many times a call

    @property
    def name(self) -> str:
        """The provider's own name for it."""
        return self.info.name

    @property
    def provider(self) -> str:
        """Who serves it."""
        return self.info.provider

    @property
    def key_id(self) -> str:
        """Tells which models share a key, without telling the key; a model without one stands alone."""
        return self.id

    @property
    def foreign_params(self) -> frozenset[str]:
        """Parameters that only other providers understand, and that this one would refuse."""
        return frozenset()

    @property
    def capabilities(self) -> ModelCapabilities:
        """What it can do."""
        return self.info.capabilities

    @property
    def constraints(self) -> ModelConstraints:
        """The limits on its use."""
        return self.info.constraints

    @property
    def context_size(self) -> int | None:
        """Context window in tokens."""
        return self.info.context_window

    @property
    def is_local(self) -> bool:
        """True when it runs on this machine or network."""
        return self.info.is_local

    @property
    def tags(self) -> set[str]:
        """Labels of the user."""
        return self.info.tags

    @property
    def connector_metadata(self) -> dict[str, dict[str, Any]]:
        """Ids and settings that other clients use for it."""
        return self.info.connector_metadata

    @property
    def custom_metadata(self) -> dict[str, Any]:
        """Notes of the user."""
        return self.info.custom_metadata

    @property
    def cost_per_token(self) -> dict[str, float]:
        """USD per token by kind; empty when unknown."""
        return {} if self.cost is None else self.cost.per_token

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: not what ties the model to this process."""
        return {**self.__dict__, "_caller": None, "cache": None}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"


def last_chunk(reply: Reply, text: str = "") -> Chunk:
    """The closing chunk of a stream, from the whole reply."""
    return Chunk(
        text,
        reply.reasoning if text else "",
        reply.finish_reason,
        reply.usage,
        reply.tool_calls,
        raw_finish=reply.raw_finish,
        upstream_model=reply.upstream_model,
        refusal=reply.refusal,
    )
