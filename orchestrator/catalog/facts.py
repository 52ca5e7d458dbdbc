"""From a line of somebody's list to the description of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.catalog.source import Found
from orchestrator.core.cost import Cost
from orchestrator.core.info import ModelInfo
from orchestrator.integrations.dialects.listing import ListedModel, Listing, seems_to_chat

__all__ = ["described", "found_on"]


def found_on(provider: str, listing: Iterable[ListedModel], *, is_local: bool = False, **more: Any) -> Found:
    """A provider's own list as descriptions."""
    dropped = listing.dropped if isinstance(listing, Listing) else Counter[str]()
    return Found.of((described(provider, one, is_local=is_local, **more) for one in listing), dropped)


def described(provider: str, listed: ListedModel, *, is_local: bool = False, **more: Any) -> ModelInfo:
    """The description of one line; what it does not tell stays unknown, and no address is taken from it.

    >>> info = described("openai", ListedModel("text-embedding-3-small", input_usd=0.02, output_usd=0.0))
    >>> info.id, info.cost, info.capabilities.denies("text_generation")
    ('openai/text-embedding-3-small', Cost(input=0.02, output=0.0), True)
    """
    facts: dict[str, Any] = {
        "display_name": listed.display_name,
        "context_window": listed.context_window,
        "capabilities": _abilities(listed) or None,
        "cost": _cost(listed),
        "deprecation_date": listed.deprecation_date,
        "is_local": is_local or None,
    }
    known = {name: value for name, value in (facts | more).items() if value is not None}
    return ModelInfo(id=f"{provider}/{listed.id}", provider=provider, name=listed.id, **known)


def _abilities(listed: ListedModel) -> Mapping[str, Any]:
    """Flags by name; a name that tells of other work than chat counts where the list itself says nothing."""
    flags: dict[str, Any] = dict.fromkeys(sorted(listed.lacks), False)
    flags |= dict.fromkeys(sorted(listed.capabilities), True)
    if not seems_to_chat(listed.id):
        flags.setdefault("text_generation", False)
    if listed.max_output_tokens is not None:
        flags["max_tokens"] = listed.max_output_tokens
    return flags


def _cost(listed: ListedModel) -> Cost | None:
    """Prices as far as they are known; a list without any says nothing about them."""
    prices = (listed.input_usd, listed.output_usd, listed.cache_read_usd, listed.cache_write_usd)
    return None if prices[:2] == (None, None) else Cost(*prices, tiers=listed.tiers)
