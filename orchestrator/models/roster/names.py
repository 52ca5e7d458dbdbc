"""From what a caller says to the id of a registered model."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.core.info import PROVIDER_ALIASES
from orchestrator.core.model import Model
from orchestrator.errors import AmbiguousModelError, ModelNotFoundError

__all__ = ["Names", "inferred_provider", "split_provider"]

_PREFIXES = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic",
    "gemini": "google",
}


def inferred_provider(name: str) -> str | None:
    """The provider that a bare model name belongs to by its family.

    >>> inferred_provider("gpt-4o"), inferred_provider("claude-3-opus"), inferred_provider("llama2:7b")
    ('openai', 'anthropic', None)
    """
    lowered = name.lower()
    return next((provider for prefix, provider in _PREFIXES.items() if lowered.startswith(prefix)), None)


def split_provider(model_id: str, known: Collection[str]) -> tuple[str, str] | None:
    """Provider and rest of `provider/rest` or `provider:rest`, only where the provider is a known one.

    >>> split_provider("OpenAI:gpt-4o", {"openai"})
    ('openai', 'gpt-4o')
    >>> split_provider("llama2:7b", {"openai"}) is None
    True
    """
    for mark in ("/", ":"):
        head, found, rest = model_id.partition(mark)
        provider = PROVIDER_ALIASES.get(head.lower(), head.lower())
        if found and rest and provider in known:
            return provider, rest
    return None


class Names:
    """An index of everything the registered models answer to; made anew when the registry changes.

    Looked up in this order: exact id, alias, known provider and rest, unique bare name, the bare name's own family.
    """

    def __init__(self, models: Mapping[str, Model], providers: Collection[str]) -> None:
        self._models = models
        self._providers = {*providers, *(model.provider for model in models.values())}
        self._aliases: dict[str, str] = {}
        self._bare: dict[str, list[str]] = {}
        for key, model in models.items():
            for alias in model.info.aliases:
                self._aliases.setdefault(alias, key)
            for bare in {model.name, model.id} - {key}:
                self._bare.setdefault(bare, []).append(key)

    def find(self, model_id: str) -> str | None:
        """The key of the model meant, or None; several equally good ones are an AmbiguousModelError."""
        if model_id in self._models:
            return model_id
        if model_id in self._aliases:
            return self._aliases[model_id]
        return self._by_provider(model_id) or self._by_bare_name(model_id)

    def must_find(self, model_id: str) -> str:
        """The same, with a ModelNotFoundError that names what is near."""
        key = self.find(model_id)
        if key is None:
            raise ModelNotFoundError.named(model_id, [*self._models, *self._aliases, *self._bare])
        return key

    def _by_provider(self, model_id: str) -> str | None:
        split = split_provider(model_id, self._providers)
        if split is None:
            return None
        provider, rest = split
        if f"{provider}/{rest}" in self._models:
            return f"{provider}/{rest}"
        keys = [rest, *self._bare.get(rest, ())]
        return next((key for key in keys if key in self._models and self._models[key].provider == provider), None)

    def _by_bare_name(self, name: str) -> str | None:
        keys = self._bare.get(name, [])
        if len(keys) <= 1:
            return keys[0] if keys else None
        inferred = [key for key in keys if self._models[key].provider == inferred_provider(name)]
        if len(inferred) == 1:
            return inferred[0]
        raise AmbiguousModelError(
            f"{name!r} could be any of {', '.join(map(repr, keys))}; use one of these ids", context={"id": name}
        )
