"""A description as a record to store, and back; a key is never part of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from orchestrator.core.cost import Cost
from orchestrator.core.info import ModelCapabilities, ModelConstraints, ModelInfo
from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.models.storage.contract import StorageError

__all__ = ["info_of", "record_of", "text_of"]

_ORDER = tuple(name for name in ModelInfo.model_fields if name != "api_key")
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=to_jsonable_python)


def record_of(info: ModelInfo) -> dict[str, Any]:
    """What is known about a model, without what is empty and without its key.

    >>> record_of(ModelInfo(id="openai/gpt-4o", api_key="sk-secret", tags={"b", "a"}))
    {'id': 'openai/gpt-4o', 'provider': 'openai', 'name': 'gpt-4o', 'tags': ['a', 'b']}
    """
    record: dict[str, Any] = {}
    for name in _ORDER:
        value = getattr(info, name)
        reader = _PLAIN.get(name)
        if reader is not None and value is not None:
            value = reader(value)
        if value or (value == 0 and value is not False):
            record[name] = value
    return record


def _capabilities(value: ModelCapabilities) -> dict[str, Any]:
    """The flags that were declared, also those that are off."""
    return {name: flag for name, flag in value if name in value.model_fields_set}


def _constraints(value: ModelConstraints) -> dict[str, Any]:
    return {name: limit for name, limit in value if limit != _NO_LIMITS[name]}


_NO_LIMITS = dict(ModelConstraints())
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "capabilities": _capabilities,
    "constraints": _constraints,
    "cost": Cost.to_dict,
    "tags": sorted,
}


def text_of(info: ModelInfo) -> str:
    """The record as JSON, a line a field; a StorageError names what JSON cannot hold."""
    try:
        lines = ",\n".join(f'      "{name}": {_encoder.encode(value)}' for name, value in record_of(info).items())
        return f"    {{\n{lines}\n    }}"
    except (TypeError, ValueError, RecursionError) as error:
        raise StorageError(
            f"{info.id!r} cannot be stored: its metadata hold something that JSON does not know "
            f"({type(error).__name__}); use text, finite numbers, lists and mappings"
        ) from None


def info_of(record: Mapping[str, Any], *, place: str) -> ModelInfo:
    """The description in a stored record; what is wrong in it is named, and the store stays as it is."""
    try:
        return ModelInfo(**record)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        why = did_you_mean(key, _ORDER) if first["type"] == "extra_forbidden" else first["msg"]
    except (ConfigurationError, TypeError) as error:
        key, why = "cost" if isinstance(error, ConfigurationError) else "fields", str(error)
    raise StorageError(f"{place!r}, model {record.get('id')!r}, key {key!r}: {why}; mend it, nothing was changed")
