"""What was chosen, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective
from orchestrator.models.roster.explanation import Explanation, Standing

if TYPE_CHECKING:
    from orchestrator.models.roster.eligibility import Eligible
    from orchestrator.selectors.context import Context
    from orchestrator.selectors.selector import Choice, ModelSelector

__all__ = ["Candidate", "Selection"]


class Candidate(NamedTuple):
    """One model as the choice saw it: its score, or the reason it was refused."""

    model_id: str
    score: float | None
    refused: str | None
    facts: Mapping[str, Any]


class Selection:
    """A choice with its explanation; the explanation is worked out when it is read.

    `score` is comparable only within this selection, `propensity` is the probability with which the policy chose
    this model (1 for a deterministic one, None where it is not known), `panic` says that no model was healthy.
    `context` is what the policy was told of the request, if it looks at that.
    """

    __slots__ = ("_choice", "_eligible", "_explanation", "_objective", "_selector", "context", "model")

    def __init__(
        self,
        model: Model,
        choice: Choice,
        eligible: Eligible,
        selector: ModelSelector,
        *,
        objective: Objective | None = None,
        context: Context | None = None,
    ) -> None:
        self.model = model
        self.context = context
        self._choice = choice
        self._eligible = eligible
        self._selector = selector
        self._objective = objective
        self._explanation: Explanation | None = None

    @property
    def model_id(self) -> str:
        """The id of the chosen model."""
        return self.model.id

    @property
    def score(self) -> float:
        """The winning score."""
        return self._choice.score

    @property
    def propensity(self) -> float | None:
        """How likely this very choice was."""
        return self._choice.propensity

    @property
    def panic(self) -> bool:
        """True when every fitting model was out and one is tried all the same."""
        return self._eligible.panic

    @property
    def policy(self) -> str:
        """The name of the selector."""
        return self._selector.name

    @property
    def objective(self) -> Objective:
        """How quality, cost and latency were weighed."""
        return self._selector.objective if self._objective is None else self._objective

    @property
    def scores(self) -> dict[str, float]:
        """The score of everybody in the running."""
        return {one: float(score) for one, score in zip(self._eligible.ids, self._choice.scores, strict=True)}

    @property
    def refusals(self) -> Mapping[str, str]:
        """Who was not in the running, and why."""
        return self._eligible.reasons

    @property
    def candidates(self) -> list[Candidate]:
        """Every model: those in the running by falling score, then the refused with their reason."""
        facts = self._selector.statistics()
        chosen_among = self.scores
        running = [Candidate(i, score, None, facts.get(i, {})) for i, score in chosen_among.items()]
        refused = [
            Candidate(i, None, why, facts.get(i, {})) for i, why in self.refusals.items() if i not in chosen_among
        ]
        return sorted(running, key=lambda candidate: -(candidate.score or 0.0)) + refused

    @property
    def explanation(self) -> Explanation:
        """The choice in figures and, by `str`, in words; what was learnt is as of the first reading."""
        if self._explanation is None:
            self._explanation = Explanation(
                model_id=self.model.id,
                policy=self.policy,
                score=self.score,
                propensity=self.propensity,
                panic=self.panic,
                category=None if self.context is None else self.context.category,
                objective=asdict(self.objective),
                candidates=tuple(Standing(*one) for one in self.candidates),
            )
        return self._explanation

    def __repr__(self) -> str:
        return f"<Selection of {self.model.id!r} among {len(self._eligible.ids)}, score {self.score:.4g}>"
