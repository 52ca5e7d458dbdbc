"""Connectors by the name of their client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Self

from orchestrator.catalog.connector import Connector
from orchestrator.errors import ConfigurationError, ModelProviderError, did_you_mean

__all__ = ["CONNECTORS", "GROUP", "ConnectorRegistry"]

GROUP = "orchestrator.connectors"  # the entry points of built-in connectors and of plug-ins

CONNECTORS: dict[str, str] = {
    "anthropic": "orchestrator.catalog.connectors.anthropic:AnthropicConnector",
    "dspy": "orchestrator.catalog.connectors.dspy:DSPyConnector",
    "langchain": "orchestrator.catalog.connectors.langchain:LangChainConnector",
    "litellm": "orchestrator.catalog.connectors.litellm:LiteLLMConnector",
    "ollama": "orchestrator.catalog.connectors.ollama:OllamaConnector",
    "openai": "orchestrator.catalog.connectors.openai:OpenAIConnector",
    "openrouter": "orchestrator.catalog.connectors.openrouter:OpenRouterConnector",
    "pydantic_ai": "orchestrator.catalog.connectors.pydantic_ai:PydanticAIConnector",
}


class UnknownConnectorError(ConfigurationError, KeyError):
    """No connector has this name."""


class ConnectorRegistry(MutableMapping[str, Connector]):
    """A mapping from client names to connectors, each loaded when it is first asked for.

    >>> connectors = ConnectorRegistry.built_in()
    >>> connectors["openai"], len(ConnectorRegistry())
    (<OpenAIConnector 'openai'>, 0)
    """

    def __init__(self, connectors: Iterable[Connector] = ()) -> None:
        self._made: dict[str, Connector] = {}
        self._loaders: dict[str, Callable[[], Any]] = {}
        for connector in connectors:
            self.register(connector)

    @classmethod
    def built_in(cls) -> Self:
        """All that ship, and those of installed plug-ins."""
        registry = cls()
        points = {point.name: point for point in entry_points(group=GROUP) if point.name not in CONNECTORS}
        registry._loaders = {name: partial(_plug_in, point) for name, point in points.items()}
        registry._loaders |= {name: partial(_class_at, place) for name, place in CONNECTORS.items()}
        return registry

    def register(self, connector: Connector) -> None:
        """Add a connector under its own name; one of that name steps back."""
        self[connector.name] = connector

    def __getitem__(self, name: str) -> Connector:
        if name not in self._made:
            if name not in self._loaders:
                raise UnknownConnectorError(f"no connector {name!r}; {did_you_mean(str(name), sorted(self))}")
            self._made[name] = self._loaders[name]()()
        return self._made[name]

    def __setitem__(self, name: str, connector: Connector) -> None:
        if not isinstance(connector, Connector):
            raise TypeError(f"a connector is a Connector, not {type(connector).__name__}: subclass it")
        self._made[name] = connector

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise UnknownConnectorError(f"no connector {name!r}; {did_you_mean(str(name), sorted(self))}")
        self._made.pop(name, None)
        self._loaders.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in self._loaders

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._made, *self._loaders}))

    def __len__(self) -> int:
        return len({*self._made, *self._loaders})

    def __repr__(self) -> str:
        return f"<ConnectorRegistry of {', '.join(self)}>"


def _class_at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _plug_in(point: Any) -> Any:
    try:
        return point.load()
    except Exception as fault:  # a plug-in's import may fail in any way
        raise ModelProviderError(
            f"connector {point.name!r} ({point.value}) cannot be loaded: {type(fault).__name__}"
        ) from fault
