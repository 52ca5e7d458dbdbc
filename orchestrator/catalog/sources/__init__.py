"""Sources of models by name: the built-in ones, every provider the engine can call, and those of plug-ins."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.source import Found, ModelSource
from orchestrator.core.plug_ins import PlugInGroup
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["CATALOGUES", "PLUG_INS", "SOURCES", "LeftOutSource", "source_named", "source_names"]

SOURCES: dict[str, str] = {
    "huggingface": "orchestrator.catalog.sources.huggingface:HuggingFaceSource",
    "litellm": "orchestrator.catalog.sources.litellm:LiteLLMSource",
    "models.dev": "orchestrator.catalog.sources.models_dev:ModelsDevSource",
    "ollama": "orchestrator.catalog.sources.ollama:OllamaSource",
    "openrouter": "orchestrator.catalog.sources.openrouter:OpenRouterSource",
}
CATALOGUES = frozenset({"litellm", "models.dev"})  # documents about what others serve; any other source serves itself


def _unfit(found: Any) -> str | None:
    fits = issubclass(found, ModelSource) if isinstance(found, type) else callable(found)
    return None if fits else f"{found!r:.80} makes no ModelSource"


PLUG_INS = PlugInGroup("orchestrator.sources", SOURCES, unfit=_unfit)


def source_names() -> list[str]:
    """Every name that `source_named` accepts."""
    from orchestrator.integrations.providers import known_providers

    return sorted({*PLUG_INS, *known_providers()} - {"compatible"})


def source_named(name: str, **options: Any) -> ModelSource:
    """A source by its name: a built-in one, a plug-in's, or a provider's own list.

    >>> source_named("openrouter"), source_named("mistral")
    (<OpenRouterSource 'openrouter'>, <ProviderAPISource 'mistral'>)
    """
    from orchestrator.catalog.sources.provider import ProviderAPISource

    if name in PLUG_INS:
        return _made(PLUG_INS.load(name), name, options)
    if name not in source_names():
        raise ConfigurationError(f"no source {name!r}; {did_you_mean(name, source_names())}")
    return ProviderAPISource(name, **options)


class LeftOutSource(ModelSource):
    """A source that could not be made: it lists nothing, and says why to those who ask."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    async def fetch(self) -> Found:
        """Raise what went wrong."""
        raise self._fault


def _made(cls: Any, name: str, options: dict[str, Any]) -> ModelSource:
    source = cls(**options)
    if not isinstance(source, ModelSource):
        raise ConfigurationError(f"source {name!r} is a {type(source).__name__}: subclass ModelSource")
    return source
