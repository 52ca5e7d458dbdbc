"""Which models somebody has taken out by hand: told to the others, and to who comes after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orchestrator.state.store import Sums

if TYPE_CHECKING:
    from orchestrator.models.health_monitor import ModelHealthMonitor

__all__ = ["Drains"]


class Drains:
    """A record for each model that was ever drained, with a field for each process that has had a word on it.

    Nobody writes the field of another. A word is twice a number above all that its speaker has heard of (Lamport,
    1978), and one more where it takes the model out; the highest word of a record holds. So the same said by many at
    once does no harm, and of two who say the opposite without having heard of each other, who takes it out is right.
    """

    kind = "drain"

    def __init__(self, health: ModelHealthMonitor, process: Callable[[], str], common: Callable[[], Sums]) -> None:
        self._health = health
        self._process = process
        self._common = common  # the records as they stand in the store
        self._agreed: set[str] = set()  # models that are out for all and were put out here, too
        self._restored: set[str] = set()  # by hand, since the last round
        self._under_way: set[str] = set()  # models on which a word has not arrived
        health.subscribe(self._changed)

    def _changed(self, model_id: str, before: str, after: str) -> None:
        if before == "drained" != after:  # nobody is told so of a model that has left: it was restored by nobody
            self._restored.add(model_id)

    def news(self) -> Sums:
        """What was done here by hand, and what was told before and has not arrived."""
        restored, self._restored = self._restored, set()
        drained = self._health.drained
        touched = (drained - self._agreed) | restored | self._under_way
        self._agreed = set(drained)
        self._under_way = {model_id for model_id in touched if self._is_out(model_id) != (model_id in drained)}
        return {_record(model_id): self._word(model_id, out=model_id in drained) for model_id in self._under_way}

    def _word(self, model_id: str, *, out: bool) -> dict[str, float]:
        """What this process adds to its field, so that it is the highest."""
        told, process = self._told(model_id), self._process()
        highest = max(told.values(), default=0.0)
        return {process: 2 * (highest // 2 + 1) + out - told.get(process, 0.0)}

    def _told(self, model_id: str) -> Mapping[str, float]:
        return self._common().get(_record(model_id), {})

    def _is_out(self, model_id: str) -> bool:
        return max(self._told(model_id).values(), default=0.0) % 2 == 1

    def arrived(self) -> None:
        """What others have said since counts again."""
        self._under_way = set()

    def absorb(self, changes: Sums) -> None:  # noqa: ARG002 - the contract's; models that came by now heed old words, too
        """Do here what others have done."""
        for model_id in {model.id for model in self._health.models()} - self._under_way:
            self._follow(model_id)

    def _follow(self, model_id: str) -> None:
        if not self._told(model_id):
            self._agreed.discard(model_id)  # if it was there, it is lost with the store, and said again
        elif self._is_out(model_id) and model_id not in self._agreed:
            self._agreed.add(model_id)
            if model_id not in self._health.drained:
                self._health.drain(model_id)
        elif not self._is_out(model_id) and model_id in self._agreed:
            self._agreed.discard(model_id)
            if model_id in self._health.drained:
                self._health.restore(model_id)


def _record(model_id: str) -> str:
    return f"{Drains.kind}:{model_id}"
