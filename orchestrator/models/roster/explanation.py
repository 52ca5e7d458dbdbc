"""A choice in figures and in words: of a selection just made, or of one that a journal has kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Explanation", "Standing"]

_WEIGHTS = ("quality", "cost", "latency")
_FACTS = {  # what is told of a candidate, in this order, and how it is written
    "mean_quality": "quality {:.3g}",
    "believed_quality": "believed {:.3g}",
    "mean_cost_usd": "${:.3g} a call",
    "mean_latency_s": "{:.3g} s",
}


class Standing(NamedTuple):
    """How one model stood: its score and what was known of it, or the reason why it was refused."""

    model_id: str
    score: float | None
    refused: str | None
    facts: Mapping[str, Any] = {}

    @property
    def words(self) -> str:
        """The reason, or what was known."""
        if self.refused is not None:
            return self.refused
        calls = self.facts.get("pulls")
        known = [] if calls is None else [f"{calls} call{'' if calls == 1 else 's'}"]
        for name, form in _FACTS.items():
            value = self.facts.get(name)
            if value is not None:
                known.append(form.format(value))
        return ", ".join(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why this model: the policy, what it was told of the request, and how everybody stood.

    >>> choice = Explanation(model_id="a", policy="ucb", score=0.9, propensity=1.0, candidates=(
    ...     Standing("a", 0.9, None, {"pulls": 3}), Standing("b", 0.4, None, {"pulls": 1}),
    ...     Standing("c", None, "lacks vision")))
    >>> print(choice)
    ucb chose a: the best score of 2, 0.5 ahead of b
      -> a  0.9  3 calls
         b  0.4  1 call
         c    -  lacks vision
    """

    model_id: str
    policy: str
    score: float | None
    propensity: float | None
    candidates: tuple[Standing, ...]
    panic: bool = False
    category: str | None = None
    objective: Mapping[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it under its names, ready for JSON: a score of minus infinity, a refusal, is None."""
        return {
            "model_id": self.model_id,
            "policy": self.policy,
            "score": _finite(self.score),
            "propensity": self.propensity,
            "panic": self.panic,
            "category": self.category,
            "objective": None if self.objective is None else dict(self.objective),
            "candidates": [
                {
                    "model_id": one.model_id,
                    "score": _finite(one.score),
                    "refused": one.refused,
                    "facts": dict(one.facts),
                }
                for one in self.candidates
            ],
        }

    def __str__(self) -> str:
        return "\n".join((self._headline(), *self._circumstances(), *self._standings()))

    def _headline(self) -> str:
        running = [one for one in self.candidates if one.score is not None and _finite(one.score) is not None]
        rivals = [one for one in running if one.model_id != self.model_id]
        if not rivals:
            return f"{self.policy} chose {self.model_id}: nobody else fits"
        next_best = max(rivals, key=lambda one: one.score or 0.0)
        ahead = (self.score or 0.0) - (next_best.score or 0.0)
        how = f"{ahead:.3g} ahead of {next_best.model_id}" if ahead else f"equal with {next_best.model_id}"
        return f"{self.policy} chose {self.model_id}: the best score of {len(running)}, {how}"

    def _circumstances(self) -> Iterator[str]:
        if self.panic:
            yield "  no model is healthy: the one that is most likely to answer was tried"
        if self.propensity is not None and self.propensity < 1:
            yield f"  chosen with probability {self.propensity:.3g}"
        if self.category is not None:
            yield f"  the request's category is {self.category}"
        if self.objective is not None:
            yield f"  weights: {', '.join(f'{name} {self.objective[name]:g}' for name in _WEIGHTS)}"

    def _standings(self) -> Iterator[str]:
        widest = max((len(one.model_id) for one in self.candidates), default=0)
        scores = ["-" if _finite(one.score) is None else f"{one.score:.4g}" for one in self.candidates]
        room = max(map(len, scores), default=0)
        for one, score in zip(self.candidates, scores, strict=True):
            mark = "->" if one.model_id == self.model_id else "  "
            yield f"  {mark} {one.model_id:<{widest}}  {score:>{room}}  {one.words}".rstrip()


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
