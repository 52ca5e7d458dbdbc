"""A model described anew: facts follow their source, and what the user has said stays."""

from __future__ import annotations

from typing import Any

from orchestrator.core.info import ModelCapabilities, ModelInfo

__all__ = ["FACTS", "facts_of", "refreshed", "stamped"]

FACTS = ("display_name", "version", "context_window", "is_local", "cost", "speed_tokens_per_s", "deprecation_date")


def facts_of(info: ModelInfo) -> dict[str, Any]:
    """What a description states, in plain values: unset fields and unknown figures are left out."""
    facts = info.model_dump(mode="json", include=set(FACTS) & info.model_fields_set, exclude_none=True)
    flags = info.capabilities.model_dump(exclude_unset=True, exclude_none=True)
    return facts | ({"capabilities": flags} if flags else {})


def stamped(info: ModelInfo) -> ModelInfo:
    """The description of a newly found model, with a note of what its source said."""
    return info.model_copy(update={"discovered": facts_of(info)})


def refreshed(known: ModelInfo, found: ModelInfo) -> ModelInfo:
    """The known description with the facts that a source states now.

    A fact that differs from what the source said last was set by the user, and stays. Tags, notes, aliases, limits
    and ids for other clients are the user's anyway; the source may only add to the last. Without news it is the very
    same description.

    >>> first = stamped(ModelInfo(id="openai/m", context_window=8_000, display_name="M"))
    >>> mine = first.model_copy(update={"display_name": "My M", "tags": {"mine"}})
    >>> again = refreshed(mine, ModelInfo(id="openai/m", context_window=16_000, display_name="M 2"))
    >>> again.context_window, again.display_name, again.tags
    (16000, 'My M', {'mine'})
    """
    said, stated = known.discovered, facts_of(found)
    if _is_no_news(stated, said) and found.connector_metadata.keys() <= known.connector_metadata.keys():
        return known
    now = facts_of(known)
    update: dict[str, Any] = {
        name: getattr(found, name)
        for name in FACTS
        if name in stated and (name not in now or now[name] == said.get(name))
    }
    update["capabilities"] = _abilities(known, said.get("capabilities", {}), stated.get("capabilities", {}))
    update["connector_metadata"] = found.connector_metadata | known.connector_metadata
    update["discovered"] = said | stated
    return known.model_copy(update=update)


def _is_no_news(stated: dict[str, Any], said: dict[str, Any]) -> bool:
    """True when the source says what it, or another one, has said before."""
    return all(name in said and said[name] == value for name, value in stated.items())


def _abilities(known: ModelInfo, said: dict[str, Any], stated: dict[str, Any]) -> ModelCapabilities:
    """Flag by flag the same."""
    flags = known.capabilities.model_dump(exclude_unset=True, exclude_none=True)
    new = {name: value for name, value in stated.items() if name not in flags or flags[name] == said.get(name)}
    return ModelCapabilities.model_validate(flags | new)
