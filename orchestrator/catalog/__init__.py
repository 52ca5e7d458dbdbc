"""The catalogue: where models are found, what is noted about them, and how other clients call them.

Each name is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.catalog.connector import Connector
    from orchestrator.catalog.connectors.anthropic import AnthropicConnector
    from orchestrator.catalog.connectors.dspy import DSPyConnector
    from orchestrator.catalog.connectors.langchain import LangChainConnector
    from orchestrator.catalog.connectors.litellm import LiteLLMConnector
    from orchestrator.catalog.connectors.ollama import OllamaConnector
    from orchestrator.catalog.connectors.openai import OpenAIConnector
    from orchestrator.catalog.connectors.openrouter import OpenRouterConnector
    from orchestrator.catalog.connectors.pydantic_ai import PydanticAIConnector
    from orchestrator.catalog.connectors.registry import ConnectorRegistry
    from orchestrator.catalog.discovery import Discovery, DiscoveryError, DiscoveryWarning, Finding
    from orchestrator.catalog.mall import ModelMall
    from orchestrator.catalog.manager import ModelManager, discover_models, get_manager
    from orchestrator.catalog.source import Found, ModelSource
    from orchestrator.catalog.sources import source_named
    from orchestrator.catalog.sources.document import DocumentSource
    from orchestrator.catalog.sources.huggingface import HuggingFaceSource
    from orchestrator.catalog.sources.litellm import LiteLLMSource
    from orchestrator.catalog.sources.models_dev import ModelsDevSource
    from orchestrator.catalog.sources.ollama import OllamaSource
    from orchestrator.catalog.sources.openrouter import OpenRouterSource
    from orchestrator.catalog.sources.provider import ProviderAPISource
    from orchestrator.core.model import Model
    from orchestrator.models.model_registry import ModelRegistry

__all__ = [
    "AnthropicConnector",
    "Connector",
    "ConnectorRegistry",
    "DSPyConnector",
    "Discovery",
    "DiscoveryError",
    "DiscoveryWarning",
    "DocumentSource",
    "Finding",
    "Found",
    "HuggingFaceSource",
    "LangChainConnector",
    "LiteLLMConnector",
    "LiteLLMSource",
    "Model",
    "ModelMall",
    "ModelManager",
    "ModelRegistry",
    "ModelSource",
    "ModelsDevSource",
    "OllamaConnector",
    "OllamaSource",
    "OpenAIConnector",
    "OpenRouterConnector",
    "OpenRouterSource",
    "ProviderAPISource",
    "PydanticAIConnector",
    "discover_models",
    "get_manager",
    "source_named",
]

_HERE = "orchestrator.catalog"
_HOMES = {
    f"{_HERE}.connector": "Connector",
    f"{_HERE}.connectors.anthropic": "AnthropicConnector",
    f"{_HERE}.connectors.dspy": "DSPyConnector",
    f"{_HERE}.connectors.langchain": "LangChainConnector",
    f"{_HERE}.connectors.litellm": "LiteLLMConnector",
    f"{_HERE}.connectors.ollama": "OllamaConnector",
    f"{_HERE}.connectors.openai": "OpenAIConnector",
    f"{_HERE}.connectors.openrouter": "OpenRouterConnector",
    f"{_HERE}.connectors.pydantic_ai": "PydanticAIConnector",
    f"{_HERE}.connectors.registry": "ConnectorRegistry",
    f"{_HERE}.discovery": "Discovery DiscoveryError DiscoveryWarning Finding",
    f"{_HERE}.mall": "ModelMall",
    f"{_HERE}.manager": "ModelManager discover_models get_manager",
    f"{_HERE}.source": "Found ModelSource",
    f"{_HERE}.sources": "source_named",
    f"{_HERE}.sources.document": "DocumentSource",
    f"{_HERE}.sources.huggingface": "HuggingFaceSource",
    f"{_HERE}.sources.litellm": "LiteLLMSource",
    f"{_HERE}.sources.models_dev": "ModelsDevSource",
    f"{_HERE}.sources.ollama": "OllamaSource",
    f"{_HERE}.sources.openrouter": "OpenRouterSource",
    f"{_HERE}.sources.provider": "ProviderAPISource",
    "orchestrator.core.model": "Model",
    "orchestrator.models.model_registry": "ModelRegistry",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a public name from its home, once (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
