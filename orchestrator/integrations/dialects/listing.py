"""What a provider's list of models tells about each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

__all__ = ["ListedModel", "listed", "price_per_million", "tokens"]

MAX_LISTED = 100_000
_MAX_NAME = 512
_PER_TOKEN = 1e6  # a price per token, brought to a million


class ListedModel(NamedTuple):
    """One line of a provider's list; tokens, USD per million tokens, None where it says nothing."""

    id: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    input_usd: float | None = None
    output_usd: float | None = None
    cache_read_usd: float | None = None
    cache_write_usd: float | None = None
    capabilities: frozenset[str] = frozenset()


def listed(entries: Any, read: Callable[[dict[str, Any]], ListedModel | None]) -> list[ListedModel]:
    """The readable entries, each id once; what is no model is left out."""
    found: dict[str, ListedModel] = {}
    for entry in entries[:MAX_LISTED] if isinstance(entries, list) else ():
        model = read(entry) if isinstance(entry, dict) else None
        if model is not None and model.id and len(model.id) <= _MAX_NAME:
            found.setdefault(model.id, model)
    return list(found.values())


def tokens(*values: Any) -> int | None:
    """The first value that is a positive count; 0 stands for unknown in such lists."""
    return next((value for value in values if type(value) is int and 0 < value < 1e9), None)


def price_per_million(value: Any, *, per: float = 1.0) -> float | None:
    """USD per million tokens from a number or a text; negative means "decided at run time", hence unknown.

    >>> price_per_million("0.000005", per=1e6), price_per_million("-1"), price_per_million(None)
    (5.0, None, None)
    """
    try:
        price = round(float(value) * per, 9)
    except (TypeError, ValueError):
        return None
    return price if math.isfinite(price) and price >= 0 else None


def openai_entry(entry: dict[str, Any]) -> ListedModel | None:
    """A line in OpenAI's form with what others add to it: windows, prices, features."""
    name = entry.get("id")
    if not isinstance(name, str):
        return None
    top, routes = _object(entry.get("top_provider")), [r for r in entry.get("providers") or () if isinstance(r, dict)]
    windows = [entry.get(key) for key in ("context_length", "context_window", "max_model_len", "max_context_length")]
    return ListedModel(
        name,
        context_window=tokens(*windows, top.get("context_length"), *(route.get("context_length") for route in routes)),
        max_output_tokens=tokens(top.get("max_completion_tokens"), entry.get("max_completion_tokens")),
        capabilities=frozenset(_features(entry, routes)),
        **_prices(_object(entry.get("pricing")), routes),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _prices(pricing: dict[str, Any], routes: list[dict[str, Any]]) -> dict[str, float | None]:
    """OpenRouter says USD per token in texts; Perplexity and the Hugging Face router say USD per million."""
    if "prompt" in pricing:
        names = ("prompt", "completion", "input_cache_read", "input_cache_write")
        scale = _PER_TOKEN
    else:
        pricing = pricing or next((_object(route.get("pricing")) for route in routes if route.get("pricing")), {})
        names = ("input", "output", "cache_read", "cache_write")
        scale = 1.0
    fields = ("input_usd", "output_usd", "cache_read_usd", "cache_write_usd")
    return {field: price_per_million(pricing.get(name), per=scale) for field, name in zip(fields, names, strict=True)}


def _features(entry: dict[str, Any], routes: list[dict[str, Any]]) -> Iterable[str]:
    supported = entry.get("supported_parameters") or ()
    if "tools" in supported or any(route.get("supports_tools") for route in routes):
        yield "function_calling"
    if "structured_outputs" in supported or any(route.get("supports_structured_output") for route in routes):
        yield "structured_output"
    if "reasoning" in supported:
        yield "reasoning"
    if "image" in (_object(entry.get("architecture")).get("input_modalities") or ()):
        yield "vision"
