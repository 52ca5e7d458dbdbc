"""What a provider's list of models tells about each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from orchestrator.core.cost import CostTier

__all__ = [
    "MAX_LISTED",
    "ListedModel",
    "Listing",
    "day",
    "listed",
    "plain_text",
    "price_per_million",
    "seems_to_chat",
    "tokens",
]

MAX_LISTED = 100_000
_MAX_NAME = 512
_MAX_TIERS = 8
_PER_TOKEN = 1e6  # a price per token, brought to a million
_MOST_USD = 1_000.0  # per million tokens: the dearest models of 2026 ask 600, so more is a mistake
_OTHER_WORK = ("embed", "minilm", "bge-", "whisper", "tts", "dall-e", "moderation", "rerank", "gpt-image", "sora")


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
    lacks: frozenset[str] = frozenset()  # what it is said not to do
    display_name: str | None = None
    deprecation_date: date | None = None
    tiers: tuple[CostTier, ...] = ()  # other prices for long prompts


class Listing(list[ListedModel]):
    """The models of a list, each id once, and how many entries were left out for which reason."""

    def __init__(self, models: Iterable[ListedModel] = (), dropped: Mapping[str, int] | None = None) -> None:
        super().__init__(models)
        self.dropped: Counter[str] = Counter(dropped or {})

    @classmethod
    def joined(cls, pages: Iterable[Iterable[ListedModel]]) -> Listing:
        """One list of several pages."""
        found: dict[str, ListedModel] = {}
        dropped: Counter[str] = Counter()
        for page in pages:
            dropped += getattr(page, "dropped", Counter())
            for model in page:
                if model.id in found:
                    dropped["listed twice"] += 1
                found.setdefault(model.id, model)
        return cls(found.values(), dropped)


def listed(entries: Any, read: Callable[[dict[str, Any]], ListedModel | None]) -> Listing:
    """The readable entries, each id once; what is no model is left out and counted."""
    if not isinstance(entries, list):
        return Listing(dropped={} if entries is None else {"no list": 1})
    found: dict[str, ListedModel] = {}
    dropped: Counter[str] = Counter()
    for entry in entries[:MAX_LISTED]:
        model = read(entry) if isinstance(entry, dict) else None
        flaw = _flaw(model, found)
        if model is None or flaw:
            dropped[flaw] += 1
        else:
            found[model.id] = model
    if len(entries) > MAX_LISTED:
        dropped[f"beyond {MAX_LISTED} entries"] = len(entries) - MAX_LISTED
    return Listing(found.values(), dropped)


def _flaw(model: ListedModel | None, found: Mapping[str, ListedModel]) -> str:
    """Why an entry is left out, or an empty text."""
    if model is None or not model.id:
        return "no id"
    if len(model.id) > _MAX_NAME or not model.id.isprintable():
        return "unusable id"
    return "listed twice" if model.id in found else ""


def seems_to_chat(name: str) -> bool:
    """False for a name that clearly belongs to something else than chat.

    >>> seems_to_chat("gpt-4o"), seems_to_chat("text-embedding-3-small")
    (True, False)
    """
    lowered = name.lower()
    return not any(word in lowered for word in _OTHER_WORK)


def plain_text(value: Any) -> str | None:
    r"""A short printable text, or None.

    >>> plain_text(" GPT-4o "), plain_text("\x1b[2J"), plain_text("x" * 1000)
    ('GPT-4o', None, None)
    """
    text = value.strip() if isinstance(value, str) else ""
    return text if text and len(text) <= _MAX_NAME and text.isprintable() else None


def day(value: Any) -> date | None:
    """A date from its ISO form, with or without a time of day.

    >>> day("2026-10-23"), day("2026-10-23T00:00:00Z"), day("soon"), day(None)
    (datetime.date(2026, 10, 23), datetime.date(2026, 10, 23), None, None)
    """
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def tokens(*values: Any) -> int | None:
    """The first value that is a positive count; 0 stands for unknown in such lists."""
    return next((value for value in values if type(value) is int and 0 < value < 1e9), None)


def price_per_million(value: Any, *, per: float = 1.0) -> float | None:
    """USD per million tokens from a number or a text; negative means "decided at run time", hence unknown.

    So is what no model costs: such a figure is in another unit.

    >>> price_per_million("0.000005", per=1e6), price_per_million("-1"), price_per_million(None)
    (5.0, None, None)
    >>> price_per_million(5, per=1e6) is None
    True
    """
    try:
        price = round(float(value) * per, 9)
    except (TypeError, ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and 0 <= price < _MOST_USD else None


def openai_entry(entry: dict[str, Any]) -> ListedModel | None:
    """A line in OpenAI's form with what others add to it: windows, prices, features."""
    name = entry.get("id")
    if not isinstance(name, str):
        return None
    top, routes = _object(entry.get("top_provider")), [r for r in _list(entry.get("providers")) if isinstance(r, dict)]
    windows = [entry.get(key) for key in ("context_length", "context_window", "max_model_len", "max_context_length")]
    return ListedModel(
        name,
        context_window=tokens(*windows, top.get("context_length"), *(route.get("context_length") for route in routes)),
        max_output_tokens=tokens(top.get("max_completion_tokens"), entry.get("max_completion_tokens")),
        capabilities=frozenset(_features(entry, routes)),
        lacks=_missing(entry),
        display_name=plain_text(entry.get("name")),
        deprecation_date=day(entry.get("shutdown_date") or entry.get("expiration_date")),
        tiers=_tiers(_object(entry.get("pricing")).get("overrides")),
        **_prices(_object(entry.get("pricing")), routes),
    )


def _missing(entry: dict[str, Any]) -> frozenset[str]:
    """What answers with pictures or vectors alone writes no text."""
    out = _list(_object(entry.get("architecture")).get("output_modalities"))
    return frozenset({"text_generation"}) if out and "text" not in out else frozenset()


def _tiers(overrides: Any) -> tuple[CostTier, ...]:
    """OpenRouter's prices for prompts from a size on."""
    entries = overrides[:_MAX_TIERS] if isinstance(overrides, list) else ()
    return tuple(tier for entry in entries if isinstance(entry, dict) and (tier := _tier(entry)) is not None)


def _tier(entry: dict[str, Any]) -> CostTier | None:
    names = (("input", "prompt"), ("output", "completion"), ("cache_read", "input_cache_read"))
    prices = {ours: price_per_million(entry.get(theirs), per=_PER_TOKEN) for ours, theirs in names}
    size = tokens(entry.get("min_prompt_tokens"))
    return None if size is None or prices["input"] is None else CostTier(size, **prices)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


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
    supported = _list(entry.get("supported_parameters"))
    if "tools" in supported or any(route.get("supports_tools") for route in routes):
        yield "function_calling"
    if "structured_outputs" in supported or any(route.get("supports_structured_output") for route in routes):
        yield "structured_output"
    if "reasoning" in supported:
        yield "reasoning"
    architecture = _object(entry.get("architecture"))
    taken, given = _list(architecture.get("input_modalities")), _list(architecture.get("output_modalities"))
    if "image" in taken:
        yield "vision"
    if "audio" in taken:
        yield "audio"
    if "embeddings" in given:
        yield "embeddings"
