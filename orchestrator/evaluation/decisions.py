"""A log of decisions as a file: what was chosen, how likely that was, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.cells import broken, read_number, sheet
from orchestrator.evaluation.logged import Logged
from orchestrator.evaluation.table import Codes

__all__ = ["Decision", "as_logged", "read_decisions"]


class Decision(NamedTuple):
    """One logged choice: score in [0, 1], cost in USD, and the probability with which this model was chosen.

    `features` describe the prompt, `candidates` are those who could be chosen; without them, all models of the log.
    """

    prompt_id: str
    model: str
    score: float
    cost_usd: float
    propensity: float
    category: str = "all"
    features: tuple[float, ...] | None = None
    candidates: tuple[str, ...] = ()


def read_decisions(path: str | os.PathLike[str]) -> list[Decision]:
    """Read a CSV with `prompt_id, model, score, cost_usd, propensity` and perhaps `category`, in order of time."""
    log = sheet(Path(path), needs=("prompt_id", "model", "score", "cost_usd", "propensity"))
    at = {name: log.column(name) for name in ("prompt_id", "model", "score", "cost_usd", "propensity")}
    label = log.header.index("category") if "category" in log.header else None
    decisions = []
    for number, row in enumerate(log.rows):
        propensity = read_number(log, number, at["propensity"], most=1.0)
        if propensity == 0:
            raise broken(log, number, at["propensity"], "what was chosen had a probability above 0")
        decisions.append(
            Decision(
                prompt_id=row[at["prompt_id"]],
                model=row[at["model"]],
                score=read_number(log, number, at["score"], most=1.0),
                cost_usd=read_number(log, number, at["cost_usd"]),
                propensity=propensity,
                category="all" if label is None else row[label],
            )
        )
    return decisions


def as_logged(decisions: Sequence[Decision]) -> tuple[Logged, tuple[str, ...], Codes]:
    """The log of scores for the estimators, the models that its columns stand for, and each decision's category.

    >>> log, models, category = as_logged([Decision("p", "b", 1.0, 0.1, 0.5), Decision("q", "a", 0.0, 0.1, 0.5)])
    >>> log.chosen.tolist(), models, category.tolist()
    ([1, 0], ('a', 'b'), [0, 0])
    """
    if not decisions:
        raise ConfigurationError("the log is empty: there is nothing to learn from")
    models = tuple(sorted({one.model for one in decisions}))
    codes = {name: code for code, name in enumerate(sorted({one.category for one in decisions}))}
    log = Logged.of(
        [one.score for one in decisions],
        chosen=[models.index(one.model) for one in decisions],
        propensity=[one.propensity for one in decisions],
    )
    return log, models, np.array([codes[one.category] for one in decisions], dtype=np.intp)
