"""The decisions of one request: what the policy is told, whom it chose, and on what each attempt rests."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from orchestrator.core.messages import Request
from orchestrator.core.outcome import Objective
from orchestrator.core.requirements import Requirements

if TYPE_CHECKING:
    from orchestrator.core.model import Model
    from orchestrator.models.roster.choosing import Choosing
    from orchestrator.models.roster.selection import Selection
    from orchestrator.selectors.context import Context

__all__ = ["Deciding"]

_serial = count(1)


class Deciding:
    """Chooses for one request, for policies that look at it and for journals that keep what was chosen.

    Where there is neither, the choice is made without it. `number` tells the requests of one process apart; `context`
    is None for policies that do not look at requests. Outcomes carry it (`decided`), so that whoever learns from them
    knows what was known.
    """

    __slots__ = ("_choices", "_made", "_objective", "context", "number", "request")

    def __init__(
        self, choices: Choosing, request: Request, objective: Objective | None, context: Context | None
    ) -> None:
        self.request = request
        self.context = context
        self.number = next(_serial)
        self._choices = choices
        self._objective = objective
        self._made: dict[str, Selection] = {}

    def __call__(self, wanted: Requirements) -> Model:
        """The model for these requirements."""
        selection = self._choices.decide(wanted, self._objective, self.context)
        model = selection.model
        self._made[model.id] = selection
        return model

    def keep(self, selection: Selection) -> None:
        """The model that is asked was chosen before the request came."""
        self._made[selection.model_id] = selection

    def selection_of(self, model_id: str) -> Selection | None:
        """The choice that led to this model; None where the caller named it."""
        return self._made.get(model_id)
