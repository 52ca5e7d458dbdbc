"""Thrift: the cheapest model that fits."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.selector import ModelSelector

__all__ = ["CostBasedSelector"]


class CostBasedSelector(ModelSelector):
    """Takes the arm with the lowest mean cost of a call, as seen and as its price list says (USD).

    Local models come first unless `prefer_local_models` is False. An unknown cost ranks last, and is refused when
    `max_cost_per_request` sets a limit. Equals take turns.

    >>> selector = CostBasedSelector(max_cost_per_request=0.10)
    >>> selector.enroll("cheap", expected_cost_usd=0.001)
    >>> selector.enroll("dear", expected_cost_usd=0.25)
    >>> selector.choose(selector.slate(["dear", "cheap"]), np.random.default_rng(0)).arm
    'cheap'
    >>> selector.refuses("dear")
    'a call costs $0.25, above max_cost_per_request=0.1'
    """

    name = "cost"
    deterministic = True
    columns: ClassVar[tuple[str, ...]] = ("thrift",)

    def __init__(
        self,
        max_cost_per_request: float | None = None,
        prefer_local_models: bool = True,  # noqa: FBT001, FBT002 - a published signature
        *,
        objective: Objective | None = None,
    ) -> None:
        if max_cost_per_request is not None and not 0 <= max_cost_per_request < math.inf:
            raise ConfigurationError(f"max_cost_per_request={max_cost_per_request!r}: USD from 0 up, or None")
        super().__init__(objective=objective)
        self.max_cost_per_request = max_cost_per_request
        self.prefer_local_models = prefer_local_models

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - no draws
        """The less it costs the better; the objective's weights do not matter here."""
        return arms.extra["thrift"].copy()

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the arm's place: its cost squeezed into [0, 1), unknown at 1, local ones two places up."""
        place = 1.0 if arm.cost_usd is None else arm.cost_usd / (1 + arm.cost_usd)
        bonus = 2.0 if self.prefer_local_models and arm.is_local else 0.0
        arms.extra["thrift"][arm.row] = bonus - place if self._why_not(arm) is None else -math.inf

    def refuses(self, arm: str) -> str | None:
        """The limit this arm breaks, or None."""
        self._freshen()
        known = self._known.get(arm)
        return None if known is None else self._why_not(known)

    def _why_not(self, arm: Arm) -> str | None:
        limit = self.max_cost_per_request
        if limit is None or (arm.cost_usd is not None and arm.cost_usd <= limit):
            return None
        if arm.cost_usd is None:
            return f"its cost is unknown, and max_cost_per_request={limit:g} sets a limit"
        return f"a call costs ${arm.cost_usd:g}, above max_cost_per_request={limit:g}"
