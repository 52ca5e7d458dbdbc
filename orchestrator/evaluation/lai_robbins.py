"""How near a policy comes to what no policy can beat: right-or-wrong models of fixed quality, played for long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.candidates import Candidate
from orchestrator.evaluation.replaying import replay
from orchestrator.evaluation.table import OutcomeTable

__all__ = ["LLM_LIKE", "POOLS", "LongRun", "bernoulli", "constant", "long_run"]

LLM_LIKE: Final = (0.92, 0.90, 0.88, 0.85, 0.80, 0.74, 0.66, 0.55)  # close at the top, as models of one market are

# The bound's constant grows as the best draw near to one another, so that a share of it means little without its pool.
POOLS: Final[Mapping[str, Sequence[float]]] = {
    "invented": LLM_LIKE,
    "Aider polyglot": (0.880, 0.867, 0.849, 0.831, 0.813, 0.796, 0.791, 0.782),  # its eight best scores of 2025-10-03
    "Aider code editing": (0.842, 0.805, 0.797, 0.774, 0.752, 0.729, 0.722, 0.714),  # of 2024-12-21
}


class LongRun(NamedTuple):
    """Expected regret of the models chosen, and that divided by the constant times ln(rounds)."""

    regret: float
    share_of_bound: float


def bernoulli(qualities: Sequence[float], *, prompts: int, seed: int) -> OutcomeTable:
    """Independent right-or-wrong answers that cost nothing; no prompt is harder than another."""
    if not all(0 < quality < 1 for quality in qualities):
        raise ConfigurationError(f"qualities={tuple(qualities)!r}: numbers between 0 and 1")
    draws = np.random.default_rng([seed, 3]).random((prompts, len(qualities)))
    return OutcomeTable(
        name="bernoulli",
        prompt_ids=tuple(str(number) for number in range(prompts)),
        models=tuple(f"{number}: {quality:g}" for number, quality in enumerate(qualities)),
        score=(draws < np.array(qualities)).astype(np.float64),
        cost_usd=np.zeros_like(draws),
    )


def constant(qualities: Sequence[float]) -> float:
    """C in "regret is at least about C ln T" for every policy that learns (Lai and Robbins 1985).

    C = sum over the models that are not best of gap / KL(quality, best quality)

    >>> round(constant([0.9, 0.8]), 2)
    2.25
    """
    best = max(qualities)
    return sum((best - quality) / _kl(quality, best) for quality in qualities if quality < best)


def _kl(p: float, q: float) -> float:
    """The divergence of two coins."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def long_run(
    selector: Candidate = "default",
    *,
    qualities: Sequence[float] = LLM_LIKE,
    rounds: int = 20_000,
    seed: int = 0,
) -> LongRun:
    """One life of so many rounds; luck of the draws is left out of the regret, which counts gaps.

    The seed deals out the models' places too, as many a policy takes the first of equals.

    >>> long_run("random", rounds=2_000).share_of_bound > 1.5
    True
    """
    dealt = np.random.default_rng([seed, 4]).permutation(qualities).tolist()
    table = bernoulli(dealt, prompts=rounds, seed=seed)
    calls = replay(table, selector, cost_weight=0.0, seed=seed, rounds=rounds).figures.calls
    best = max(dealt)
    regret = sum((best - quality) * count for quality, count in zip(dealt, calls.values(), strict=True))
    return LongRun(regret, regret / (constant(qualities) * math.log(rounds)))
