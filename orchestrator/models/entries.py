"""What may be put into a registry, and the model it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.integrations.providers import model_from

__all__ = ["Entry", "model_of", "within"]

Entry = Model | ModelInfo | Mapping[str, Any]


def model_of(key: str | None, entry: Entry) -> Model:
    """One entry from any of its forms, under the key it was given."""
    if isinstance(entry, Mapping):
        entry = ModelInfo(**({"id": key, **entry} if key is not None else entry))
    if not isinstance(entry, Model | ModelInfo):
        raise TypeError(f"register a Model, a ModelInfo or a mapping with its fields, not {type(entry).__name__}")
    model = model_from(entry) if isinstance(entry, ModelInfo) else entry
    if key is not None and key != model.id:
        aliases = (*model.info.aliases, model.info.id)
        model.info = model.info.model_copy(update={"id": key, "aliases": aliases})
    return model


def within(size: int | None, least: int | None, most: int | None) -> bool:
    """Whether a context size lies in these bounds; an unknown one lies in none."""
    if least is None and most is None:
        return True
    return size is not None and (least is None or size >= least) and (most is None or size <= most)
