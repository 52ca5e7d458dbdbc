"""What was chosen, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.core.model import Model

if TYPE_CHECKING:
    from orchestrator.models.roster.eligibility import Eligible
    from orchestrator.selectors.selector import Choice

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
    """

    __slots__ = ("_choice", "_eligible", "_statistics", "model")

    def __init__(self, model: Model, choice: Choice, eligible: Eligible, statistics: Any) -> None:
        self.model = model
        self._choice = choice
        self._eligible = eligible
        self._statistics = statistics

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
    def candidates(self) -> list[Candidate]:
        """Every model: those in the running by falling score, then the refused with their reason."""
        facts = self._statistics()
        chosen_among = dict(zip(self._eligible.ids, self._choice.scores, strict=True))
        running = [Candidate(i, float(score), None, facts.get(i, {})) for i, score in chosen_among.items()]
        refused = [
            Candidate(i, None, why, facts.get(i, {}))
            for i, why in self._eligible.reasons.items()
            if i not in chosen_among
        ]
        return sorted(running, key=lambda candidate: -(candidate.score or 0.0)) + refused

    def __repr__(self) -> str:
        return f"<Selection of {self.model.id!r} among {len(self._eligible.ids)}, score {self.score:.4g}>"
