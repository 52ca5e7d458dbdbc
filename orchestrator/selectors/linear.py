"""Linear contextual policies: the worth of an arm is a line over the features of the prompt."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import UNKNOWN_QUALITY, Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.context import Context
from orchestrator.selectors.ridge import Ridge
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.state import read_sums

__all__ = ["LinTSSelector", "LinUCBSelector"]

_MOST_FEATURES: Final = 256


class LinUCBSelector(ModelSelector):
    """One ridge regression an arm, and optimism along the request's features (Li, Chu, Langford, Schapire 2010).

        index = share x (x . theta_k + exploration x sqrt(x' A_k^-1 x)) + merit

    x are the features of the request and a constant 1; A_k is the identity times `ridge` plus the sum of x x' over the
    arm's calls, inverted by rank-one steps (Sherman and Morrison 1950). The regression is of quality minus what is
    expected, or 1/2. The first request fixes the number of features; a request with another number of them, or with
    one that is not finite, counts as one without.

    >>> selector, rng = LinUCBSelector(exploration=0.5), np.random.default_rng(0)
    >>> contexts = [Context(features=(1.0, 0.0)), Context(features=(0.0, 1.0))]
    >>> for arm in (0, 1):
    ...     selector.enroll("ab"[arm])
    ...     for _ in range(20):
    ...         for kind, context in enumerate(contexts):
    ...             quality = float(kind == arm)
    ...             selector.settle("ab"[arm], quality=quality, cost_usd=None, latency_s=None, context=context)
    >>> slate = selector.slate(["a", "b"])
    >>> [selector.choose(slate, rng, context=context).arm for context in contexts]
    ['a', 'b']
    """

    name = "linucb"
    deterministic = True
    attentive = True
    contextual = True
    columns: ClassVar[tuple[str, ...]] = ("expected",)

    def __init__(self, exploration: float = 0.3, ridge: float = 1.0, *, objective: Objective | None = None) -> None:
        for name, value in (("exploration", exploration), ("ridge", ridge)):
            if not 0 < value < math.inf:
                raise ConfigurationError(f"{name}={value!r}: a number above 0")
        super().__init__(objective=objective)
        self.exploration = exploration
        self.ridge = ridge
        self._lines: Ridge | None = None
        self._waiting: dict[str, list[Any]] = {}  # sums of arms that have not come yet

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """The scores of a request of which nothing is known."""
        return self.scores_in(_NOTHING, arms, objective, rng)

    def scores_in(self, context: Context, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """The worth of each arm, with the quality that the policy makes of its line here."""
        means, sds = self._predicted(arms, context)
        quality = arms.extra["expected"] + self.imagined(means, sds, rng)
        scores: Column = quality * (objective.quality / objective.total) + self.merit(arms, objective)
        return scores

    def imagined(self, means: Column, sds: Column, rng: np.random.Generator) -> Column:  # noqa: ARG002 - no draws
        """The upper end of what is plausible."""
        upper: Column = means + self.exploration * sds
        return upper

    def _predicted(self, arms: Arms, context: Context) -> tuple[Column, Column]:
        if self._lines is None:
            return np.zeros(len(arms)), np.full(len(arms), 1 / math.sqrt(self.ridge))
        means, variances = self._lines.predict(self._features(context))
        missing = len(arms) - len(means)  # arms that have no line yet
        if missing > 0:
            means = np.append(means, np.zeros(missing))
            variances = np.append(variances, np.full(missing, 1 / self.ridge))
        return means[: len(arms)], np.sqrt(variances[: len(arms)])

    def _features(self, context: Context | None) -> Column:
        """The features and a constant; zeros for features that cannot be used."""
        lines, given = self._lines, None if context is None else context.features
        size = 0 if lines is None else lines.size - 1
        x = np.zeros(size + 1)
        x[-1] = 1.0
        if given is not None and len(given) == size:
            features = np.asarray(given, dtype=np.float64)
            if np.isfinite(features).all():
                x[:-1] = features
        return x

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the quality that the line starts from."""
        arms.extra["expected"][arm.row] = UNKNOWN_QUALITY if arm.expected_quality is None else arm.expected_quality

    def learn(self, arm: Arm, quality: float, context: Context | None) -> None:
        """One rank-one step of the arm's regression."""
        if self._lines is None:
            given = () if context is None or context.features is None else context.features
            self._lines = Ridge(min(len(given), _MOST_FEATURES) + 1, ridge=self.ridge)
        start = UNKNOWN_QUALITY if arm.expected_quality is None else arm.expected_quality
        self._lines.learn(arm.row, self._features(context), quality - start)

    def relearn(self, arm: Arm, old_quality: float, new_quality: float, context: Context | None) -> None:
        """The same features with another quality: only the right-hand side moves."""
        if self._lines is not None:
            self._lines.correct(arm.row, self._features(context), new_quality - old_quality)

    def _seat(self, name: str) -> Arm:
        arm = super()._seat(name)
        if self._lines is not None:
            self._lines.clear(arm.row)
        for record in self._waiting.pop(name, ()):
            self._add_line(arm, record)
        return arm

    def state(self, *, only: Collection[str] | None = None) -> dict[str, Any]:
        """Everything learnt, as JSON, with the sums of each regression."""
        made = super().state(only=only)
        for name, record in made["arms"].items():
            arm = self._known.get(name)
            own = None if arm is None or self._lines is None else self._lines.sums(arm.row)
            lines = self._waiting.get(name, []) if own is None else [own]
            made["arms"][name] = {**record, "lines": lines} if lines else record
        return made

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add what another process has learnt; what a policy without lines knows enters the statistics alone."""
        super().merge(state)
        for name, sums in read_sums(state):
            lines = state["arms"][name].get("lines", ()) if sums is not None else ()
            for record in lines if isinstance(lines, list | tuple) else ():
                arm = self._known.get(name)
                if arm is None:
                    self._waiting.setdefault(name, []).append(record)
                else:
                    self._add_line(arm, record)

    def absorb(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Count what other processes have seen meanwhile, with the sums of each regression."""
        super().absorb(changes)
        for name, record in changes.items():
            arm = self._known.get(name)
            for line in record.get("lines", ()):
                if arm is None:
                    self._waiting.setdefault(name, []).append(line)
                else:
                    self._add_line(arm, line)

    def _add_line(self, arm: Arm, record: Any) -> None:
        try:
            gram, moment = (np.asarray(record[key], dtype=np.float64) for key in ("gram", "moment"))
        except (TypeError, KeyError, ValueError):
            self.dropped += 1
            return
        if self._lines is None:
            self._lines = Ridge(min(max(moment.size, 1), _MOST_FEATURES + 1), ridge=self.ridge)
        if not self._lines.add(arm.row, gram, moment):
            self.dropped += 1


class LinTSSelector(LinUCBSelector):
    """The same regressions with a draw in the place of optimism (Agrawal and Goyal 2013, contextual).

    The worth of an arm is drawn from N(x . theta_k, exploration^2 x' A_k^-1 x).

    >>> LinTSSelector().name
    'lints'
    """

    name = "lints"
    deterministic = False
    breaks_ties = False  # equal draws have probability 0

    def imagined(self, means: Column, sds: Column, rng: np.random.Generator) -> Column:
        """A draw."""
        return rng.normal(means, self.exploration * sds)


_NOTHING: Final = Context()
