"""Models by their ids: a mapping that any thread reads without a lock, and one at a time changes."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, ItemsView, Iterable, Iterator, MutableMapping, ValuesView
from contextlib import suppress
from typing import Any, overload

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.core.requirements import Requirements, why_not
from orchestrator.errors import AmbiguousModelError, DuplicateModelError, ModelNotFoundError
from orchestrator.integrations.providers import known_providers
from orchestrator.models.entries import Entry, model_of, within
from orchestrator.models.names import Names, inferred_provider, split_provider

__all__ = ["ModelMap"]


class ModelMap(MutableMapping[str, Model]):
    """The mapping half of the registry.

    Every change puts a new dict in the place of the old one, so a reader sees all of it or nothing. Keys may also be
    other names of a model, lists of ids, and functions of a model.
    """

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()
        self._version = 0
        self._names: tuple[int, Names] | None = None

    @overload
    def __getitem__(self, key: str) -> Model: ...
    @overload
    def __getitem__(self, key: list[str] | tuple[str, ...]) -> list[Model]: ...
    @overload
    def __getitem__(self, key: Callable[[Model], bool]) -> list[Model]: ...
    def __getitem__(self, key: Any) -> Any:
        """One model by id or other name, several by a list of ids, or those for which a function is true."""
        if isinstance(key, str):
            model = self._models.get(key)
            return model if model is not None else self._models[self._known_names().must_find(key)]
        if isinstance(key, list | tuple):
            return [self[one] for one in key]
        if callable(key):
            return [model for model in self.values() if key(model)]
        raise TypeError(f"a key is an id, a list of ids or a function of a model, not {type(key).__name__}")

    def __setitem__(self, key: str, value: Entry) -> None:
        self._insert(key, value, replace=True)

    def __delitem__(self, key: str) -> None:
        self.unregister_model(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def values(self) -> ValuesView[Model]:
        """The models of this moment; a later change does not reach into the loop over them."""
        return self._models.values()

    def items(self) -> ItemsView[str, Model]:
        """Ids and models of this moment."""
        return self._models.items()

    def __contains__(self, key: object) -> bool:
        with suppress(AmbiguousModelError):
            return isinstance(key, str) and (key in self._models or self._known_names().find(key) is not None)
        return False

    def register_model(self, model: Entry) -> Model:
        """Add a model under its own id; an id that is taken is a DuplicateModelError."""
        return self._insert(None, model, replace=False)

    def unregister_model(self, model_id: str) -> None:
        """Remove a model; its calls in flight finish."""
        with self._lock:
            key = self._known_names().must_find(model_id)
            left = dict(self._models)
            model = left.pop(key)
            self._models = left
            self._left(model)
            self._changed()

    def get_model(self, model_id: str) -> Model:
        """The model of this id, made and registered on the spot where its provider is known, as in `openai/gpt-4`."""
        model = self._models.get(model_id)
        if model is None:
            key = self._known_names().find(model_id)
            model = self._models[key] if key is not None else self._adopt(model_id)
        return model

    def list_models(self, **wanted: Any) -> list[str]:
        """The ids of all models, or of those that meet the requirements."""
        return [model.id for model in self.filter(**wanted)] if wanted else list(self._models)

    def filter(
        self,
        *,
        min_context_size: int | None = None,
        max_context_size: int | None = None,
        has_capabilities: Iterable[str] | None = None,
        **wanted: Any,
    ) -> Iterator[Model]:
        """The models that meet the requirements, one by one; an unknown context size meets no bound."""
        needs = Requirements.of(capabilities=has_capabilities, **wanted)
        for model in self._models.values():
            if why_not(model, needs) is None and within(model.context_size, min_context_size, max_context_size):
                yield model

    def _insert(self, key: str | None, value: Entry, *, replace: bool) -> Model:
        if isinstance(value, Model) and key not in (None, value.id) and self._models.get(value.id) is value:
            raise DuplicateModelError(
                f"this very model is already registered as {value.id!r}; give it an alias instead"
            )
        model = model_of(key, value)
        with self._lock:
            replaced = self._models.get(model.id)
            if replaced is not None and not replace:
                raise DuplicateModelError(f"{model.id!r} is already registered; assign registry[id] = model to replace")
            # those who learn know the model before anyone can see it
            self._joined(model, None if replaced is model else replaced)
            self._models = {**self._models, model.id: model}
            self._changed()
        return model

    def _adopt(self, model_id: str) -> Model:
        """Register a model of a known provider at its first use; one instance, however many threads race for it."""
        known = frozenset(known_providers())
        provider, name = split_provider(model_id, known) or (inferred_provider(model_id), model_id)
        if provider is None:
            raise ModelNotFoundError.named(model_id, list(self._models))
        try:
            return self.register_model(ModelInfo(id=f"{provider}/{name}", provider=provider, name=name))
        except DuplicateModelError:
            return self._models[f"{provider}/{name}"]

    def _changed(self) -> None:
        self._version += 1

    def _known_names(self) -> Names:
        names = self._names
        if names is None or names[0] != self._version:
            names = self._names = (self._version, Names(self._models, frozenset(known_providers())))
        return names[1]

    @abstractmethod
    def _joined(self, model: Model, replaced: Model | None) -> None:
        """A model came in, perhaps in the place of another."""

    @abstractmethod
    def _left(self, model: Model) -> None:
        """A model was taken out."""
