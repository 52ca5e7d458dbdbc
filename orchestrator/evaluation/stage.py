"""Who can be chosen in which round of a replay, and what the selector is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.evaluation.breaker import Breaker
from orchestrator.evaluation.changes import Joins, Leaves, Outage, Reprices
from orchestrator.evaluation.table import Expected
from orchestrator.evaluation.world import World
from orchestrator.selectors.selector import ModelSelector, Slate

__all__ = ["Expectations", "Stage"]


class Expectations(NamedTuple):
    """What is expected of models before the first call: mean score, or one by category, and mean USD of a call."""

    scores: Mapping[str, Expected]
    costs_usd: Mapping[str, float]


@dataclass(slots=True)
class Stage:
    """Who can be chosen in which round; tells the selector of models that come, go or change their price."""

    world: World
    selector: ModelSelector
    expected: Expectations
    breaker: Breaker = field(default_factory=Breaker)
    probes: int = 0
    _slate: Slate | None = None
    _turns: set[int] = field(default_factory=set)
    _listed_usd: dict[str, float] = field(default_factory=dict)
    _flagged: bool = False

    def __post_init__(self) -> None:
        self._listed_usd = dict(self.expected.costs_usd)
        self._turns = {change.at for change in self.world.changes}
        self._flagged = any(isinstance(change, Outage) and change.flagged for change in self.world.changes)
        for column, model in enumerate(self.world.table.models):
            if self.world.present[0, column]:
                self._enroll(model)

    def slate(self, round_: int) -> Slate:
        """The candidates of this round; made anew only when somebody came, went, failed or is back."""
        if round_ in self._turns:
            self._turn(round_)
        if self._flagged and self.breaker.out:
            self._probe(round_)
        if self._slate is None:
            self._slate = self.selector.slate(self._candidates(round_))
        return self._slate

    def _candidates(self, round_: int) -> list[str]:
        there = [model for model, here in zip(self.world.table.models, self.world.present[round_], strict=True) if here]
        return [model for model in there if model not in self.breaker.out] or there

    def _turn(self, round_: int) -> None:
        for change in self.world.changes:
            if change.at != round_:
                continue
            match change:
                case Joins() if round_:
                    self._enroll(change.model)
                case Leaves():
                    self.selector.retire(change.model)
                case Reprices(announced=True, factor=factor):
                    self._announce(change.model, factor)
        self._slate = None

    def _enroll(self, model: str) -> None:
        self.selector.enroll(
            model,
            expected_quality=self.expected.scores.get(model),
            expected_cost_usd=self._listed_usd.get(model),
        )

    def _announce(self, model: str, factor: float) -> None:
        """The list price changes; where there was none, what the model has cost so far stands for the old one."""
        known = self._listed_usd.get(model) or self.selector.statistics()[model]["mean_cost_usd"]
        if known is not None:
            for price_usd in (known, known * factor):
                self._listed_usd[model] = price_usd
                self._enroll(model)

    def failed(self, arm: str, round_: int) -> None:
        """An error: it teaches nothing about quality, and too many take the model out."""
        self.selector.release(arm)
        if self.breaker.failed(arm, round_):
            self._slate = None

    def answered(self, arm: str) -> None:
        """A call came to an answer; one that left before the model was taken out does not bring it back."""
        if self._flagged and arm not in self.breaker.out:
            self.breaker.answered(arm)

    def _probe(self, round_: int) -> None:
        """Ask those whose time has come again, with a copy of this round's request."""
        for model in self.breaker.due(round_):
            self.probes += 1
            if self.world.failing[round_, self.world.table.column(model)]:
                self.breaker.failed(model, round_)
            else:
                self.breaker.answered(model)
                self._slate = None
