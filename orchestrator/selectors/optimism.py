"""Optimism by information: what the index policies share, and how their work is spread over decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.kl import upper_bound
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Choice, Slate

__all__ = ["OptimisticSelector"]

_FRESH_SHARE: Final = 0.1  # bounds are worked out anew each time the number of results has grown so much,
_FRESH_RESULTS: Final = 10  # at most every ten results
_FRESH_MOST: Final = 100  # and at least every hundred: in the long run a bound that waits for longer locks in
_AT_ONCE: Final = 3  # arms whose bound is worked out in one decision
_WAITING: Final = (60, 0.6)  # results that may come before the pieces are through: so many, and so many an arm


class OptimisticSelector(ModelSelector):
    """Scores an arm by the highest quality that is plausible, valued together with its mean cost and latency.

        index = share x max{q : n KL(mean, q) <= noise x gain(t / (K n))} + merit

    where n are the arm's trials (calls in flight are tries at its own mean), t the trials of all K arms together. A
    policy says what it believes of an arm in `believed` and how it gains from time in `gain`.

    An arm's index is worked out when the arm changes. Time moves the others' too, but slowly: they take turns, a few a
    decision, so that no decision has to wait for all of them.
    """

    deterministic = True
    breaks_ties = False  # a call in flight moves the index
    columns: ClassVar[tuple[str, ...]] = ("upper",)

    def __init__(self, *, objective: Objective | None = None) -> None:
        super().__init__(objective=objective)
        self._share = self.objective.quality / self.objective.total
        self._urgent = True  # somebody came or went: nothing may wait
        self._fresh_at = 0.0
        self._works: list[Iterator[None]] = []  # the work under way, if any; taken out while a thread is at it

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_works": [], "_urgent": self._urgent or bool(self._works)}  # no generator is copied

    def believed(self, arm: Arm) -> tuple[float, float]:
        """The mean quality, in (0, 1), and the trials it rests on, those in flight included."""
        raise NotImplementedError

    def gain(self, ratio: float) -> float:
        """The nats that time allows an arm, by trials of an average arm over its own."""
        raise NotImplementedError

    def trials_of_all(self) -> float:
        """The trials of all arms together."""
        return self._rated + self._in_flight

    def renewed(self) -> Iterator[None]:
        """Work out what all arms share, a piece at a time."""
        yield from ()

    # indices

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - no draws
        """The worth of each arm with its quality at the upper end of what is plausible."""
        return arms.extra["upper"] * (objective.quality / objective.total) + self.merit(arms, objective)

    def few_scores(self, arms: Sequence[Arm]) -> list[float]:
        """The same for a few arms, as it was kept."""
        return [arm.index for arm in arms]

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the arm's bound and index."""
        upper = self.upper(arm)
        arms.extra["upper"][arm.row] = upper
        arm.upper = upper
        arm.index = self._share * upper + arm.merit

    def upper(self, arm: Arm) -> float:
        """The highest plausible quality of an arm."""
        mean, trials = self.believed(arm)
        ratio = self.trials_of_all() / ((len(self._known) or 1) * trials)
        return upper_bound(mean, self.gain(ratio) / trials)

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The quality that the score believes in."""
        return {"optimistic_quality": self.upper(arm) if self._known.get(arm.name) is arm else None}

    def plausible(self, slate: Slate, choice: Choice) -> Sequence[int]:
        """The candidates that may be the best: whose score is at least what the choice is worth by its mean alone."""
        taken = self._known.get(choice.arm)
        if taken is None:  # it has left by now
            return super().plausible(slate, choice)
        radius = max(self.upper(taken) - self.believed(taken)[0], 0.0)  # no bound is as high as a mean of 1
        bar = choice.score - self._share * radius
        scores = np.asarray(choice.scores)
        return np.flatnonzero((scores >= bar) & (scores > -np.inf)).tolist()

    # when

    def enroll(self, arm: str, **facts: object) -> None:
        """Make a row for a model or correct its facts, as `Memory.enroll` says."""
        super().enroll(arm, **facts)  # type: ignore[arg-type]  # the same keywords, checked there
        self._urgent = True

    def retire(self, arm: str) -> None:
        """The model leaves and is forgotten."""
        super().retire(arm)
        self._urgent = True

    def _freshen(self) -> None:
        """Do a piece of the work that is due, or all of it where somebody came or many results wait."""
        behind = self._rated - self._fresh_at
        if self._urgent or behind > self._fresh_at + _WAITING[0] + _WAITING[1] * len(self._known):
            self._urgent = False
            self._works[:] = ()
            super()._freshen()  # the shared work reads what each arm costs
            for _ in self._renewing():
                pass
        elif self._works or behind >= 0:
            self._advance()
        super()._freshen()

    def _advance(self) -> None:
        try:
            work = self._works.pop()
        except IndexError:  # none is under way, or another thread is at it
            work = self._renewing()
        for _ in work:
            self._works[:] = (work,)
            break

    def _renewing(self) -> Iterator[None]:
        rated = self._rated
        self._fresh_at = rated + min(max(_FRESH_RESULTS, _FRESH_SHARE * rated), _FRESH_MOST)
        yield from self.renewed()
        arms = tuple(self._known.values())
        for start in range(0, len(arms), _AT_ONCE):
            for arm in arms[start : start + _AT_ONCE]:
                if self._known.get(arm.name) is arm and arm not in self._stale:  # else it has left, or its turn comes
                    self.refresh(self._table, arm)
            yield
