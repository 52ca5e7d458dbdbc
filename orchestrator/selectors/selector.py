"""The contract of every selector: a policy writes `scores`, and the rest is here."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.context import Context
from orchestrator.selectors.memory import Memory
from orchestrator.selectors.slate import Choice, Slate

__all__ = ["Arm", "Arms", "Choice", "Column", "Context", "ModelSelector", "Slate"]

_REFUSED = -math.inf
_NO_OPINION = -1e300  # what a NaN counts as: behind every real score, ahead of a refusal


class ModelSelector(Memory, ABC):
    """Picks one of the models that fit, and learns from what became of the call.

    A policy is one method, `scores`. Writing calls (`enroll` to `settle`, `merge`) come from one thread at a
    time; `choose` and `order` may run beside them.

    >>> class Cheapest(ModelSelector):
    ...     name, deterministic = "cheapest", True
    ...     def scores(self, arms, objective, rng):
    ...         return -arms.cost_usd
    >>> selector = Cheapest()
    >>> selector.enroll("a", expected_cost_usd=0.03)
    >>> selector.enroll("b", expected_cost_usd=0.01)
    >>> selector.choose(selector.slate(["a", "b"]), np.random.default_rng(0)).arm
    'b'
    """

    deterministic: bool = False
    breaks_ties: ClassVar[bool] = True  # False where `scores` itself sees to it that equals take turns
    overrules: bool = False  # True where more than the largest score decides: `overruled` is asked

    def __init_subclass__(cls, **options: Any) -> None:
        """Who writes scores of its own inherits no short way to those of another."""
        super().__init_subclass__(**options)
        for full, short in (("scores", "few_scores"), ("scores_in", "few_scores_in")):
            if full in vars(cls) and short not in vars(cls):
                setattr(cls, short, getattr(ModelSelector, short))

    @abstractmethod
    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """One number a row, in a fresh array: larger is better, -inf refuses the arm, NaN ranks it last."""

    def few_scores(self, arms: Sequence[Arm]) -> list[float] | None:  # noqa: ARG002 - not every policy has a short way
        """The same numbers for a few arms one by one, where that is quicker; None takes the vector.

        For policies whose scores are finite, draw nothing and tell equals apart by themselves.
        """
        return None

    def scores_in(
        self,
        context: Context,  # noqa: ARG002 - for policies that look at the request
        arms: Arms,
        objective: Objective,
        rng: np.random.Generator,
    ) -> Column:
        """The scores for a request whose context is known; only a policy that is `contextual` needs such a method."""
        return self.scores(arms, objective, rng)

    def few_scores_in(self, context: Context, arms: Sequence[Arm]) -> list[float] | None:  # noqa: ARG002 - the same
        """The short way where the context is known and the policy is `contextual`."""
        return None

    def refuses(self, arm: str) -> str | None:  # noqa: ARG002 - a policy without hard limits refuses nobody
        """Why this arm may not be chosen at present, or None."""
        return None

    def plausible(self, slate: Slate, choice: Choice) -> Sequence[int]:  # noqa: ARG002 - a policy may know of fewer
        """Which candidates may be the best after all, by their place in the slate: here all that are not refused."""
        places: list[int] = np.flatnonzero(np.asarray(choice.scores) > _REFUSED).tolist()
        return places

    def overruled(
        self,
        own: Choice,
        slate: Slate,  # noqa: ARG002 - for policies that `overrules`
        rng: np.random.Generator,  # noqa: ARG002 - the same
        objective: Objective,  # noqa: ARG002 - the same
        context: Context | None,  # noqa: ARG002 - the same
    ) -> Choice:
        """What becomes of the choice with the best score, where the policy `overrules`."""
        return own

    @property
    def by_scores_alone(self) -> bool:
        """False where more than the largest score decides; the order of failover then begins with a choice."""
        return not self.overrules

    def worth(self, arms: Arms, objective: Objective) -> Column:
        """The worth of every arm by its means."""
        return arms.mean * (objective.quality / objective.total) + self.merit(arms, objective)

    def merit(self, arms: Arms, objective: Objective) -> Column:
        """The worth of cost and latency alone, not to be written to; unknown counts as free and instant."""
        if objective is self.objective:
            return arms.merit
        cheap = 1 / (1 + np.nan_to_num(arms.cost_usd) / objective.cost_scale_usd)
        quick = 1 / (1 + np.nan_to_num(arms.latency_s) / objective.latency_scale_s)
        merit: Column = (objective.cost * cheap + objective.latency * quick) / objective.total
        return merit

    def slate(self, arms: Sequence[str]) -> Slate:
        """The candidates of a decision; keep it as long as the same arms stand. Strangers count as refused."""
        return Slate(tuple(arms), self._table, self._known)

    def choose(
        self,
        slate: Slate,
        rng: np.random.Generator,
        objective: Objective | None = None,
        *,
        context: Context | None = None,
    ) -> Choice:
        """The candidate with the best score; equals go by fewest trials, then by their order in the slate.

        A policy that `overrules` has the last word. Raises ValueError, with the reasons, when the slate is empty or
        every candidate is refused.
        """
        if self._stale:
            self._freshen()
        table = self._table
        if slate.few is not None and slate.table is table and objective is None:
            if context is None or not self.contextual:
                quick = self.few_scores(slate.few)
            else:
                quick = self.few_scores_in(context, slate.few)
            if quick is not None:
                score = max(quick)
                own = Choice(slate.arms[quick.index(score)], score, quick, 1.0 if self.deterministic else None)
                return self.overruled(own, slate, rng, self.objective, context) if self.overrules else own
        wanted = self.objective if objective is None else objective
        scores = self.scores(table, wanted, rng) if context is None else self.scores_in(context, table, wanted, rng)
        if slate.rows is not None or slate.version != table.version:
            scores = _among(slate, table, scores)
        best = int(scores.argmax())
        score = scores.item(best)
        if not score > _REFUSED:  # also when it is NaN, which argmax prefers
            scores = _ranked_last(scores)
            best = int(scores.argmax())
            score = scores.item(best)
            if score == _REFUSED:
                raise ValueError(self._why_nobody(slate))
        if self.breaks_ties:
            tied = scores == score
            if np.count_nonzero(tied) > 1:
                best = np.where(tied, -_among(slate, table, table.trials), _REFUSED).argmax().item()
        own = Choice(slate.arms[best], score, scores, 1.0 if self.deterministic else None)
        return self.overruled(own, slate, rng, wanted, context) if self.overrules else own

    def order(
        self,
        slate: Slate,
        rng: np.random.Generator,
        objective: Objective | None = None,
        *,
        context: Context | None = None,
    ) -> list[str]:
        """The candidates that are not refused, best first: whom to ask when the first choice fails."""
        ranked = self._ranked(slate, rng, self.objective if objective is None else objective, context)
        if self.by_scores_alone or not ranked:
            return ranked
        first = self.choose(slate, rng, objective, context=context).arm
        return [first, *(arm for arm in ranked if arm != first)]

    def _ranked(
        self, slate: Slate, rng: np.random.Generator, objective: Objective, context: Context | None
    ) -> list[str]:
        self._freshen()
        table = self._table
        if context is None:
            scores = self.scores(table, objective, rng)
        else:
            scores = self.scores_in(context, table, objective, rng)
        scores = _ranked_last(_among(slate, table, scores))
        return [slate.arms[i] for i in np.argsort(-scores, kind="stable") if scores[i] > _REFUSED]

    def _why_nobody(self, slate: Slate) -> str:
        why = (
            f"{name!r}: {self.refuses(name) or 'it is not enrolled, or its score refuses it'}" for name in slate.arms
        )
        return f"No models available: {'; '.join(why)}"


def _among(slate: Slate, table: Arms, column: Column) -> Column:
    """The candidates' numbers in their order; -inf for who is not enrolled, as by then it has left."""
    if not slate.arms:
        raise ValueError("No models available: the slate is empty; register a model or ask for less")
    if slate.version == table.version:
        return column if slate.rows is None else column.take(slate.rows)
    rows = (table.row_of.get(name) for name in slate.arms)
    return np.array([_REFUSED if row is None else column[row] for row in rows], dtype=np.float64)


def _ranked_last(scores: Column) -> Column:
    """The scores with every NaN behind the rest."""
    return np.where(np.isnan(scores), _NO_OPINION, scores)
