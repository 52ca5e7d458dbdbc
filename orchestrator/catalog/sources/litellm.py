"""Price files in the shape of LiteLLM's: one flat object a model, prices in USD per token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.catalog.facts import described
from orchestrator.catalog.sources.document import DocumentSource
from orchestrator.core.cost import CostTier
from orchestrator.core.info import PROVIDER_ALIASES, ModelInfo
from orchestrator.integrations.dialects.listing import ListedModel, day, plain_text, price_per_million, tokens

__all__ = ["LiteLLMSource"]

_PROVIDERS = {
    "hosted_vllm": "vllm",
    "lm_studio": "lmstudio",
    "ollama_chat": "ollama",
    "text-completion-openai": "openai",
    "together_ai": "together",
}
_FLAGS = {
    "supports_audio_input": "audio",
    "supports_function_calling": "function_calling",
    "supports_reasoning": "reasoning",
    "supports_response_schema": "structured_output",
    "supports_vision": "vision",
}
_CHATS = {"chat": True, "completion": True, "responses": True}
_TIERS = {"_above_128k_tokens": 128_000, "_above_200k_tokens": 200_000, "_above_272k_tokens": 272_000}
_PER_TOKEN = 1e6


class LiteLLMSource(DocumentSource):
    """All models of a document like LiteLLM's `model_prices_and_context_window.json`, from a file or an address."""

    place = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"

    def read(self, document: Any) -> Iterator[ModelInfo | None]:
        """The models, in the document's order; its specimen entry is none."""
        return (_model(key, entry) for key, entry in document.items() if key != "sample_spec")


def _model(key: str, entry: Any) -> ModelInfo | None:
    theirs = plain_text(entry.get("litellm_provider")) if isinstance(entry, dict) else None
    name = plain_text(key.removeprefix(f"{theirs}/"))
    if theirs is None or name is None:
        return None
    mode = entry.get("mode")
    listed = ListedModel(
        name,
        context_window=tokens(entry.get("max_input_tokens"), entry.get("max_tokens")),
        max_output_tokens=tokens(entry.get("max_output_tokens")),
        input_usd=_price(entry, "input_cost_per_token"),
        output_usd=_price(entry, "output_cost_per_token"),
        cache_read_usd=_price(entry, "cache_read_input_token_cost"),
        cache_write_usd=_price(entry, "cache_creation_input_token_cost"),
        capabilities=frozenset(ours for flag, ours in _FLAGS.items() if entry.get(flag) is True)
        | ({"embeddings"} if mode == "embedding" else frozenset()),
        lacks=frozenset() if mode is None or mode in _CHATS else frozenset({"text_generation"}),
        deprecation_date=day(entry.get("deprecation_date")),
        tiers=tuple(_tiers(entry)),
    )
    return described(_PROVIDERS.get(theirs, PROVIDER_ALIASES.get(theirs, theirs)), listed)


def _price(entry: dict[str, Any], name: str) -> float | None:
    return price_per_million(entry.get(name), per=_PER_TOKEN)


def _tiers(entry: dict[str, Any]) -> Iterator[CostTier]:
    """Prices of long prompts, by the size from which they hold."""
    for suffix, size in _TIERS.items():
        given = _price(entry, f"input_cost_per_token{suffix}")
        if given is not None:
            yield CostTier(size, given, _price(entry, f"output_cost_per_token{suffix}"))
