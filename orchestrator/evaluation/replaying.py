"""Replay: what a selector would have chosen on recorded outcomes, and what would have come of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.evaluation.aftermath import Aftermath, aftermaths
from orchestrator.evaluation.budget import Spending, spending
from orchestrator.evaluation.candidates import Candidate, candidate, name_of
from orchestrator.evaluation.changes import Change
from orchestrator.evaluation.figures import Figures, measure, measure_phases, regret_curve
from orchestrator.evaluation.player import Features, Played, contexts, play
from orchestrator.evaluation.reward import Reward
from orchestrator.evaluation.stage import Expectations
from orchestrator.evaluation.table import Expected, OutcomeTable
from orchestrator.evaluation.tables import Source, table_of
from orchestrator.evaluation.world import World, playing_order, world_of
from orchestrator.selectors.context import features_of

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One run: the sequence of (prompt id, model), its figures, and how long a decision with its update took.

    `figures` follow from `choices` and the table alone. `phases` are the same between changes, each with the round it
    starts at. `curve` is the regret so far after some rounds. `probes` counts copies of requests that asked whether a
    failed model is back.
    """

    selector: str
    dataset: str
    cost_weight: float
    delay: int
    seed: int
    choices: tuple[tuple[str, str], ...]
    figures: Figures
    curve: tuple[tuple[int, float], ...]
    phases: tuple[tuple[int, Figures], ...]
    aftermath: tuple[Aftermath, ...]
    spending: Spending | None
    failures: int
    probes: int
    decision_s_p50: float
    decision_s_p99: float

    @property
    def mean_score(self) -> float:
        """Mean score of the answers chosen."""
        return self.figures.mean_score

    @property
    def mean_cost_usd(self) -> float:
        """Mean USD of the answers chosen."""
        return self.figures.mean_cost_usd

    @property
    def mean_reward(self) -> float:
        """Mean of score - cost_weight x cost / unit."""
        return self.figures.mean_reward

    @property
    def regret(self) -> float:
        """Reward that the best single model in hindsight had more, over all rounds."""
        return self.figures.regret

    @property
    def share_of_random(self) -> float | None:
        """Regret as a share of what choosing at random leaves."""
        return self.figures.share_of_random

    @property
    def gap_closed(self) -> float | None:
        """The way from the best single model (0) to the per-prompt oracle (1)."""
        return self.figures.gap_closed

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, without the choices, for JSON."""
        return {
            "selector": self.selector,
            "dataset": self.dataset,
            "cost_weight": self.cost_weight,
            "delay": self.delay,
            "seed": self.seed,
            **self.figures.to_dict(),
            "curve": [list(point) for point in self.curve],
            "phases": [{"from_round": start, **part.to_dict()} for start, part in self.phases],
            "aftermath": [one.to_dict() for one in self.aftermath],
            "spending": None if self.spending is None else self.spending.to_dict(),
            "failures": self.failures,
            "probes": self.probes,
            "decision_s_p50": self.decision_s_p50,
            "decision_s_p99": self.decision_s_p99,
        }


def replay(
    folder_or_table: Source,
    selector: Candidate = "default",
    *,
    dataset: str | None = None,
    cost_weight: float = 0.1,
    delay: int = 0,
    prior: Mapping[str, Expected] | None = None,
    prices: Mapping[str, float] | None = None,
    seed: int = 0,
    rounds: int | None = None,
    changes: Iterable[Change] = (),
    budget: float | None = None,
    in_flight: bool = True,
    features: Features | None = features_of,
    options: Mapping[str, Any] | None = None,
) -> Replayed:
    """Let a selector choose for each recorded prompt and show it only the score and cost of the model it chose.

    `folder_or_table` is a folder of recorded outcomes (with `dataset`), a wide CSV, a table or "builtin". The reward is
    score - cost_weight x cost / (mean cost of the model with the best mean score). Each prompt comes once, in an order
    drawn from `seed`, for at most 5,000 rounds; an outcome is known `delay` rounds late, and `in_flight=False` hides
    from the selector which calls are under way. `prior` holds expected scores and `prices` expected USD a call, by
    model; they may know more models than the table, and a score may be one by category, {model: {category: score}}.
    `budget` is a target for the mean cost, as a share of the same unit of cost; a selector that keeps no budget plays
    without and is measured against it all the same. A selector that looks at the request is told its category and what
    `features` makes of the prompt's text, where the table has texts. `options` go to the selector's constructor. A
    selector given as an object is copied first, with all it has learnt.

    >>> run = replay("builtin", "ucb", rounds=300, options={"exploration_factor": 0.25})
    >>> len(run.choices), run.figures.best_model in run.figures.calls
    (300, True)
    """
    table = table_of(folder_or_table, dataset=dataset)
    world = world_of(table, playing_order(table, rounds=rounds, seed=seed), changes)
    reward = Reward.over(table, cost_weight=cost_weight)
    budget_usd = None if budget is None else budget * reward.unit_usd
    chosen = candidate(selector, reward=reward, budget_usd=budget_usd, options=options)
    expected = Expectations(
        table.expected_scores(prior or {}), table.expectation(prices or {}, most=sys.float_info.max)
    )
    rng = np.random.default_rng([seed, 1])
    told = contexts(table, world.order, features) if chosen.contextual else None
    played = play(world, chosen, reward.objective, rng, expected=expected, told=told, delay=delay, in_flight=in_flight)
    return _told(world, played, reward, name=name_of(selector), delay=delay, seed=seed, budget_usd=budget_usd)


def _told(
    world: World, played: Played, reward: Reward, *, name: str, delay: int, seed: int, budget_usd: float | None
) -> Replayed:
    """The run with everything that follows from it."""
    table = world.table
    p50, p99 = np.quantile(played.took_s, (0.5, 0.99)).tolist()
    return Replayed(
        selector=name,
        dataset=table.name,
        cost_weight=reward.cost_weight,
        delay=delay,
        seed=seed,
        choices=_choices(table, world, played),
        figures=measure(world, played.picks, reward),
        curve=regret_curve(world, played.picks, reward),
        phases=tuple(measure_phases(world, played.picks, reward)) if world.changes else (),
        aftermath=tuple(aftermaths(world, played.picks)),
        spending=None if budget_usd is None else spending(world, played.picks, budget_usd=budget_usd),
        failures=int(world.failing[np.arange(len(world)), played.picks].sum()),
        probes=played.probes,
        decision_s_p50=p50,
        decision_s_p99=p99 if math.isfinite(p99) else p50,
    )


def _choices(table: OutcomeTable, world: World, played: Played) -> tuple[tuple[str, str], ...]:
    pairs = zip(world.order.tolist(), played.picks.tolist(), strict=True)
    return tuple((table.prompt_ids[row], table.models[column]) for row, column in pairs)
