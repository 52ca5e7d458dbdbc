"""Which class serves which provider: a table of names, completed by the user and by installed plug-ins."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from orchestrator.core.info import PROVIDER_ALIASES, ModelInfo
from orchestrator.core.model import Model
from orchestrator.errors import ModelProviderError, ProviderConfigError

__all__ = ["known_providers", "model_from", "provider_class", "register_provider", "unregister_provider"]

GROUP = "orchestrator.integrations"  # the entry points of plug-ins: provider = "module:Class"

_COMPATIBLE = "orchestrator.integrations.compatible:CompatibleModel"
_BUILT_IN = {
    "anthropic": "orchestrator.integrations.anthropic_model:AnthropicModel",
    "azure": "orchestrator.integrations.azure_model:AzureOpenAIModel",
    "google": "orchestrator.integrations.google_model:GoogleModel",
    "huggingface": "orchestrator.integrations.huggingface_model:HuggingFaceModel",
    "ollama": "orchestrator.integrations.ollama_model:OllamaModel",
    "openai": "orchestrator.integrations.openai_model:OpenAIModel",
} | dict.fromkeys(
    (
        "cerebras",
        "compatible",
        "deepseek",
        "groq",
        "llamacpp",
        "lmstudio",
        "mistral",
        "openrouter",
        "perplexity",
        "together",
        "vllm",
        "xai",
        "zai",
    ),
    _COMPATIBLE,
)
_registered: dict[str, type[Any]] = {}


def register_provider(name: str, cls: type[Any]) -> None:
    """Serve a provider's models with this class from now on; a built-in of that name steps back.

    The class is a `BaseProvider`, a `Model` that takes `info=`, or any class with `complete(prompt, model, **kwargs)`.
    """
    if not str(name or "").strip():
        raise ValueError(f"a provider has a name; {name!r} is none")
    if not isinstance(cls, type):
        raise TypeError(f"a provider is a class, not {type(cls).__name__}: pass the class itself")
    if not issubclass(cls, Model) and not callable(getattr(cls, "complete", None)):
        raise TypeError(f"{cls.__name__} is neither a BaseProvider nor a Model: it has no complete(prompt, model)")
    _registered[_known_as(name)] = cls


def unregister_provider(name: str) -> None:
    """Take back a registration; a built-in of that name serves again."""
    if _registered.pop(_known_as(name), None) is None:
        raise ProviderConfigError(f"no provider {name!r} was registered; registered: {sorted(_registered)}")


def known_providers() -> tuple[str, ...]:
    """Every provider with a class, in alphabetical order."""
    return tuple(sorted({*_BUILT_IN, *_registered, *_plug_ins()}))


def provider_class(name: str) -> type[Any] | None:
    """The class that serves a provider, loaded now if it was not; None when nobody does.

    >>> provider_class("openai").__name__, provider_class("nobody")
    ('OpenAIModel', None)
    """
    name = _known_as(name)
    if name in _registered:
        return _registered[name]
    if name in _BUILT_IN:
        return _loaded(_BUILT_IN[name])
    return _plug_in(name)


def model_from(info: ModelInfo) -> Model:
    """A callable model for a description; where nobody serves its provider, a description that says so when called.

    An unknown provider with a `base_url` is taken to speak OpenAI's dialect, as nearly all do.
    """
    cls = provider_class(info.provider)
    if cls is None:
        cls = _loaded(_COMPATIBLE) if info.base_url is not None else Model
    if issubclass(cls, Model):
        made: Model = cls.from_info(info) if hasattr(cls, "from_info") else cls(info)
        return made
    from orchestrator.integrations.base_provider import ProvidedModel

    return ProvidedModel(info, cls)


def _known_as(name: str) -> str:
    name = name.strip().lower()
    return PROVIDER_ALIASES.get(name, name)


@cache
def _loaded(place: str) -> type[Any]:
    module, _, cls = place.partition(":")
    found: type[Any] = getattr(import_module(module), cls)
    return found


@cache
def _plug_ins() -> dict[str, Any]:
    """The entry points of installed plug-ins by provider; none of them is loaded by this."""
    return {_known_as(point.name): point for point in entry_points(group=GROUP)}


@cache
def _plug_in(name: str) -> type[Any] | None:
    point = _plug_ins().get(name)
    if point is None:
        return None
    try:
        cls = point.load()
    except Exception as fault:  # a plug-in's import may fail in any way
        raise ModelProviderError(
            f"the plug-in for {name!r} ({point.value}) cannot be loaded: {type(fault).__name__}"
        ) from fault
    if not isinstance(cls, type):
        raise ModelProviderError(f"the plug-in for {name!r} ({point.value}) is no class")
    return cls
