"""The choice itself: who is eligible, what the policy says, and who is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective
from orchestrator.core.passage import PASSAGE
from orchestrator.core.requirements import Requirements
from orchestrator.errors import NoEligibleModelsError
from orchestrator.models.roster.eligibility import Eligibility, Eligible
from orchestrator.models.roster.selection import Selection
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import Choice, ModelSelector

if TYPE_CHECKING:
    import numpy as np

    from orchestrator.models.road.settlement import Settlement

__all__ = ["Choosing", "Roster"]

Roster = tuple[int, Mapping[str, Model]]  # how often it has changed, and who is there
_log = logging.getLogger(__name__)


class Choosing:
    """Picks among the models of a registry; `roster` says who they are at this moment."""

    def __init__(
        self,
        roster: Callable[[], Roster],
        selector: ModelSelector,
        eligibility: Eligibility,
        settlement: Settlement,
        rng: np.random.Generator,
    ) -> None:
        self.watchers: list[Callable[[Selection], object]] = []
        self._roster = roster
        self._selector = selector
        self._eligibility = eligibility
        self._settlement = settlement
        self._rng = rng

    def model(self, wanted: Requirements, objective: Objective | None = None) -> Model:
        """The model for these requirements, without an explanation; watchers are told."""
        if self.watchers:
            return self.decide(wanted, objective).model
        model, choice, eligible = self._pick(wanted, objective, None)
        _note(model, choice, eligible)
        return model

    def decide(
        self, wanted: Requirements, objective: Objective | None = None, context: Context | None = None
    ) -> Selection:
        """The same with all that it rests on."""
        model, choice, eligible = self._pick(wanted, objective, context)
        selection = Selection(model, choice, eligible, self._selector, objective=objective, context=context)
        if self.watchers:
            self._show(selection)
        _note(model, choice, eligible)
        return selection

    def candidates(self, wanted: Requirements) -> tuple[str, ...]:
        """Who is in the running for these requirements."""
        version, models = self._roster()
        return self._eligibility.of(models, wanted, version=version, outcomes=self._settlement.outcomes).ids

    def look(self, wanted: Requirements, objective: Objective | None, context: Context | None) -> Selection:
        """What would be chosen now; nobody is told."""
        chosen = self._pick(wanted, objective, context)
        return Selection(*chosen, self._selector, objective=objective, context=context)

    def _pick(
        self, wanted: Requirements, objective: Objective | None, context: Context | None
    ) -> tuple[Model, Choice, Eligible]:
        while True:
            version, models = self._roster()
            self._settlement.introduce()  # after it: whoever can be seen is known to those who learn
            eligible = self._eligibility.of(models, wanted, version=version, outcomes=self._settlement.outcomes)
            if not eligible.ids:
                raise NoEligibleModelsError.among(eligible.reasons)
            try:
                if context is None:
                    choice = self._selector.choose(eligible.slate, self._rng, objective)
                else:
                    choice = self._selector.choose(eligible.slate, self._rng, objective, context=context)
            except ValueError:
                now, still = self._roster()
                if still is models and now == version:
                    raise NoEligibleModelsError.among(self._refused(eligible)) from None
                continue  # every candidate has left while we were choosing: look again
            model = models.get(choice.arm)
            if model is not None:  # else it is leaving at this moment
                if choice.arm in eligible.retiring:
                    self._eligibility.warn_of(model)
                return model, choice, eligible

    def _show(self, selection: Selection) -> None:
        for watcher in self.watchers:
            try:
                watcher(selection)
            except Exception:  # noqa: BLE001 - a watcher's fault must never be the caller's
                _log.exception("a watcher failed on the choice of %r", selection.model_id)

    def _refused(self, eligible: Eligible) -> dict[str, str]:
        """Why nobody is left, when the policy's own limits have come to refuse the last."""
        last = {one: self._selector.refuses(one) or "refused by the selector" for one in eligible.ids}
        return eligible.reasons | last


def _note(model: Model, choice: Choice, eligible: Eligible) -> None:
    """Tell whoever watches this request."""
    if (passage := PASSAGE.get()) is not None:
        passage.choose(model.id, len(eligible.ids), choice.score, choice.propensity)
