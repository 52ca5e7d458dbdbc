"""OpenAI's client: `OpenAI(**client_options).chat.completions.create(**metadata, messages=[...])`."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, named_for, reach_by_openai
from orchestrator.core.model import Model

__all__ = ["OpenAIConnector"]


class OpenAIConnector(Connector):
    """For `openai.OpenAI` and `AsyncOpenAI`: also models of every service that speaks its dialect.

    >>> model = Model(id="mine", provider="custom", connector_metadata={"openai": {"id": "gpt-4"}})
    >>> OpenAIConnector().format_metadata(model)
    {'model': 'gpt-4'}
    """

    name = "openai"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model`, and what the user has noted for this client."""
        name, noted = named_for(model, self.name)
        return {"model": name, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:
        """`base_url` where it is not OpenAI's, and `api_key`."""
        return reach_by_openai(model, self.name).options()

    def client_class(self, model: Model) -> str:  # noqa: ARG002 - the contract
        """The asynchronous client has the same arguments."""
        return "openai:OpenAI"
