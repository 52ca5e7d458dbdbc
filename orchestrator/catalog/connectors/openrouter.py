"""OpenRouter, which sells every maker's models, through OpenAI's client."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, Reach, named_for
from orchestrator.core.model import Model
from orchestrator.integrations.compatible import SERVICES
from orchestrator.integrations.credentials import key_from_environment

__all__ = ["OpenRouterConnector"]

_MAKERS = {"mistral": "mistralai", "xai": "x-ai", "zai": "z-ai"}  # where they are called otherwise there


class OpenRouterConnector(Connector):
    """For `openai.OpenAI` pointed at OpenRouter, whoever serves the model here.

    >>> OpenRouterConnector().format_metadata(Model(id="openai/gpt-4"))
    {'model': 'openai/gpt-4'}
    """

    name = "openrouter"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model` under OpenRouter's name for it."""
        maker = _MAKERS.get(model.provider, model.provider)
        own = model.name if model.provider == self.name else f"{maker}/{model.name}"
        name, noted = named_for(model, self.name, own)
        return {"model": name, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:  # noqa: ARG002 - the same for every model
        """OpenRouter's address, and its key if the environment holds one."""
        service = SERVICES[self.name]
        key = key_from_environment(service.key_vars)
        return Reach(service.base_url, None if key is None else key.get_secret_value()).options()

    def client_class(self, model: Model) -> str:  # noqa: ARG002 - the contract
        """OpenRouter has no client of its own."""
        return "openai:OpenAI"
