"""From the models section to descriptions: every spelling that settings have had, every fault with its line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from orchestrator.core.info import ModelConstraints, ModelInfo
from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.settings.tree import Branch, Place, Tree, unknown_key
from orchestrator.settings.variables import Missing

__all__ = ["described"]

_OLDER = {
    "model_id": "id",
    "model_name": "display_name",
    "rate_limit": "constraints",
    "context_size": "context_window",
    "context_length": "context_window",
    "cost_per_token": "cost",
}
_LIMITS = (*ModelConstraints.model_fields, "requests_per_minute", "tokens_per_minute")
_PARTS = {
    "provider": ("name", "default_api_key", "base_url"),
    "config": ("api_key", "base_url", "host", "port", "model_path"),
    "rate_limit": _LIMITS,
    "constraints": (*_LIMITS, "cost_per_token"),
}
_KNOWN = (*ModelInfo.model_fields, *_OLDER, "config")


def described(models: Branch, missing: Sequence[Missing] = ()) -> tuple[ModelInfo, ...]:
    """One description an entry; ConfigurationError for the first that is wrong, or whose id is there already."""
    found: dict[str, tuple[ModelInfo, Place]] = {}
    for entry, place in models.placed():
        if isinstance(entry, str):
            entry = Tree({"id": entry}, place=place)  # noqa: PLW2901 - an id alone is the shortest entry
        if not isinstance(entry, Tree):
            raise ConfigurationError(f"{place}: a model is a mapping with an 'id', or an id alone")
        info = _info(entry, missing)
        if info.id in found:
            raise ConfigurationError(f"{place}: {info.id!r} is described at {found[info.id][1]} already")
        found[info.id] = (info, place)
    return tuple(info for info, _ in found.values())


def _info(entry: Tree, missing: Sequence[Missing]) -> ModelInfo:
    _check_keys(entry)
    fields = dict(entry)
    fields |= _from_config(entry, fields)
    limits = fields.get("constraints")
    if isinstance(limits, Tree) and "cost_per_token" in limits:
        fields["cost_per_token"] = limits["cost_per_token"]
        fields["constraints"] = {key: value for key, value in limits.items() if key != "cost_per_token"}
    try:
        return ModelInfo(**fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = [str(step) for step in first["loc"]]
        raise _fault(entry, path, first["type"], first["msg"], missing) from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{entry.at('cost')}: {error}") from None


def _check_keys(entry: Tree) -> None:
    for key, value in entry.items():
        if key not in _KNOWN:
            raise unknown_key(entry.at(key), key, _KNOWN, within="a model")
        if key in _PARTS and isinstance(value, Tree):
            for part in value:
                if part not in _PARTS[key]:
                    raise unknown_key(value.at(part), part, _PARTS[key], within=key)


def _from_config(entry: Tree, fields: dict[str, Any]) -> dict[str, Any]:
    """What the `config` of an entry says: where it is, its key, and what its provider calls it."""
    config = fields.pop("config", None)
    if config is None:
        return {}
    if not isinstance(config, Tree):
        raise ConfigurationError(f"{entry.at('config')}: 'config': give a mapping")
    facts: dict[str, Any] = {"api_key": config.get("api_key"), "base_url": config.get("base_url")}
    if config.get("host") is not None:
        facts["base_url"] = f"http://{config['host']}:{config.get('port') or 80}"
    if config.get("model_path") is not None and isinstance(fields.get("name"), str):
        facts["name"] = config["model_path"]
        fields.setdefault("id", f"{str(fields.get('provider', '')).lower()}/{fields['name']}")
    return {key: value for key, value in facts.items() if value is not None}


def _fault(entry: Tree, path: list[str], kind: str, why: str, missing: Sequence[Missing]) -> ConfigurationError:
    """What pydantic found, in our words: where it was written, and a variable that was not there."""
    first = path[0] if path else ""
    spelled = next((old for old, new in _OLDER.items() if new == first and old in entry), first)
    part = entry.get(spelled)
    place = part.at(path[1]) if isinstance(part, Tree) and len(path) > 1 else entry.at(spelled)
    gone = next((one.name for one in missing if one.place == place), None)
    if kind == "extra_forbidden":
        why = f"unknown key; {did_you_mean(path[-1], _KNOWN)}"
    elif kind == "missing" and spelled in ("id", "provider", "name"):
        why = "a model needs an 'id' such as 'openai/gpt-4o', or 'provider' and 'name'"
    elif kind == "string_type":
        why = "give text; put it in quotes"
    told = f" (${{{gone}}} is not set)" if gone else ""
    name = str(entry.get("id") or entry.get("model_id") or entry.get("name"))[:80]
    return ConfigurationError(f"{place}: model {name!r}, {'.'.join(path)!r}: {why}{told}")
