"""DSPy: `dspy.LM(**metadata, **client_options)`."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, named_for, reach_by_openai
from orchestrator.catalog.connectors.litellm import litellm_name, litellm_reach
from orchestrator.core.model import Model

__all__ = ["DSPyConnector"]

_BY_OPENAI = frozenset({"ollama"})  # DSPy's engines disagree on its dialect, and agree on OpenAI's


class DSPyConnector(Connector):
    """For `dspy.LM`, which names models as LiteLLM does.

    >>> DSPyConnector().format_metadata(Model(id="openai/gpt-4"))
    {'model': 'openai/gpt-4'}
    """

    name = "dspy"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model`, and what the user has noted for this client."""
        by_openai = f"openai/{getattr(model, 'wire_name', model.name)}"
        name, noted = named_for(model, self.name, by_openai if model.provider in _BY_OPENAI else litellm_name(model))
        return {"model": name, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:
        """`api_base` where it is not the provider's own, and `api_key`."""
        reach = reach_by_openai if model.provider in _BY_OPENAI else litellm_reach
        return reach(model, self.name).options("api_base")

    def client_class(self, model: Model) -> str:  # noqa: ARG002 - the contract
        """One class for all providers."""
        return "dspy:LM"
