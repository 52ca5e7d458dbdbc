"""Pydantic AI: `Agent(**metadata)`; where the address is your own, `OpenAIProvider(**client_options)` leads to it."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, named_for, reach_by_openai, reach_of
from orchestrator.core.model import Model

__all__ = ["PydanticAIConnector"]

_KNOWN = frozenset(
    {
        "anthropic",
        "azure",
        "cerebras",
        "deepseek",
        "google",
        "groq",
        "huggingface",
        "mistral",
        "ollama",
        "openai",
        "openrouter",
        "together",
        "vllm",
        "xai",
        "zai",
    }
)
_BY_DIALECT = "openai-chat"


class PydanticAIConnector(Connector):
    """For `pydantic_ai.Agent`, which reads its keys from the same environment variables.

    >>> PydanticAIConnector().format_metadata(Model(id="anthropic/claude-sonnet-4-5"))
    {'model': 'anthropic:claude-sonnet-4-5'}
    """

    name = "pydantic_ai"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model` as `provider:name`."""
        provider = model.provider if model.provider in _KNOWN else _BY_DIALECT
        name, noted = named_for(model, self.name, f"{provider}:{getattr(model, 'wire_name', model.name)}")
        return {"model": name, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:
        """`base_url` and `api_key` of a provider object."""
        return (reach_of(model) if model.provider in _KNOWN else reach_by_openai(model, self.name)).options()

    def client_class(self, model: Model) -> str:  # noqa: ARG002 - the contract
        """One class for all providers."""
        return "pydantic_ai:Agent"
