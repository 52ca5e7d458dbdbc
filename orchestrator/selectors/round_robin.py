"""Round robin: everybody takes turns."""

from __future__ import annotations

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.selector import ModelSelector

__all__ = ["RoundRobinSelector"]


class RoundRobinSelector(ModelSelector):
    """Takes the arm whose last call began longest ago; equals, and arms never asked, in the slate's order.

    A newcomer is next, and then takes its turn like everybody else.

    >>> selector = RoundRobinSelector()
    >>> for arm in ("a", "b"):
    ...     selector.enroll(arm)
    >>> slate, rng = selector.slate(["a", "b"]), np.random.default_rng(0)
    >>> turns = []
    >>> for _ in range(4):
    ...     turns.append(selector.choose(slate, rng).arm)
    ...     selector.begin(turns[-1])
    >>> turns
    ['a', 'b', 'a', 'b']
    """

    name = "round-robin"
    deterministic = True
    breaks_ties = False
    columns = ("turn",)

    def __init__(self, *, objective: Objective | None = None) -> None:
        super().__init__(objective=objective)
        self._turn = 0
        self._last: dict[Arm, int] = {}

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - no draws
        """The longer ago the better."""
        return -arms.extra["turn"]

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the number of the arm's last turn."""
        arms.extra["turn"][arm.row] = self._last.get(arm, 0)

    def begin(self, arm: str) -> None:
        """A call leaves: the arm has had its turn."""
        known = self._known.get(arm)
        if known is not None:
            self._turn += 1
            self._last[known] = self._turn
        super().begin(arm)

    def retire(self, arm: str) -> None:
        """The model leaves and is forgotten."""
        gone = self._known.get(arm)
        super().retire(arm)
        if gone is not None:
            self._last.pop(gone, None)
