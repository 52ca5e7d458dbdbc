"""What may be put into a registry, and the model it becomes."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.integrations.providers import model_from

__all__ = ["Entry", "inherit", "model_of", "uncollected", "within"]

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


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection while many objects are made that all stay: it would only walk through them."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def inherit(model: Model, stored: Model | None) -> None:
    """Take over what a user has noted about the stored form of this model, where the model says nothing itself."""
    if stored is None or stored is model:
        return
    old, new = stored.info, model.info
    notes = {
        "tags": old.tags | new.tags,
        "aliases": tuple(dict.fromkeys((*new.aliases, *old.aliases))),
        "custom_metadata": {**old.custom_metadata, **new.custom_metadata},
        "connector_metadata": {**old.connector_metadata, **new.connector_metadata},
    }
    model.info = new.model_copy(update=notes)


def within(size: int | None, least: int | None, most: int | None) -> bool:
    """Whether a context size lies in these bounds; an unknown one lies in none."""
    if least is None and most is None:
        return True
    return size is not None and (least is None or size >= least) and (most is None or size <= most)
