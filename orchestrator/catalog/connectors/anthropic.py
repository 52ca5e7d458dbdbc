"""Anthropic's client: `Anthropic(**client_options).messages.create(**metadata, messages=[...])`."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.connector import Connector, named_for, reach_of
from orchestrator.core.model import Model
from orchestrator.errors import ConfigurationError

__all__ = ["AnthropicConnector"]

_MOST_TOKENS = 4_096  # of an answer, where the model's own limit is not known: this client insists on one


class AnthropicConnector(Connector):
    """For `anthropic.Anthropic` and `AsyncAnthropic`.

    >>> AnthropicConnector().format_metadata(Model(id="anthropic/claude-sonnet-4-5"))
    {'model': 'claude-sonnet-4-5', 'max_tokens': 4096}
    """

    name = "anthropic"

    def format_metadata(self, model: Model) -> dict[str, Any]:
        """`model` and `max_tokens`, the longest answer."""
        name, noted = named_for(model, self.name)
        return {"model": name, "max_tokens": model.capabilities.max_tokens or _MOST_TOKENS, **noted}

    def client_options(self, model: Model) -> dict[str, Any]:
        """`base_url` where it is not Anthropic's, and `api_key`."""
        if model.provider != "anthropic":
            raise ConfigurationError(f"{model.id!r}: anthropic's client reaches models of 'anthropic' only")
        options = reach_of(model).options()
        if "base_url" in options:
            options["base_url"] = options["base_url"].removesuffix("/v1")  # the client puts it there itself
        return options

    def client_class(self, model: Model) -> str:  # noqa: ARG002 - the contract
        """The asynchronous client has the same arguments."""
        return "anthropic:Anthropic"
