"""Connectors by the name of their client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from functools import partial
from typing import Any, Self

from orchestrator.catalog.connector import Connector
from orchestrator.core.plug_ins import PlugInGroup
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["CONNECTORS", "PLUG_INS", "ConnectorRegistry"]

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


def _unfit(found: Any) -> str | None:
    fits = issubclass(found, Connector) if isinstance(found, type) else callable(found)
    return None if fits else f"{found!r:.80} makes no Connector"


PLUG_INS = PlugInGroup("orchestrator.connectors", CONNECTORS, unfit=_unfit)


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
        registry._loaders = {name: partial(PLUG_INS.load, name) for name in PLUG_INS}
        return registry

    def register(self, connector: Connector) -> None:
        """Add a connector under its own name; one of that name steps back."""
        self[connector.name] = connector

    def __getitem__(self, name: str) -> Connector:
        if name not in self._made:
            if name not in self._loaders:
                raise UnknownConnectorError(f"no connector {name!r}; {did_you_mean(str(name), sorted(self))}")
            self[name] = self._loaders[name]()()
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
