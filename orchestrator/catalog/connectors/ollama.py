"""Ollama's client: `Client(**client_options).chat(**metadata, messages=[...])`."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, named_for, reach_of
from orchestrator.core.model import Model
from orchestrator.errors import ConfigurationError

__all__ = ["OllamaConnector"]


class OllamaConnector(Connector):
    """For `ollama.Client` and `AsyncClient`.

    >>> OllamaConnector().format_metadata(Model(id="ollama/llama3.2:1b"))
    {'model': 'llama3.2:1b'}
    """

    name = "ollama"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model`, and what the user has noted for this client."""
        name, noted = named_for(model, self.name)
        return {"model": name, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:
        """`host` where it is not this machine."""
        if model.provider != "ollama":
            raise ConfigurationError(f"{model.id!r}: ollama's client reaches models of 'ollama' only")
        address = reach_of(model).base_url
        return {} if address is None else {"host": address}

    def client_class(self, model: Model) -> str:  # noqa: ARG002 - the contract
        """The asynchronous client has the same arguments."""
        return "ollama:Client"
