"""Replay on a log of decisions: an unbiased run of another selector, as far as the log agrees with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.candidates import Candidate, candidate, name_of
from orchestrator.evaluation.decisions import Decision
from orchestrator.evaluation.intervals import Interval, normal
from orchestrator.evaluation.reward import Reward
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector, Slate

__all__ = ["LogReplayed", "replay_log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReplayed:
    """What a selector would have earned in a life of `accepted` requests, from a log of `decisions`.

    Intervals are 95 %; `choices` are the (prompt id, model) it is judged by.
    """

    selector: str
    decisions: int
    accepted: int
    score: Interval
    cost_usd: Interval
    reward: Interval
    choices: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, without the choices."""
        figures = asdict(self)
        del figures["choices"]
        return figures | {name: getattr(self, name)._asdict() for name in ("score", "cost_usd", "reward")}


def replay_log(
    decisions: Sequence[Decision], selector: Candidate = "default", *, cost_weight: float = 0.1, seed: int = 0
) -> LogReplayed:
    """Let a selector choose at each logged decision, and teach it the outcome where it chose what was chosen then.

    Of these agreements each is kept with probability (smallest propensity in the log) / (its own), so that what is kept
    is distributed as if the selector had run by itself (Li, Chu, Langford, Wang 2011; Dudik et al. 2012). The more
    evenly the log explored, the more of it is kept; a log made without chance says nothing about other choices, and
    raises ConfigurationError.

    >>> log = [Decision(f"p{n}", "ab"[n % 2], float(n % 2), 0.01, 0.5) for n in range(200)]
    >>> run = replay_log(log, "ucb:exploration_factor=0.1")
    >>> run.accepted > 50, run.score.mean > 0.8
    (True, True)
    """
    reward = _reward(decisions, cost_weight)
    player = candidate(selector, reward=reward)
    models = tuple(sorted({name for one in decisions for name in (one.model, *one.candidates)}))
    for model in models:
        player.enroll(model)
    rng, coin = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    slates: dict[tuple[str, ...], Slate] = {(): player.slate(models)}
    least = min(one.propensity for one in decisions)
    kept = []
    for one in decisions:
        if one.candidates not in slates:
            slates[one.candidates] = player.slate(one.candidates)
        if _agrees(player, one, slates[one.candidates], rng) and coin.random() < least / one.propensity:
            player.begin(one.model)
            _teach(player, one)
            kept.append(one)
    if not kept:
        raise ConfigurationError(f"{name_of(selector)!r} never chose what the log chose; a longer log is needed")
    return LogReplayed(
        selector=name_of(selector),
        decisions=len(decisions),
        accepted=len(kept),
        score=normal([one.score for one in kept]),
        cost_usd=normal([one.cost_usd for one in kept]),
        reward=normal([reward.of(one.score, one.cost_usd) for one in kept]),
        choices=tuple((one.prompt_id, one.model) for one in kept),
    )


def _reward(decisions: Sequence[Decision], cost_weight: float) -> Reward:
    """The reward whose unit is the mean cost of the model with the best mean score, as far as the log tells."""
    if not decisions:
        raise ConfigurationError("the log is empty: there is nothing to replay")
    if all(one.propensity == 1 for one in decisions):
        raise ConfigurationError("every propensity is 1: a log made without chance says nothing about other choices")
    by_model: dict[str, list[Decision]] = {}
    for one in decisions:
        by_model.setdefault(one.model, []).append(one)
    best = max(by_model.values(), key=lambda group: fmean(one.score for one in group))
    dearest = max(one.cost_usd for one in decisions)
    unit = fmean(one.cost_usd for one in best) or dearest or 1.0
    return Reward(cost_weight, unit, max(unit, dearest))


def _agrees(player: ModelSelector, one: Decision, slate: Any, rng: np.random.Generator) -> bool:
    if player.contextual:
        return player.choose(slate, rng, context=Context(one.category, one.features)).arm == one.model
    return player.choose(slate, rng).arm == one.model


def _teach(player: ModelSelector, one: Decision) -> None:
    context = Context(one.category, one.features) if player.contextual else None
    player.settle(one.model, quality=one.score, cost_usd=one.cost_usd, latency_s=None, context=context)
