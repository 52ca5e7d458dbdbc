"""Models by their ids: a mapping that any thread reads without a lock, and one at a time changes."""

from __future__ import annotations

import threading
import weakref
from abc import abstractmethod
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from contextlib import suppress
from typing import Any, TypeVar, overload

from pydantic import SecretStr

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.errors import AmbiguousModelError, DuplicateModelError, ModelNotFoundError
from orchestrator.integrations.providers import known_providers, model_from
from orchestrator.models.roster.entries import Entry, inherit, model_of, uncollected
from orchestrator.models.roster.names import Names, inferred_provider, split_provider
from orchestrator.models.roster.narrowing import narrowed
from orchestrator.models.storage import Keeper, ModelStore

__all__ = ["ModelMap"]

T = TypeVar("T")


class ModelMap(MutableMapping[str, Model]):
    """The mapping half of the registry.

    Every change puts a new dict in the place of the old one, so a reader sees all of it or nothing; models that come
    one by one wait for the next look, so that a thousand of them do not make a thousand dicts. Keys may also be other
    names of a model, lists of ids, and functions of a model.
    """

    def __init__(self) -> None:
        self._settled: dict[str, Model] = {}
        self._arrived: dict[str, Model] = {}  # those who came since the last look: one new dict will do for all
        self._lock = threading.RLock()
        self._restored: set[str] = set()  # read from storage, and not claimed by the program yet
        self._keeper: Keeper | None = None
        self.provider_keys: dict[str, SecretStr] = {}  # of models that are made at their first use
        self._version = 0
        self._names: tuple[int, Names] | None = None

    @property
    def _models(self) -> dict[str, Model]:
        """The models of this moment, in a dict that never changes."""
        if self._arrived:
            with self._lock:
                self._settled, self._arrived = {**self._settled, **self._arrived}, {}
        return self._settled

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
        if not isinstance(key, str):
            return False
        if key in self._models:
            return True
        with suppress(AmbiguousModelError):
            return self._known_names().find(key) is not None
        return False

    @overload
    def get(self, key: str, default: None = None, /) -> Model | None: ...
    @overload
    def get(self, key: str, default: Model | T, /) -> Model | T: ...
    @overload
    def get(self, key: list[str] | tuple[str, ...], /) -> list[Model]: ...
    def get(self, key: Any, default: Any = None, /) -> Any:
        """The model of an id or other name, else the default; of a list of ids, those that are there."""
        if isinstance(key, list | tuple):
            return [self[one] for one in key if one in self]
        return default if isinstance(key, str) and key not in self else self[key]

    def register_model(self, model: Entry) -> Model:
        """Add a model under its own id; an id that is taken is a DuplicateModelError.

        What was only read from storage is not in the way: it gives its place up, and its tags and notes to the new one.
        """
        return self._insert(None, model, replace=False)

    def register_models(self, models: Iterable[Entry]) -> list[Model]:
        """Add many models, and save once; when one of them is wrong or its id is taken, none is added."""
        with uncollected():
            return self._insert_all([self._made(None, one) for one in models], replace=False)

    def update(  # type: ignore[override]  # of all the signatures a mapping has, this one takes them
        self, other: Mapping[str, Entry] | Iterable[tuple[str, Entry]] = (), /, **named: Entry
    ) -> None:
        """Assign many models, and save once; when one of them is wrong, none is assigned."""
        self._insert_all([self._made(key, one) for key, one in dict(other, **named).items()], replace=True)

    def unregister_model(self, model_id: str) -> None:
        """Remove a model; its calls in flight finish."""
        with self._lock:
            self._take_out(model_id)
        self._settle()

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

    def filter(self, **wanted: Any) -> Iterator[Model]:
        """The models that meet every condition, one by one, as they are at this moment.

        All requirements, and `min_context_size`, `max_context_size` (tokens), `has_capabilities`, `version`,
        `max_input_price`, `max_output_price` (USD per million tokens) and `query`, a mapping of fields to conditions
        such as `{"context_size": {"$gte": 8000}}`. What is not known meets no bound.
        """
        meant = narrowed(**wanted)
        return (model for model in self._models.values() if meant(model))

    def _insert(self, key: str | None, value: Entry, *, replace: bool) -> Model:
        return self._insert_all([self._made(key, value)], replace=replace)[0]

    def _made(self, key: str | None, value: Entry) -> Model:
        if isinstance(value, Model) and key not in (None, value.id) and self._present(value.id) is value:
            raise DuplicateModelError(
                f"this very model is already registered as {value.id!r}; give it an alias instead"
            )
        return model_of(key, value)

    def _insert_all(self, models: list[Model], *, replace: bool) -> list[Model]:
        with self._lock:
            self._put_in(models, replace=replace)
        self._settle()
        return models

    def _put_in(self, models: list[Model], *, replace: bool) -> None:
        if not replace:
            self._refuse_taken(models)
        if self._keeper is not None:
            self._keeper.note(models)
        for model in models:
            replaced = self._present(model.id)
            # those who learn know the model before anyone can see it
            self._joined(model, None if replaced is model else replaced)
            self._arrived[model.id] = model
            self._restored.discard(model.id)
        self._changed()

    def _take_out(self, model_id: str) -> None:
        key = self._known_names().must_find(model_id)
        left = dict(self._models)
        model = left.pop(key)
        self._settled = left
        self._restored.discard(key)
        self._left(model)
        if self._keeper is not None:
            self._keeper.note_gone(key)
        self._changed()

    def _present(self, model_id: str) -> Model | None:
        return self._arrived.get(model_id) or self._settled.get(model_id)

    def _refuse_taken(self, models: list[Model]) -> None:
        seen: set[str] = set()
        for model in models:
            present = self._present(model.id)
            if model.id in seen or (present is not None and model.id not in self._restored):
                raise DuplicateModelError(f"{model.id!r} is already registered; assign registry[id] = model to replace")
            seen.add(model.id)
        for model in models:
            if model.id in self._restored:
                inherit(model, self._present(model.id))

    def exchange(self, incoming: Iterable[Entry], outgoing: Iterable[str]) -> None:
        """Put these in, in the place of any of the same id, and take those out; nobody sees a moment with neither.

        A model that takes another's place goes on with what was measured of it.
        """
        models = [self._made(None, one) for one in incoming]
        with self._lock:
            for model in models:
                present = self._present(model.id)
                if present is not None:
                    model.metrics = present.metrics
            self._put_in(models, replace=True)
            for model_id in outgoing:
                self._take_out(model_id)
        self._settle()

    # what outlives the process

    @property
    def is_kept(self) -> bool:
        """True where a `storage_path` keeps the models."""
        return self._keeper is not None

    def save(self) -> None:
        """Write to `storage_path` what is not there yet, edits in place included; without one, nothing happens."""
        if self._keeper is not None:
            self._keeper.save()

    def _settle(self) -> None:
        if self._keeper is not None:
            self._keeper.settle()

    def _restore(self, store: ModelStore) -> None:
        """Fill the registry from a store, and keep the two alike from now on."""
        keeper = Keeper(store)
        with uncollected():
            models = [model_from(info) for info in keeper.read()]
            self._insert_all(models, replace=True)
        keeper.restored(models)
        self._restored, self._keeper = {model.id for model in models}, keeper
        weakref.finalize(self, keeper.close)

    def _adopt(self, model_id: str) -> Model:
        """Register a model of a known provider at its first use; one instance, however many threads race for it."""
        known = frozenset(known_providers())
        provider, name = split_provider(model_id, known) or (inferred_provider(model_id), model_id)
        if provider is None:
            raise ModelNotFoundError.named(model_id, list(self._models))
        try:
            key = self.provider_keys.get(provider)
            return self.register_model(ModelInfo(id=f"{provider}/{name}", provider=provider, name=name, api_key=key))
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
