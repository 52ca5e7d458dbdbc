"""LangChain: `ChatOpenAI(**metadata, **client_options)`, or the class of the model's provider."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, named_for, reach_by_openai, reach_of
from orchestrator.core.model import Model

__all__ = ["LangChainConnector"]

_CLASSES = {
    "anthropic": "langchain_anthropic:ChatAnthropic",
    "google": "langchain_google_genai:ChatGoogleGenerativeAI",
    "ollama": "langchain_ollama:ChatOllama",
}
_BY_OPENAI = "langchain_openai:ChatOpenAI"


class LangChainConnector(Connector):
    """For LangChain's chat models; `client_class` names the one that fits.

    >>> connector, model = LangChainConnector(), Model(id="ollama/llama3.2")
    >>> connector.client_class(model), connector.format_metadata(model)
    ('langchain_ollama:ChatOllama', {'model': 'llama3.2'})
    """

    name = "langchain"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model`, and what the user has noted for this client."""
        name, noted = named_for(model, self.name)
        return {"model": name, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:
        """`base_url` where it is not the provider's own, and `api_key`; ChatOllama takes no key."""
        if model.provider not in _CLASSES:
            return reach_by_openai(model, self.name).options()
        options = reach_of(model).options()
        if model.provider == "ollama":
            options.pop("api_key", None)
        if model.provider == "anthropic" and "base_url" in options:
            options["base_url"] = options["base_url"].removesuffix("/v1")  # the client puts it there itself
        return options

    def client_class(self, model: Model) -> str:
        """The chat model of the provider, or OpenAI's for the many that speak its dialect."""
        return _CLASSES.get(model.provider, _BY_OPENAI)
