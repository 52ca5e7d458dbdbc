"""What is expected of a model before its first call, as selectors hear it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from orchestrator.core.model import Model
from orchestrator.core.requirements import Requirements, expected_cost

__all__ = ["expectations", "expected_quality"]

_NO_NEEDS = Requirements()


def expectations(model: Model) -> dict[str, Any]:
    """The facts with which a selector enrolls a model."""
    return {
        "expected_cost_usd": expected_cost(model, _NO_NEEDS),
        "expected_quality": expected_quality(model),
        "is_local": model.is_local,
        "streams": model.capabilities.streaming,
    }


def expected_quality(model: Model) -> float | dict[str, float] | None:
    """What the notes on a model promise, from 0 to 1: its `expected_quality`, else the mean of its `benchmarks`.

    Both are `custom_metadata`. An expected quality may be one by category of request. A benchmark counts by its share
    of right answers, written as 0.87 or as 87; of another scale, such as Elo points, nothing follows. None where
    nothing is noted.

    >>> expected_quality(Model(id="m", provider="custom", custom_metadata={"benchmarks": {"mmlu": 88, "gsm8k": 0.92}}))
    0.9
    >>> noted = {"expected_quality": {"code": 71, "chat": 0.8}}
    >>> expected_quality(Model(id="m", provider="custom", custom_metadata=noted))
    {'code': 0.71, 'chat': 0.8}
    """
    notes = model.info.custom_metadata
    noted = notes.get("expected_quality")
    said = _by_category(noted) if isinstance(noted, Mapping) else _share(noted)
    if said is not None:
        return said
    scores = notes.get("benchmarks")
    shares = [_share(score) for score in scores.values()] if isinstance(scores, Mapping) else []
    known = [share for share in shares if share is not None]
    return fmean(known) if known else None


def _by_category(noted: Mapping[Any, Any]) -> dict[str, float] | None:
    shares = {str(category): _share(score) for category, score in noted.items()}
    return {category: share for category, share in shares.items() if share is not None} or None


def _share(score: Any) -> float | None:
    """A score as a share of 1; None for what is none."""
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 100:
        return None
    return score if score <= 1 else score / 100
