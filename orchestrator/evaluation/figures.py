"""Figures of a run: a pure function of what was chosen and of the table, so that anyone can work them out again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.changes import Change
from orchestrator.evaluation.frontier import best_mixture
from orchestrator.evaluation.reward import Reward
from orchestrator.evaluation.table import Codes, Grid, OutcomeTable
from orchestrator.evaluation.world import World, world_of

__all__ = ["Figures", "figures", "measure", "measure_phases", "regret_curve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a sequence of choices came to, and what it is measured against.

    `regret` is the sum over rounds of the best single model's reward minus the policy's, where that model is the one
    with the most reward over these very rounds among those that are there in all of them. `share_of_random` is regret
    divided by the expected regret of choosing at random: 0 is as good as knowing the best model from the start, 1 is
    random, below 0 is better than any single model. `gap_closed` is the way from the best single model (0) to the best
    model for each prompt (1). Both are None where their denominator is 0.

    `mixture_score` is the mean score of the best fixed mixture of two models that costs what the policy cost.
    `rounds_to_tell` is how many comparisons it takes to tell the two best models apart (two standard errors); with more
    than there are rounds they are a near tie, and every policy's share of random's regret is mostly luck.
    """

    rounds: int
    mean_score: float
    mean_cost_usd: float
    mean_reward: float
    regret: float
    share_of_random: float | None
    gap_closed: float | None
    best_model: str
    best_reward: float
    best_score: float
    best_cost_usd: float
    random_reward: float
    oracle_reward: float
    mixture_score: float
    rounds_to_tell: float | None
    calls: dict[str, int]

    @property
    def near_tie(self) -> bool:
        """True when these rounds cannot tell the two best models apart."""
        return self.rounds_to_tell is None or self.rounds_to_tell > self.rounds

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, for JSON."""
        return asdict(self)


def figures(
    table: OutcomeTable,
    choices: Sequence[tuple[str, str]],
    *,
    cost_weight: float = 0.1,
    changes: Iterable[Change] = (),
) -> Figures:
    """The figures of any sequence of (prompt id, model), be it from a replay or from elsewhere.

    >>> table = OutcomeTable(name="t", prompt_ids=("p", "q"), models=("a", "b"),
    ...                      score=np.array([[1.0, 0.0], [1.0, 1.0]]), cost_usd=np.ones((2, 2)))
    >>> made = figures(table, [("p", "b"), ("q", "b")], cost_weight=0)
    >>> made.best_model, made.regret, made.share_of_random, made.gap_closed
    ('a', 1.0, 2.0, None)
    """
    if not choices:
        raise ConfigurationError("no choices: there is nothing to measure")
    row_of = {prompt_id: row for row, prompt_id in enumerate(table.prompt_ids)}
    column_of = {model: column for column, model in enumerate(table.models)}
    try:
        order = np.array([row_of[prompt_id] for prompt_id, _ in choices], dtype=np.intp)
        picks = np.array([column_of[model] for _, model in choices], dtype=np.intp)
    except KeyError as missing:
        raise ConfigurationError(
            f"table {table.name!r} has no {missing.args[0]!r} among its prompts and models"
        ) from None
    reward = Reward.over(table, cost_weight=cost_weight)
    return measure(world_of(table, order, changes), picks, reward)


def measure(world: World, picks: Codes, reward: Reward) -> Figures:
    """The figures of the models picked, a column number a round."""
    rounds = np.arange(len(picks))
    rewards = reward.over_grid(world.score, world.cost_usd)
    got = rewards[rounds, picks]
    best = _best_column(world, rewards)
    random = float(rewards.mean(axis=1, where=world.present).mean())
    oracle = float(np.where(world.present, rewards, -np.inf).max(axis=1).mean())
    mean_cost = float(world.cost_usd[rounds, picks].mean())
    best_mean, mean = float(rewards[:, best].mean()), float(got.mean())
    scores, costs = (grid[:, world.settled].mean(axis=0) for grid in (world.score, world.cost_usd))
    counts = np.bincount(picks, minlength=len(world.table.models)).tolist()
    return Figures(
        rounds=len(picks),
        mean_score=float(world.score[rounds, picks].mean()),
        mean_cost_usd=mean_cost,
        mean_reward=mean,
        regret=float((rewards[:, best] - got).sum()),
        share_of_random=_ratio(best_mean - mean, best_mean - random),
        gap_closed=_ratio(mean - best_mean, oracle - best_mean),
        best_model=world.table.models[best],
        best_reward=best_mean,
        best_score=float(world.score[:, best].mean()),
        best_cost_usd=float(world.cost_usd[:, best].mean()),
        random_reward=random,
        oracle_reward=oracle,
        mixture_score=best_mixture(scores, costs, budget_usd=mean_cost),
        rounds_to_tell=_rounds_to_tell(rewards[:, world.settled]),
        calls=dict(zip(world.table.models, counts, strict=True)),
    )


def measure_phases(world: World, picks: Codes, reward: Reward) -> list[tuple[int, Figures]]:
    """The figures of each stretch between two changes, with its first round; each has a best model of its own."""
    ends = {edge for change in world.changes for edge in (change.at, getattr(change, "until", change.at))}
    edges = [0, *sorted(edge for edge in ends if 0 < edge < len(picks)), len(picks)]
    return [(start, measure(_stretch(world, start, end), picks[start:end], reward)) for start, end in pairwise(edges)]


def _stretch(world: World, start: int, end: int) -> World:
    part = slice(start, end)
    grids = (world.score[part], world.cost_usd[part], world.present[part], world.failing[part])
    return World(world.table, world.order[part], (), *grids)


def _best_column(world: World, rewards: Grid) -> int:
    return int(np.where(world.settled, rewards.mean(axis=0), -np.inf).argmax())


def _rounds_to_tell(rewards: Grid) -> float | None:
    """(2 sd / gap)^2 of the difference between the two best columns; None for twins, 0 where there is one column."""
    if rewards.shape[1] < 2:
        return 0.0
    second, first = np.argsort(rewards.mean(axis=0))[-2:]
    lead = rewards[:, first] - rewards[:, second]
    gap = float(lead.mean())
    return (2 * float(lead.std()) / gap) ** 2 if gap > 1e-12 else None


def regret_curve(world: World, picks: Codes, reward: Reward, *, points: int = 40) -> tuple[tuple[int, float], ...]:
    """Regret so far after so many rounds, at a few rounds of even distance."""
    rewards = reward.over_grid(world.score, world.cost_usd)
    lost = rewards[:, _best_column(world, rewards)] - rewards[np.arange(len(picks)), picks]
    ends = np.unique(np.linspace(1, len(picks), min(points, len(picks))).astype(int))
    return tuple(zip(ends.tolist(), np.cumsum(lost)[ends - 1].tolist(), strict=True))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if abs(whole) > 1e-12 else None
