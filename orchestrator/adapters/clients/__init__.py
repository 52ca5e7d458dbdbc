"""Their models as ours: one call, whoever made the client."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from orchestrator.core.model import Model

__all__ = ["model_of"]

# the class that its like is known by -> where its wrapper is
_WRAPPERS = {
    ("openai", "AsyncOpenAI"): "openai:OpenAIClientModel",
    ("anthropic", "AsyncAnthropic"): "anthropic:AnthropicClientModel",
    ("langchain_core", "BaseChatModel"): "langchain:LangChainModel",
    ("pydantic_ai", "Model"): "pydantic_ai:PydanticAIModel",
}
_BLOCKING = {("openai", "OpenAI"): "openai.AsyncOpenAI", ("anthropic", "Anthropic"): "anthropic.AsyncAnthropic"}


def model_of(client: Any, *, name: str | None = None, **facts: Any) -> Model:
    """A model of ours that asks through this client, with its connections, keys and middleware.

    `client` is an `openai.AsyncOpenAI` (Azure's too), an `anthropic.AsyncAnthropic`, a chat model of LangChain or a
    model of Pydantic AI; the first two serve many models, so `name` says which. `facts` describe it: `id`, `provider`,
    `cost`, `capabilities`, ... The client's own retries are switched off where that can be done: the engine retries,
    fails over and counts every attempt. The client stays yours to close.
    """
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(client).__mro__}
    for kind, home in _WRAPPERS.items():
        if kind in kinds:
            module, _, wrapper = home.partition(":")
            made: Model = getattr(import_module(f"{__name__}.{module}"), wrapper)(client, name=name, **facts)
            return made
    for kind, awaited in _BLOCKING.items():
        if kind in kinds:
            raise TypeError(
                f"{kind[0]}.{kind[1]} would block the event loop: make an {awaited} with the same arguments"
            )
    raise TypeError(
        f"{type(client).__name__} is no client known here: give an openai.AsyncOpenAI, an anthropic.AsyncAnthropic, a "
        "chat model of LangChain or a model of Pydantic AI; for anything else write the two methods of a Model"
    )
