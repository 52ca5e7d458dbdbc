"""How a model is handed to another client: what a connector is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from orchestrator.core.model import Model
from orchestrator.errors import ConfigurationError
from orchestrator.integrations.compatible import CompatibleModel
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.huggingface_model import HuggingFaceModel
from orchestrator.integrations.ollama_model import OllamaModel
from orchestrator.integrations.openai_model import OpenAIModel

__all__ = ["Connector", "Reach", "named_for", "reach_by_openai", "reach_of"]

_NO_KEY = "none-needed"  # clients insist on a key, servers of your own do not look at it


class Connector(ABC):
    """Writes down how one client calls a model: pure data, without importing that client.

    Write `name` and `format_metadata`. The id and any further arguments a user has put into
    `connector_metadata[name]` win over everything else.

    >>> class Mine(Connector):
    ...     name = "my_client"
    ...     def format_metadata(self, model):
    ...         return {"model_id": model.id}
    >>> Mine().format_metadata(Model(id="a", provider="custom"))
    {'model_id': 'a'}
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The client's name, under which models hold their ids for it."""

    @abstractmethod
    def format_metadata(self, model: Model) -> dict[str, Any]:
        """The keyword arguments by which the client calls this model; never a key."""

    def client_options(self, model: Model) -> dict[str, Any]:  # noqa: ARG002 - the contract
        """The keyword arguments of the client itself, address and key in clear text: not for logs or files."""
        return {}

    def client_class(self, model: Model) -> str | None:  # noqa: ARG002 - the contract
        """Where the client's class is, as `module:Class`."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class Reach(NamedTuple):
    """Where a model is and with which key; the repr holds no key."""

    base_url: str | None = None
    key: str | None = None

    def options(self, address: str = "base_url", key: str = "api_key") -> dict[str, Any]:
        """What is known, under the names a client has for it."""
        return {name: value for name, value in ((address, self.base_url), (key, self.key)) if value is not None}

    def __repr__(self) -> str:
        return f"Reach(base_url={self.base_url!r})"


def named_for(model: Model, client: str, name: str | None = None) -> tuple[str, dict[str, Any]]:
    """What a client calls this model, and the further arguments its user has noted.

    Without a note it is `name`, or what the model's own provider calls it.
    """
    noted = dict(model.connector_metadata.get(client, {}))
    own: str = getattr(model, "wire_name", model.name)
    return str(noted.pop("id", None) or name or own), noted


def reach_of(model: Model) -> Reach:
    """Address and key of a model; an address is given only where it is not its provider's own."""
    if not isinstance(model, HTTPModel):
        return Reach(model.info.base_url, None)
    key = model.api_key
    own = type(model).service.base_url if hasattr(type(model), "service") else None
    return Reach(None if model.base_url == own else model.base_url, None if key is None else key.get_secret_value())


def reach_by_openai(model: Model, client: str) -> Reach:
    """Address and key for a client that speaks OpenAI's dialect; ConfigurationError where that leads nowhere."""
    reach = reach_of(model)
    if isinstance(model, OpenAIModel):
        return reach
    if isinstance(model, CompatibleModel | HuggingFaceModel) and model.base_url is not None:
        return Reach(model.base_url, reach.key or _NO_KEY)
    if isinstance(model, OllamaModel):
        return Reach(f"{model.base_url}/v1", reach.key or _NO_KEY)
    if reach.base_url is not None and not isinstance(model, HTTPModel):
        return Reach(reach.base_url, _NO_KEY)
    raise ConfigurationError(
        f"{model.id!r}: {client} speaks OpenAI's dialect, {model.provider!r} does not; "
        f"use the connector of {model.provider!r}, or OpenRouter's"
    )
