"""What people note about models: tags, groups, remarks, scores; kept in the models' own descriptions."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.catalog.compare import compared
from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["GROUP", "Annotations"]

GROUP = "group:"  # a group is a tag with this beginning
_BENCHMARKS = "benchmarks"  # the remark that holds scores by the name of the benchmark


class Annotations:
    """The models of a registry with the notes on them; every change is kept where the registry keeps its models."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self._noting = threading.RLock()  # a note is read, changed and put back

    @property
    def models(self) -> ModelRegistry:
        """All models by id."""
        return self.registry

    def get_model(self, model_id: str) -> Model:
        """The model of this id or other name."""
        return self.registry.get_model(model_id)

    def list_models(self, **wanted: Any) -> list[Model]:
        """The models that meet every condition (see `registry.filter`), or all."""
        return list(self.registry.filter(**wanted))

    def compare(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """These models side by side, by property and then by id; None is unknown."""
        return compared([self.get_model(model_id) for model_id in ids])

    # notes

    def add_model_tag(self, model_id: str, *tags: str) -> None:
        """Label a model."""
        self._retag(self.get_model(model_id), add=_labels(tags))

    def remove_model_tag(self, model_id: str, *tags: str) -> None:
        """Take labels off; those it does not have are no error."""
        self._retag(self.get_model(model_id), remove=_labels(tags))

    def set_custom_metadata(self, model_id: str, key: str, value: Any) -> None:
        """Note something about a model, under a name of yours; None takes the note back."""
        model = self.get_model(model_id)
        with self._noting:
            notes = {**model.custom_metadata, key: value}
            if value is None:
                del notes[key]
            self._redescribe(model, custom_metadata=notes)

    def set_connector_metadata(self, model_id: str, client: str, **settings: Any) -> None:
        """What a client calls this model (`id=`) and which further arguments it is to get."""
        model = self.get_model(model_id)
        with self._noting:
            theirs = {**model.connector_metadata.get(client, {}), **settings}
            self._redescribe(model, connector_metadata={**model.connector_metadata, client: theirs})

    def set_benchmark_score(self, model_id: str, benchmark: str, score: float) -> None:
        """Note what a model reached in a benchmark; in queries it is `custom_metadata.benchmarks.NAME`."""
        with self._noting:
            scores = {**self.benchmark_scores(model_id), benchmark: _finite(score)}
            self.set_custom_metadata(model_id, _BENCHMARKS, scores)

    def benchmark_scores(self, model_id: str) -> dict[str, float]:
        """The scores noted, by benchmark."""
        scores = self.get_model(model_id).custom_metadata.get(_BENCHMARKS)
        return dict(scores) if isinstance(scores, Mapping) else {}

    # groups

    def create_model_group(self, name: str, ids: Iterable[str]) -> None:
        """Make a group of exactly these models; an unknown id leaves everything as it was."""
        _labels([name])
        members = [self.get_model(model_id) for model_id in ids]
        inside = {model.id for model in members}
        for model in self.registry.filter(tags=[GROUP + name]):
            if model.id not in inside:
                self._retag(model, remove={GROUP + name})
        for model in members:
            self._retag(model, add={GROUP + name})

    def delete_model_group(self, name: str) -> None:
        """Dissolve a group; its models stay."""
        self.create_model_group(name, [])

    def list_model_groups(self) -> dict[str, list[str]]:
        """The ids in each group, by the groups' names."""
        groups: dict[str, list[str]] = {}
        for model in self.registry.values():
            for tag in model.tags:
                if tag.startswith(GROUP):
                    groups.setdefault(tag.removeprefix(GROUP), []).append(model.id)
        return dict(sorted(groups.items()))

    def _retag(self, model: Model, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        with self._noting:
            self._redescribe(model, tags=(model.tags | set(add)) - set(remove))

    def _redescribe(self, model: Model, **changes: Any) -> None:
        """Put new facts in the place of old ones, and have the registry note that."""
        model.info = model.info.model_copy(update=changes)
        self.registry[model.id] = model


def _finite(score: Any) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise ValueError(f"score={score!r}: give a finite number")
    return score


def _labels(tags: Iterable[Any]) -> set[str]:
    for tag in tags:
        if not isinstance(tag, str) or not tag.strip():
            raise ValueError(f"a tag or a group has a name; {tag!r} is none")
    return set(tags)
