"""Providers, one a file: how to reach models over HTTP. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.integrations.anthropic_model import AnthropicModel
    from orchestrator.integrations.azure_model import AzureOpenAIModel
    from orchestrator.integrations.base_provider import BaseProvider
    from orchestrator.integrations.compatible import CompatibleModel
    from orchestrator.integrations.google_model import GoogleModel
    from orchestrator.integrations.http_model import HTTPModel
    from orchestrator.integrations.huggingface_model import HuggingFaceModel
    from orchestrator.integrations.local.model import LazyHuggingFaceModel, LocalHuggingFaceModel
    from orchestrator.integrations.ollama_model import LazyOllamaModel, OllamaModel
    from orchestrator.integrations.openai_model import OpenAIModel
    from orchestrator.integrations.providers import (
        known_providers,
        model_from,
        provider_class,
        register_provider,
        unregister_provider,
    )
    from orchestrator.integrations.redaction import RedactKeys
    from orchestrator.integrations.transport import close_sessions

__all__ = [
    "AnthropicModel",
    "AzureOpenAIModel",
    "BaseProvider",
    "CompatibleModel",
    "GoogleModel",
    "HTTPModel",
    "HuggingFaceModel",
    "LazyHuggingFaceModel",
    "LazyOllamaModel",
    "LocalHuggingFaceModel",
    "OllamaModel",
    "OpenAIModel",
    "RedactKeys",
    "close_sessions",
    "known_providers",
    "model_from",
    "provider_class",
    "register_provider",
    "unregister_provider",
]

_HOMES = {
    "AnthropicModel": "anthropic_model",
    "AzureOpenAIModel": "azure_model",
    "BaseProvider": "base_provider",
    "CompatibleModel": "compatible",
    "GoogleModel": "google_model",
    "HTTPModel": "http_model",
    "HuggingFaceModel": "huggingface_model",
    "LazyHuggingFaceModel": "local.model",
    "LazyOllamaModel": "ollama_model",
    "LocalHuggingFaceModel": "local.model",
    "OllamaModel": "ollama_model",
    "OpenAIModel": "openai_model",
    "RedactKeys": "redaction",
    "close_sessions": "transport",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'providers')}"), name)


def __dir__() -> list[str]:
    return __all__
