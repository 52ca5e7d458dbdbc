"""One line of the journal: what was decided, for what kind of request, and what came of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from orchestrator.core.outcome import Objective, Outcome
from orchestrator.models.roster.explanation import Explanation, Standing
from orchestrator.models.roster.selection import Selection
from orchestrator.selectors.context import Context

__all__ = ["COLUMNS", "Entry", "Origin", "row_of"]

_MOST_CANDIDATES, _MOST_REFUSED = 256, 64  # of a decision; a registry may have thousands of models
_DIGITS = 5  # of a feature


class Entry(NamedTuple):
    """A decision with the attempt that followed from it.

    Several entries of one `run` (a process) and `request` are the attempts of one request, in order. `candidates` are
    scores by model (None for one the policy refused), `refused` the reasons of the others. `error` is None for an
    answer; `quality` is what was assumed then, None for a failure that says nothing about the model, and `rating` what
    was said later. No prompt and no answer is ever kept.
    """

    number: int
    at_s: float
    run: str
    request: int
    response_id: str
    model: str
    policy: str
    score: float | None
    propensity: float | None
    panic: bool
    category: str | None
    features: tuple[float, ...] | None
    candidates: Mapping[str, float | None]
    refused: Mapping[str, str]
    objective: Mapping[str, float]
    error: str | None
    latency_s: float
    ttft_s: float | None
    cost_usd: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    quality: float | None
    tenant: str | None
    tags: tuple[str, ...]
    rating: float | None = None

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Entry:
        """An entry from its row in the file."""
        facts = dict(zip(COLUMNS, row, strict=True))
        for name in _AS_JSON:
            facts[name] = None if facts[name] is None else json.loads(facts[name])
        facts["features"] = None if facts["features"] is None else tuple(facts["features"])
        facts["tags"], facts["panic"] = tuple(facts["tags"]), bool(facts["panic"])
        return cls(**facts)

    @property
    def worth(self) -> float | None:
        """The quality of the answer: as it was rated, else as it was assumed."""
        return self.quality if self.rating is None else self.rating

    @property
    def explanation(self) -> Explanation:
        """Why this model, in figures and in words."""
        scored = sorted(self.candidates.items(), key=lambda one: -math.inf if one[1] is None else one[1], reverse=True)
        running = [
            Standing(name, score, "refused by the selector" if score is None else None) for name, score in scored
        ]
        return Explanation(
            model_id=self.model,
            policy=self.policy,
            score=self.score,
            propensity=self.propensity,
            panic=self.panic,
            category=self.category,
            objective=self.objective,
            candidates=(*running, *(Standing(name, None, why) for name, why in self.refused.items())),
        )

    @property
    def aftermath(self) -> str:
        """What came of it, in a line."""
        what = "answered" if self.error is None else f"failed ({self.error})"
        price = "at an unknown price" if self.cost_usd is None else f"for ${self.cost_usd:.3g}"
        rated = "" if self.rating is None else f", rated {self.rating:.3g}"
        return f"{self.model} {what} after {self.latency_s:.3g} s {price}{rated}"


COLUMNS = Entry._fields
_AS_JSON = ("features", "candidates", "refused", "objective", "tags")


class Origin(NamedTuple):
    """Where an attempt comes from: the process, the request in it, and what kind of request that was."""

    run: str
    request: int
    context: Context | None


def row_of(at_s: float, origin: Origin, outcome: Outcome, selection: Selection) -> tuple[Any, ...]:
    """The row of an attempt that followed from a choice, without its number."""
    context = origin.context
    usage = outcome.usage
    return (
        at_s,
        origin.run,
        origin.request,
        outcome.response_id,
        outcome.model_id,
        selection.policy,
        _finite(selection.score),
        selection.propensity,
        selection.panic,
        None if context is None else context.category,
        None if context is None or context.features is None else _text([round(x, _DIGITS) for x in context.features]),
        _text(_best(selection)),
        _text(dict(list(selection.refusals.items())[:_MOST_REFUSED])),
        _objective(selection.objective),
        None if outcome.error is None else outcome.error.error_type,
        outcome.latency_s,
        outcome.ttft_s,
        outcome.cost_usd,
        usage.prompt_tokens,
        usage.completion_tokens,
        _quality(outcome),
        outcome.tenant,
        _text(outcome.tags),
        None,
    )


def _best(selection: Selection) -> dict[str, float | None]:
    """The candidates by name, the chosen one among them; of very many those with the best scores."""
    scores = {name: _finite(score) for name, score in selection.scores.items()}
    if len(scores) <= _MOST_CANDIDATES:
        return scores
    ranked = sorted(scores, key=lambda name: (name != selection.model_id, -(scores[name] or -math.inf)))
    return {name: scores[name] for name in ranked[:_MOST_CANDIDATES]}


def _quality(outcome: Outcome) -> float | None:
    """What a selector was taught about quality."""
    if outcome.error is None:
        return 1.0 if outcome.quality is None else outcome.quality
    return 0.0 if outcome.error.conduct.lowers else None


def _objective(objective: Objective) -> str:
    return _text(asdict(objective))


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))  # in ASCII: half a character, which JSON can hold, SQLite refuses
