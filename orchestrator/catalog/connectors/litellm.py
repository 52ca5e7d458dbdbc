"""LiteLLM: `litellm.completion(**metadata, **client_options, messages=[...])`."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, Reach, named_for, reach_by_openai, reach_of
from orchestrator.core.model import Model

__all__ = ["LiteLLMConnector", "litellm_name"]

# what LiteLLM calls the providers it knows; for all others it is told an address that speaks OpenAI's dialect
_PROVIDERS = {
    "google": "gemini",
    "lmstudio": "lm_studio",
    "ollama": "ollama_chat",
    "together": "together_ai",
    "vllm": "hosted_vllm",
} | {
    name: name
    for name in (
        "anthropic",
        "azure",
        "cerebras",
        "deepseek",
        "groq",
        "huggingface",
        "mistral",
        "openai",
        "openrouter",
        "perplexity",
        "xai",
        "zai",
    )
}


class LiteLLMConnector(Connector):
    """For `litellm.completion` and `acompletion`.

    >>> LiteLLMConnector().format_metadata(Model(id="google/gemini-2.5-pro"))
    {'model': 'gemini/gemini-2.5-pro'}
    """

    name = "litellm"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model` with LiteLLM's name of the provider before it."""
        name, noted = named_for(model, self.name, litellm_name(model))
        return {"model": name, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:
        """`api_base` where it is not the provider's own, and `api_key`."""
        return litellm_reach(model, self.name).options("api_base")

    def client_class(self, model: Model) -> str:  # noqa: ARG002 - the contract
        """A function, not a class."""
        return "litellm:completion"


def litellm_name(model: Model) -> str:
    """A model by the name LiteLLM has for it."""
    return f"{_PROVIDERS.get(model.provider, 'openai')}/{getattr(model, 'wire_name', model.name)}"


def litellm_reach(model: Model, client: str) -> Reach:
    """Address and key; servers of your own have no address that LiteLLM could know."""
    unknown = model.provider not in _PROVIDERS or model.provider in ("vllm", "lmstudio")
    return reach_by_openai(model, client) if unknown else reach_of(model)
