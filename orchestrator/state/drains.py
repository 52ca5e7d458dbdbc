"""Which models somebody has taken out by hand: told to the others, and to who comes after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.state.store import Sums

if TYPE_CHECKING:
    from orchestrator.models.health_monitor import ModelHealthMonitor

__all__ = ["Drains"]

_HALF = 0.5


class Drains:
    """A record for each model that was ever drained, with a field for each process that has done so.

    A process raises its own field only, to 1, and who restores a model lowers all that stand; so two who do the same at
    once do no harm. While any field stands the model is out, for processes that know nothing else, too.
    """

    kind = "drain"

    def __init__(self, health: ModelHealthMonitor, process: Callable[[], str]) -> None:
        self._health = health
        self._process = process
        self._told: dict[str, dict[str, float]] = {}  # what all have told by now, this process with them
        self._agreed: set[str] = set()  # models that are out for all and were put out here, too

    def news(self) -> Sums:
        """Who was drained here that nobody has told of, and who is drained no more."""
        self._agreed &= {model.id for model in self._health.models()}  # one that left was restored by nobody
        rows = {model_id: self._raised(model_id) for model_id in self._health.drained - self._agreed}
        rows |= {model_id: self._lowered(model_id) for model_id in self._agreed - self._health.drained}
        self._agreed = set(self._health.drained)
        for model_id, row in rows.items():
            self._add(model_id, row)
        return {f"{self.kind}:{model_id}": row for model_id, row in rows.items() if row}

    def _raised(self, model_id: str) -> dict[str, float]:
        if self._stands(model_id):
            return {}
        own = self._process()
        return {own: 1.0 - self._told.get(model_id, {}).get(own, 0.0)}

    def _lowered(self, model_id: str) -> dict[str, float]:
        return {process: -level for process, level in self._told.get(model_id, {}).items() if level > _HALF}

    def _stands(self, model_id: str) -> bool:
        return any(level > _HALF for level in self._told.get(model_id, {}).values())

    def _add(self, model_id: str, row: dict[str, float]) -> None:
        told = self._told.setdefault(model_id, {})
        for process, change in row.items():
            told[process] = told.get(process, 0.0) + change

    def arrived(self) -> None:
        """Nothing is held back for it."""

    def absorb(self, changes: Sums) -> None:
        """Do here what others have done; to models that have only come by now, too."""
        for record, row in changes.items():
            self._add(record.partition(":")[2], dict(row))
        for model_id in {model.id for model in self._health.models()} & self._told.keys():
            self._follow(model_id)

    def _follow(self, model_id: str) -> None:
        if self._stands(model_id) and model_id not in self._agreed:
            self._agreed.add(model_id)
            if model_id not in self._health.drained:
                self._health.drain(model_id)
        elif not self._stands(model_id) and model_id in self._agreed:
            self._agreed.discard(model_id)
            if model_id in self._health.drained:
                self._health.restore(model_id)
