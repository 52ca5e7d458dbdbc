"""Never much worse than a model one knows: exploration out of a reserve that was earned."""

from __future__ import annotations

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Choice, Slate

__all__ = ["Conservative"]

_PRIOR_CALLS = 10.0  # what an expectation of the default model counts


class Conservative(ModelSelector):
    """Keeps the sum of qualities at `least_share` of what a default model would have given (Wu et al. 2016).

    With t calls begun, another model than the default is taken only if, even should it and all calls in flight come
    to nothing,

        sum of qualities so far >= least_share x (t + 1) x quality of the default model

    Else the default model is taken, which refills the reserve. Its quality is what it was in the mean, and what was
    expected of it as ten calls. While it is not a candidate there is nothing to keep to.
    """

    default_model: str | None = None
    least_share: float = 0.9

    def set_default(self, default_model: str | None, *, least_share: float) -> None:
        """Whom to fall back on, and the share of its quality that is sure, from 0 up, below 1."""
        if not 0 <= least_share < 1:
            raise ConfigurationError(f"least_share={least_share!r}: a share from 0 up, below 1")
        self.default_model = default_model
        self.least_share = least_share
        self.overrules = self.overrules or default_model is not None

    def overruled(
        self, own: Choice, slate: Slate, rng: np.random.Generator, objective: Objective, context: Context | None
    ) -> Choice:
        """The policy's choice where the reserve allows it, else the default model."""
        own = super().overruled(own, slate, rng, objective, context)
        name = self.default_model
        if name is None or own.arm == name or name not in slate.arms or self._can_risk(name):
            return own
        place = slate.arms.index(name)
        if own.scores[place] == -np.inf:
            return own
        scores = np.array(own.scores)
        scores[place] = own.score
        return Choice(name, own.score, scores, own.propensity)

    def _can_risk(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            return True
        arms = tuple(self._known.values())
        earned = sum(arm.quality_sum for arm in arms)
        calls = sum(arm.rated + arm.pending for arm in arms) + 1
        return earned >= self.least_share * calls * _quality_of_default(known)


def _quality_of_default(arm: Arm) -> float:
    expected = arm.expected_quality
    weight = 0.0 if expected is None else _PRIOR_CALLS
    rated = arm.rated + weight
    return (arm.quality_sum + weight * (expected or 0.0)) / rated if rated else 1.0
