"""Named situations for a comparison: what changes, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.evaluation.changes import Change, Falls, Joins, Outage, Reprices
from orchestrator.evaluation.reward import Reward
from orchestrator.evaluation.table import OutcomeTable

__all__ = ["KNOWLEDGE", "SCENARIOS", "Situation", "changes_of", "prior_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The best model before the change, and the number of rounds."""

    best: str
    rounds: int


SCENARIOS: Final[dict[str, tuple[str, Callable[[Situation], Sequence[Change]]]]] = {
    "steady": ("nothing changes", lambda _: ()),
    "fall": (
        "half-way, the best model falls to 0 and nobody says so",
        lambda it: (Falls(model=it.best, at=it.rounds // 2),),
    ),
    "decline": (
        "half-way, the best model loses a third of its score and nobody says so",
        lambda it: (Falls(model=it.best, at=it.rounds // 2, to=2 / 3),),
    ),
    "price": (
        "half-way, the best model gets ten times as dear, by its price list",
        lambda it: (Reprices(model=it.best, at=it.rounds // 2, factor=10.0),),
    ),
    "silent-price": (
        "half-way, the best model gets ten times as dear and nobody says so",
        lambda it: (Reprices(model=it.best, at=it.rounds // 2, factor=10.0, announced=False),),
    ),
    "arrival": (
        "the best model can be chosen from a third of the rounds on",
        lambda it: (Joins(model=it.best, at=it.rounds // 3),),
    ),
    "outage": (
        "the best model fails with errors for a tenth of the rounds",
        lambda it: (Outage(model=it.best, at=it.rounds // 3, until=it.rounds // 3 + max(1, it.rounds // 10)),),
    ),
    "silent-outage": (
        "the best model's answers are worthless for a tenth of the rounds",
        lambda it: (
            Outage(model=it.best, at=it.rounds // 3, until=it.rounds // 3 + max(1, it.rounds // 10), flagged=False),
        ),
    ),
}

KNOWLEDGE: Final[dict[str, str]] = {
    "nothing": "a cold start",
    "prices": "the mean cost of a call, from other prompts",
    "catalogue": "the mean score of every model, from other prompts",
    "both": "mean scores and mean costs, from other prompts",
    "reversed": "mean scores and mean costs, the scores given to the models in reverse order",
    "shuffled": "mean scores and mean costs, the scores given to the models at random",
}


def changes_of(scenario: str, table: OutcomeTable, reward: Reward, *, rounds: int) -> tuple[Change, ...]:
    """What happens in this scenario to the model that is best on the whole table."""
    if scenario not in SCENARIOS:
        raise ConfigurationError(f"no scenario {scenario!r}; {did_you_mean(scenario, tuple(SCENARIOS))}")
    best = int(reward.over_grid(table.score, table.cost_usd).mean(axis=0).argmax())
    _, happens = SCENARIOS[scenario]
    return tuple(happens(Situation(best=table.models[best], rounds=rounds)))


def prior_of(knowledge: str, other: OutcomeTable, *, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Expected scores and expected costs, worked out on other prompts than those that are played."""
    if knowledge not in KNOWLEDGE:
        raise ConfigurationError(f"no knowledge {knowledge!r}; {did_you_mean(knowledge, tuple(KNOWLEDGE))}")
    scores, costs_usd = other.catalogue(), other.price_list()
    match knowledge:
        case "nothing":
            return {}, {}
        case "prices":
            return {}, costs_usd
        case "catalogue":
            return scores, {}
        case "reversed":
            return _turned_round(scores), costs_usd
        case "shuffled":
            return _shuffled(scores, seed), costs_usd
    return scores, costs_usd


def _turned_round(scores: dict[str, float]) -> dict[str, float]:
    """The best model gets the worst one's score, the second the second worst one's, and so on."""
    ranked = sorted(scores, key=lambda model: scores[model])
    return {model: scores[twin] for model, twin in zip(ranked, reversed(ranked), strict=True)}


def _shuffled(scores: dict[str, float], seed: int) -> dict[str, float]:
    values = np.random.default_rng([seed, 2]).permutation(list(scores.values())).tolist()
    return dict(zip(scores, values, strict=True))
