"""Which class serves which provider: a table of names, completed by the user and by installed plug-ins."""

from __future__ import annotations

from typing import Any

from orchestrator.core.info import PROVIDER_ALIASES, ModelInfo
from orchestrator.core.model import Model
from orchestrator.core.plug_ins import PlugInError, PlugInGroup
from orchestrator.errors import ProviderConfigError

__all__ = [
    "PLUG_INS",
    "PROVIDERS",
    "known_providers",
    "model_from",
    "provider_class",
    "register_provider",
    "unregister_provider",
]

_COMPATIBLE = "orchestrator.integrations.compatible:CompatibleModel"
PROVIDERS: dict[str, str] = {
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


def _known_as(name: str) -> str:
    name = name.strip().lower()
    return PROVIDER_ALIASES.get(name, name)


def _unfit(found: Any) -> str | None:
    if isinstance(found, type) and (issubclass(found, Model) or callable(getattr(found, "complete", None))):
        return None
    return f"{found!r:.80} is neither a Model nor a class with complete(prompt, model)"


PLUG_INS = PlugInGroup("orchestrator.integrations", PROVIDERS, unfit=_unfit, known_as=_known_as)


def register_provider(name: str, cls: type[Any]) -> None:
    """Serve a provider's models with this class from now on; a built-in of that name steps back.

    The class is a `BaseProvider`, a `Model` that takes `info=`, or any class with `complete(prompt, model, **kwargs)`.
    """
    if not str(name or "").strip():
        raise ValueError(f"a provider has a name; {name!r} is none")
    if not isinstance(cls, type):
        raise TypeError(f"a provider is a class, not {type(cls).__name__}: pass the class itself")
    if _unfit(cls):
        raise TypeError(f"{cls.__name__} is neither a BaseProvider nor a Model: it has no complete(prompt, model)")
    _registered[_known_as(name)] = cls


def unregister_provider(name: str) -> None:
    """Take back a registration; a built-in of that name serves again."""
    if _registered.pop(_known_as(name), None) is None:
        raise ProviderConfigError(f"no provider {name!r} was registered; registered: {sorted(_registered)}")


def known_providers() -> tuple[str, ...]:
    """Every provider with a class, in alphabetical order."""
    return tuple(sorted({*PLUG_INS, *_registered}))


def provider_class(name: str) -> type[Any] | None:
    """The class that serves a provider, loaded now if it was not; None when nobody does.

    PlugInError when the plug-in that serves it cannot be used.

    >>> provider_class("openai").__name__, provider_class("nobody")
    ('OpenAIModel', None)
    """
    name = _known_as(name)
    if name in _registered:
        return _registered[name]
    if name not in PLUG_INS:
        return None
    found: type[Any] = PLUG_INS.load(name)
    return found


def model_from(info: ModelInfo) -> Model:
    """A callable model for a description; where nobody serves its provider, a description that says so when called.

    An unknown provider with a `base_url` is taken to speak OpenAI's dialect, as nearly all do.
    """
    try:
        cls = provider_class(info.provider)
    except PlugInError as fault:
        return _LeftOut(info, str(fault))
    if cls is None:
        cls = PLUG_INS.load("compatible") if info.base_url is not None else Model
    if issubclass(cls, Model):
        made: Model = cls.from_info(info) if hasattr(cls, "from_info") else cls(info)
        return made
    from orchestrator.integrations.base_provider import ProvidedModel

    return ProvidedModel(info, cls)


class _LeftOut(Model):
    """A model whose provider's plug-in cannot be used: it is registered, never chosen, and says why."""

    def __init__(self, info: ModelInfo, reason: str) -> None:
        super().__init__(info)
        self._reason = reason

    def setup_issue(self) -> str:
        """What is wrong with the plug-in."""
        return self._reason
