"""The mall: the models of a manager on shelves, seen from several sides at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from orchestrator.catalog.annotations import GROUP, Annotations
from orchestrator.core.info import PROVIDER_ALIASES, capability_name
from orchestrator.core.model import Model

__all__ = ["ModelMall", "Shelf"]

Sorting = Callable[[Model], Iterable[str]]


class Shelf(Mapping[str, Model]):
    """Models by id, looked up in the registry at every use."""

    def __init__(self, manager: Annotations, belongs: Callable[[Model], bool]) -> None:
        self._manager, self._belongs = manager, belongs

    def __getitem__(self, model_id: str) -> Model:
        model = self._manager.registry[model_id]
        if not self._belongs(model):
            raise KeyError(model_id)
        return model

    def __iter__(self) -> Iterator[str]:
        return (model.id for model in self._manager.registry.values() if self._belongs(model))

    def __len__(self) -> int:
        return sum(map(self._belongs, self._manager.registry.values()))

    def __repr__(self) -> str:
        return f"<Shelf of {list(self)}>"


class Floor(Mapping[str, Shelf]):
    """Shelves by label; a model stands on each whose label it has."""

    def __init__(self, manager: Annotations, labels: Sorting, spelled: Callable[[str], str] = str) -> None:
        self._manager, self._labels, self._spelled = manager, labels, spelled

    def __getitem__(self, label: str) -> Shelf:
        label = self._spelled(label)
        if label not in set(self):
            raise KeyError(label)
        return Shelf(self._manager, lambda model: label in self._labels(model))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({label for model in self._manager.registry.values() for label in self._labels(model)}))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<Floor of {list(self)}>"


class ModelMall(Mapping[str, Mapping[str, Any]]):
    """A nested mapping over a manager's models, always as they are now.

    `by_provider`, `by_capability`, `by_tag` and `groups` lead to shelves by label, `local` and `remote` are shelves;
    a shelf maps ids to models. Several keys at once go down at once.

    >>> from orchestrator.models.model_registry import ModelRegistry
    >>> mall = ModelMall(Annotations(ModelRegistry()))
    >>> mall.manager.registry["a"] = {"provider": "ollama", "name": "llama3", "is_local": True}
    >>> list(mall["by_provider"]), list(mall["by_provider", "ollama"]), mall["local", "a"], len(mall["remote"])
    (['ollama'], ['a'], <OllamaModel 'a'>, 0)
    """

    def __init__(self, manager: Annotations) -> None:
        self.manager = manager
        self._floors: dict[str, Mapping[str, Any]] = {
            "by_provider": Floor(manager, lambda model: (model.provider,), _provider),
            "by_capability": Floor(manager, lambda model: model.capabilities.names, capability_name),
            "by_tag": Floor(manager, lambda model: model.tags),
            "groups": Floor(manager, _groups),
            "local": Shelf(manager, lambda model: model.is_local),
            "remote": Shelf(manager, lambda model: not model.is_local),
        }

    def __getitem__(self, key: str | tuple[str, ...]) -> Any:
        path = key if isinstance(key, tuple) else (key,)
        found: Any = self._floors
        for step in path:
            found = found[step]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._floors)

    def __len__(self) -> int:
        return len(self._floors)


def _provider(name: str) -> str:
    return PROVIDER_ALIASES.get(name.lower(), name.lower())


def _groups(model: Model) -> list[str]:
    return [tag.removeprefix(GROUP) for tag in model.tags if tag.startswith(GROUP)]
