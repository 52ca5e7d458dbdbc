"""Catalogues in the shape of models.dev: providers, and by each its models with prices, limits and modalities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.catalog.facts import described
from orchestrator.catalog.sources.document import DocumentSource
from orchestrator.core.cost import CostTier
from orchestrator.core.info import PROVIDER_ALIASES, ModelInfo
from orchestrator.integrations.dialects.listing import ListedModel, plain_text, price_per_million, tokens

__all__ = ["ModelsDevSource"]

_PROVIDERS = {"togetherai": "together", "zhipuai": "zai", "google-vertex": "vertex"}
_FLAGS = {
    "tool_call": "function_calling",
    "reasoning": "reasoning",
    "structured_output": "structured_output",
}
_LONG_PROMPT = 200_000  # tokens, where `context_over_200k` begins


class ModelsDevSource(DocumentSource):
    """All models of a document like https://models.dev/api.json, from a file or an address."""

    place = "https://models.dev/api.json"

    def read(self, document: Any) -> Iterator[ModelInfo | None]:
        """The models, provider by provider."""
        for name, provider in document.items():
            models = provider.get("models") if isinstance(provider, dict) else None
            if not isinstance(models, dict) or plain_text(name) is None:
                yield None
                continue
            ours = _PROVIDERS.get(name, PROVIDER_ALIASES.get(name, name))
            for key, entry in models.items():
                yield _model(ours, key, entry)


def _model(provider: str, key: str, entry: Any) -> ModelInfo | None:
    name = plain_text(entry.get("id", key)) if isinstance(entry, dict) else None
    if name is None:
        return None
    limit, prices, modes = _part(entry, "limit"), _part(entry, "cost"), _part(entry, "modalities")
    listed = ListedModel(
        name,
        context_window=tokens(limit.get("context")),
        max_output_tokens=tokens(limit.get("output")),
        input_usd=price_per_million(prices.get("input")),
        output_usd=price_per_million(prices.get("output")),
        cache_read_usd=price_per_million(prices.get("cache_read")),
        cache_write_usd=price_per_million(prices.get("cache_write")),
        capabilities=frozenset(_abilities(entry, modes)),
        lacks=frozenset(_missing(entry, modes)),
        display_name=plain_text(entry.get("name")),
        tiers=_tiers(_part(prices, "context_over_200k")),
    )
    return described(provider, listed, version=plain_text(entry.get("release_date")))


def _part(entry: dict[str, Any], name: str) -> dict[str, Any]:
    value = entry.get(name)
    return value if isinstance(value, dict) else {}


def _abilities(entry: dict[str, Any], modes: dict[str, Any]) -> Iterator[str]:
    yield from (ours for theirs, ours in _FLAGS.items() if entry.get(theirs) is True)
    yield from (ours for mode, ours in (("image", "vision"), ("audio", "audio")) if mode in _listed(modes, "input"))


def _missing(entry: dict[str, Any], modes: dict[str, Any]) -> Iterator[str]:
    yield from (ours for theirs, ours in _FLAGS.items() if entry.get(theirs) is False)
    if _listed(modes, "output") and "text" not in _listed(modes, "output"):
        yield "text_generation"


def _listed(modes: dict[str, Any], way: str) -> list[Any]:
    value = modes.get(way)
    return value if isinstance(value, list) else []


def _tiers(prices: dict[str, Any]) -> tuple[CostTier, ...]:
    names = ("input", "output", "cache_read", "cache_write")
    read = {name: price_per_million(prices.get(name)) for name in names}
    return () if read["input"] is None else (CostTier(_LONG_PROMPT, **read),)
