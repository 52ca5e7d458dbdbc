"""Sources of models by name: the built-in ones, every provider the engine can call, and those of plug-ins."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from orchestrator.catalog.source import ModelSource
from orchestrator.errors import ConfigurationError, ModelProviderError, did_you_mean

__all__ = ["CATALOGUES", "GROUP", "SOURCES", "source_named", "source_names"]

GROUP = "orchestrator.sources"  # the entry points of built-in sources and of plug-ins

SOURCES: dict[str, str] = {
    "huggingface": "orchestrator.catalog.sources.huggingface:HuggingFaceSource",
    "litellm": "orchestrator.catalog.sources.litellm:LiteLLMSource",
    "models.dev": "orchestrator.catalog.sources.models_dev:ModelsDevSource",
    "ollama": "orchestrator.catalog.sources.ollama:OllamaSource",
    "openrouter": "orchestrator.catalog.sources.openrouter:OpenRouterSource",
}
CATALOGUES = frozenset({"litellm", "models.dev"})  # documents about what others serve; any other source serves itself


def source_names() -> list[str]:
    """Every name that `source_named` accepts."""
    from orchestrator.integrations.providers import known_providers

    return sorted({*SOURCES, *_plug_ins(), *known_providers()} - {"compatible"})


def source_named(name: str, **options: Any) -> ModelSource:
    """A source by its name: a built-in one, a plug-in's, or a provider's own list.

    >>> source_named("openrouter"), source_named("mistral")
    (<OpenRouterSource 'openrouter'>, <ProviderAPISource 'mistral'>)
    """
    from orchestrator.catalog.sources.provider import ProviderAPISource

    if name in SOURCES:
        home, _, attribute = SOURCES[name].partition(":")
        return _made(getattr(import_module(home), attribute), name, options)
    if name in _plug_ins():
        return _made(_loaded(name), name, options)
    if name not in source_names():
        raise ConfigurationError(f"no source {name!r}; {did_you_mean(name, source_names())}")
    return ProviderAPISource(name, **options)


def _made(cls: Any, name: str, options: dict[str, Any]) -> ModelSource:
    source = cls(**options)
    if not isinstance(source, ModelSource):
        raise ConfigurationError(f"source {name!r} is a {type(source).__name__}: subclass ModelSource")
    return source


@cache
def _plug_ins() -> dict[str, Any]:
    """The entry points of installed plug-ins by name; none of them is loaded by this."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(name: str) -> Any:
    point = _plug_ins()[name]
    try:
        return point.load()
    except Exception as fault:  # a plug-in's import may fail in any way
        raise ModelProviderError(f"source {name!r} ({point.value}) cannot be loaded: {type(fault).__name__}") from fault
