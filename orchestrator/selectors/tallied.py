"""Memory by category: for policies that learn what each arm does in each kind of request."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from orchestrator.core.outcome import Objective
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.state import read_sums
from orchestrator.selectors.tally import Tally, true_results

__all__ = ["Tallied"]


class Tallied(ModelSelector):
    """Counts every rated call in its category, and saves and merges these counts with the rest."""

    attentive = True

    def __init__(self, *, objective: Objective | None = None) -> None:
        super().__init__(objective=objective)
        self._tally = Tally()
        self._waiting: dict[str, dict[str, list[float]]] = {}  # results by category of arms that have not come yet

    def learn(self, arm: Arm, quality: float, context: Context | None) -> None:
        """Count the result in its category."""
        if context is not None and context.category is not None:
            self._tally.add(context.category, arm.row, number=1.0, total=quality)

    def relearn(self, arm: Arm, old_quality: float, new_quality: float, context: Context | None) -> None:
        """Correct the category's sum."""
        if context is not None and context.category is not None:
            self._tally.add(context.category, arm.row, number=0.0, total=new_quality - old_quality)

    def charge(self, arm: Arm, cost_usd: float, context: Context | None) -> None:
        """Count what a call in this category cost."""
        if context is not None and context.category is not None:
            self._tally.charge(context.category, arm.row, cost_usd=cost_usd)

    def retire(self, arm: str) -> None:
        """The model leaves and is forgotten."""
        gone = self._known.get(arm)
        super().retire(arm)
        if gone is not None:
            self._tally.clear(gone.row)

    def state(self, *, only: Collection[str] | None = None) -> dict[str, Any]:
        """Everything learnt, as JSON, with the results by category."""
        made = super().state(only=only)
        for name, record in made["arms"].items():
            arm = self._known.get(name)
            by_category = self._waiting.get(name) if arm is None else self._tally.of(arm.row)
            made["arms"][name] = {**record, "by_category": by_category} if by_category else record
        return made

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add what another process, or an earlier run, has learnt, category by category where it says so."""
        super().merge(state)
        for name, sums in read_sums(state):
            if sums is not None:
                self._merge_categories(name, true_results(state["arms"][name].get("by_category")))

    def absorb(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Count what other processes have seen meanwhile, category by category."""
        super().absorb(changes)
        for name, record in changes.items():
            self._merge_categories(name, record.get("by_category", {}).items())

    def _merge_categories(self, name: str, results: Iterable[tuple[str, list[float]]]) -> None:
        arm = self._known.get(name)
        for category, sums in results:
            if arm is not None:
                self._add_category(arm.row, category, sums)
            else:
                before = self._waiting.setdefault(name, {}).get(category, [])
                self._waiting[name][category] = [sum(pair) for pair in zip_longest(before, sums, fillvalue=0.0)]

    def _add_category(self, row: int, category: str, sums: Sequence[float]) -> None:
        number, total, *costs = sums
        self._tally.add(category, row, number=number, total=total)
        if costs:
            self._tally.charge(category, row, number=costs[0], cost_usd=costs[1])

    def _seat(self, name: str) -> Arm:
        arm = super()._seat(name)
        self._tally.clear(arm.row)
        for category, sums in true_results(self._waiting.pop(name, None)):
            self._add_category(arm.row, category, sums)
        return arm
