"""The decisions of one request: what the policy is told, whom it chose, and on what each attempt rests."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from orchestrator.core.messages import Request
from orchestrator.core.outcome import Objective
from orchestrator.core.requirements import Requirements

if TYPE_CHECKING:
    from orchestrator.core.model import Model
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.models.roster.selection import Selection
    from orchestrator.selectors.context import Context

__all__ = ["Deciding"]

_serial = count(1)


class Deciding:
    """Chooses for one request, for policies that look at it and for journals that keep what was chosen.

    Where there is neither, the registry chooses without it. `number` tells the requests of one process apart; `context`
    is None for policies that do not look at requests. Outcomes carry it (`decided`), so that whoever learns from them
    knows what was known.
    """

    __slots__ = ("_made", "_objective", "_registry", "context", "number", "request")

    def __init__(self, registry: ModelRegistry, request: Request, objective: Objective | None) -> None:
        self.request = request
        self.context: Context | None = None
        if (selector := registry.settlement.selector).contextual:
            self.context = registry.contexts.of(request, features=selector.by_features)
        self.number = next(_serial)
        self._registry = registry
        self._objective = objective
        self._made: dict[str, Selection] = {}

    def __call__(self, wanted: Requirements) -> Model:
        """The model for these requirements."""
        selection = self._registry.choices.decide(wanted, self._objective, self.context)
        model = selection.model
        self._made[model.id] = selection
        return model

    def keep(self, selection: Selection) -> None:
        """The model that is asked was chosen before the request came."""
        self._made[selection.model_id] = selection

    def selection_of(self, model_id: str) -> Selection | None:
        """The choice that led to this model; None where the caller named it."""
        return self._made.get(model_id)
