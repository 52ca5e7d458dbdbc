"""Facts about well-known families of models, by provider and the beginning of the name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from orchestrator.core.info import ModelCapabilities, ModelInfo
from orchestrator.integrations.service import Service

__all__ = ["completed", "described", "family_of"]


class Family(NamedTuple):
    """What all models whose names begin alike can do; the window is in tokens."""

    provider: str
    prefix: str
    features: str
    context_window: int | None = None


_CHAT = "function_calling structured_output"
_SEES = f"{_CHAT} vision"
_THINKS = f"{_SEES} reasoning"
_VECTORS = "embeddings -text_generation -code_generation -streaming"

# the longest prefix that fits wins
_FAMILIES = (
    Family("openai", "gpt-3.5-turbo", "function_calling", 16_385),
    Family("openai", "gpt-4", "function_calling", 8_192),
    Family("openai", "gpt-4-turbo", "function_calling vision", 128_000),
    Family("openai", "gpt-4o", _SEES, 128_000),
    Family("openai", "gpt-4.1", _SEES, 1_047_576),
    Family("openai", "gpt-5", _THINKS, 400_000),
    Family("openai", "o1", _THINKS, 200_000),
    Family("openai", "o3", _THINKS, 200_000),
    Family("openai", "o3-mini", f"{_CHAT} reasoning", 200_000),
    Family("openai", "o4-mini", _THINKS, 200_000),
    Family("openai", "text-embedding-", _VECTORS, 8_191),
    Family("anthropic", "claude-3", "function_calling vision", 200_000),
    Family("anthropic", "claude-3-7", "function_calling vision reasoning", 200_000),
    Family("anthropic", "claude-opus-4", "function_calling vision reasoning", 200_000),
    Family("anthropic", "claude-sonnet-4", "function_calling vision reasoning", 200_000),
    Family("anthropic", "claude-haiku-4", "function_calling vision reasoning", 200_000),
    Family("anthropic", "claude-opus-4-5", _THINKS, 200_000),
    Family("anthropic", "claude-sonnet-4-5", _THINKS, 200_000),
    Family("anthropic", "claude-haiku-4-5", _THINKS, 200_000),
    Family("google", "gemini-1.5-pro", _SEES, 2_097_152),
    Family("google", "gemini-1.5-flash", _SEES, 1_048_576),
    Family("google", "gemini-2.0-flash", _SEES, 1_048_576),
    Family("google", "gemini-2.5", _THINKS, 1_048_576),
    Family("google", "gemini-3", _THINKS, 1_048_576),
    Family("google", "text-embedding-", _VECTORS, 2_048),
    Family("google", "gemini-embedding-", _VECTORS, 2_048),
    Family("mistral", "mistral-large", _CHAT, 128_000),
    Family("mistral", "pixtral", _SEES, 128_000),
    Family("mistral", "mistral-embed", _VECTORS, 8_192),
    Family("deepseek", "deepseek-chat", "function_calling", 128_000),
    Family("deepseek", "deepseek-reasoner", "reasoning", 128_000),
    Family("xai", "grok-4", _THINKS, 256_000),
    Family("xai", "grok-3", _CHAT, 131_072),
    Family("groq", "llama-3.3-70b", "function_calling", 131_072),
    Family("ollama", "llava", "vision"),
    Family("ollama", "llama3.1", "function_calling", 131_072),
    Family("ollama", "llama3.2-vision", "vision", 131_072),
    Family("ollama", "qwen3", "function_calling reasoning"),
    Family("ollama", "deepseek-r1", "reasoning", 131_072),
    Family("ollama", "nomic-embed-text", _VECTORS, 8_192),
    Family("ollama", "all-minilm", _VECTORS, 512),
)
_SAME_MODELS = {"azure": "openai", "vertex": "google"}


@lru_cache(maxsize=4096)
def family_of(provider: str, name: str) -> Family | None:
    """The family a model belongs to, or None.

    >>> family_of("openai", "gpt-4o-mini").context_window, family_of("openai", "unheard-of")
    (128000, None)
    """
    provider = _SAME_MODELS.get(provider, provider)
    fitting = [family for family in _FAMILIES if family.provider == provider and name.startswith(family.prefix)]
    return max(fitting, key=lambda family: len(family.prefix), default=None)


def described(name: str, service: Service, facts: Mapping[str, Any]) -> ModelInfo:
    """The description of a model: the facts given, and for the rest what its family is known for.

    A model of no known family has what its dialect surely does: it generates text and streams it.
    """
    family = family_of(service.provider, name)
    known: dict[str, Any] = {"provider": service.provider, "name": name, "is_local": service.is_local}
    if family is not None:
        known["context_window"] = family.context_window
    known["capabilities"] = _capabilities(family, facts.get("capabilities"))
    return ModelInfo(**(known | {key: value for key, value in facts.items() if key != "capabilities"}))


def completed(info: ModelInfo) -> ModelInfo:
    """A description with what its family is known for wherever it says nothing itself.

    >>> completed(ModelInfo(id="openai/gpt-4o", provider="openai", name="gpt-4o")).capabilities.has("vision")
    True
    """
    family = family_of(info.provider, info.name)
    if info.context_window is not None and info.capabilities.model_fields_set.issuperset(_words(family)):
        return info
    known: dict[str, Any] = {"capabilities": _capabilities(family, info.capabilities)}
    if info.context_window is None and family is not None:
        known["context_window"] = family.context_window
    return info.model_copy(update=known)


def _capabilities(family: Family | None, given: Any) -> ModelCapabilities:
    known = _words(family)
    if given is None:
        return ModelCapabilities.model_validate(known)
    asked = given if isinstance(given, ModelCapabilities) else ModelCapabilities.model_validate(given)
    return ModelCapabilities.model_validate(known | asked.model_dump(exclude_unset=True))


@lru_cache(maxsize=256)
def _words(family: Family | None) -> dict[str, bool]:
    """What a family can do and cannot, by name."""
    words = ["text_generation", "streaming"]
    if family is not None:
        words += ["code_generation", *family.features.split()]
    return {word.lstrip("-"): not word.startswith("-") for word in words}
