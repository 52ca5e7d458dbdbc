"""A floor under every plausible candidate's chance, so that a deterministic policy can be judged afterwards."""

from __future__ import annotations

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Choice, Slate

__all__ = ["Floored"]


class Floored(ModelSelector):
    """Takes, with probability `floor`, any plausible candidate with equal chance, and else what the policy chooses.

    Where the policy's class says that it is `deterministic`, or the floor is 1, the propensity of a choice is exact,
    and else unknown:

        floor / number of plausible candidates + (1 - floor) if it is the policy's own choice

    so that the weights of an off-policy estimate are at most the number of candidates / floor (Horvitz and Thompson
    1952).
    """

    floor: float = 0.0

    def set_floor(self, floor: float) -> None:
        """The probability of a choice by lot, from 0 to 1."""
        if not 0 <= floor <= 1:
            raise ConfigurationError(f"floor={floor!r}: a probability from 0 to 1")
        self.floor = floor
        self.deterministic = type(self).deterministic and floor == 0
        self.overrules = self.overrules or floor > 0

    def overruled(
        self, own: Choice, slate: Slate, rng: np.random.Generator, objective: Objective, context: Context | None
    ) -> Choice:
        """The policy's choice, or one by lot; the score of what the lot fell on is lifted to the best."""
        own = super().overruled(own, slate, rng, objective, context)
        if not self.floor:
            return own
        plausible, place = self.plausible(slate, own), slate.arms.index(own.arm)
        drawn = place
        if rng.random() < self.floor:
            drawn = plausible[int(rng.integers(len(plausible)))]
        propensity: float | None = None
        if type(self).deterministic or self.floor == 1:
            by_lot = self.floor / len(plausible) if drawn in plausible else 0.0
            propensity = by_lot + (1 - self.floor) * (drawn == place)
        scores = np.array(own.scores)
        scores[drawn] = own.score
        return Choice(slate.arms[drawn], own.score, scores, propensity)
