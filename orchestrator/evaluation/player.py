"""The loop of a replay: choose, begin, and settle when the outcome has become known."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.stage import Expectations, Stage
from orchestrator.evaluation.table import Codes, Grid, OutcomeTable
from orchestrator.evaluation.world import World
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector, Slate

__all__ = ["Features", "Played", "contexts", "play"]

Features = Callable[[str], tuple[float, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """The column picked in each round, the seconds of each decision with its update, and the number of probes."""

    picks: Codes
    took_s: Grid
    probes: int


def contexts(table: OutcomeTable, order: Codes, features: Features | None) -> list[Context]:
    """What can be said of each round's request beforehand: the table's category, and features of the text."""
    rows = order.tolist()
    categories = [table.categories[code] for code in table.category[order].tolist()]
    if features is None or table.prompts is None:
        return [Context(category=category) for category in categories]
    texts = (table.prompts[row] for row in rows)
    return [Context(category, features(text)) for category, text in zip(categories, texts, strict=True)]


def play(
    world: World,
    selector: ModelSelector,
    objective: Objective,
    rng: np.random.Generator,
    *,
    expected: Expectations,
    told: Sequence[Context] | None = None,
    delay: int = 0,
    in_flight: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Played:
    """Play every round; an outcome is settled `delay` rounds late, so that many calls more are in flight."""
    if delay < 0:
        raise ConfigurationError(f"delay={delay!r}: a number of rounds from 0 up")
    stage = Stage(world, selector, expected)
    ask = _Asked(selector, None if selector.objective == objective else objective, rng, told)
    column_of = {model: column for column, model in enumerate(world.table.models)}
    begin = selector.begin if in_flight else _unseen
    picks, took_s = [], []
    waiting: deque[_Call] = deque()
    scores, costs, failing = world.score.tolist(), world.cost_usd.tolist(), world.failing.tolist()
    for round_ in range(len(scores)):
        slate = stage.slate(round_)
        started = clock()
        arm = ask.choose(slate, round_)
        begin(arm)
        spent_s = clock() - started
        column = column_of[arm]
        picks.append(column)
        waiting.append(_Call(round_, arm, scores[round_][column], costs[round_][column], failing[round_][column]))
        if len(waiting) > delay:
            call = waiting.popleft()
            if call.failed:
                stage.failed(call.arm, round_)
            else:
                started = clock()
                ask.settle(call)
                spent_s += clock() - started
                stage.answered(call.arm)
        took_s.append(spent_s)
    return Played(np.array(picks, dtype=np.intp), np.array(took_s), stage.probes)


class _Call(NamedTuple):
    """A call under way, and what will come of it."""

    round_: int
    arm: str
    score: float
    cost_usd: float
    failed: bool


def _unseen(arm: str) -> None:
    """Where the selector is not told of calls in flight."""


class _Asked:
    """The selector, spoken to with the request's context if it looks at that, and without if it does not."""

    __slots__ = ("_objective", "_rng", "_selector", "_told")

    def __init__(
        self,
        selector: ModelSelector,
        objective: Objective | None,
        rng: np.random.Generator,
        told: Sequence[Context] | None,
    ) -> None:
        self._selector = selector
        self._objective = objective
        self._rng = rng
        self._told = told

    def choose(self, slate: Slate, round_: int) -> str:
        """The arm for this round."""
        if self._told is None:
            return self._selector.choose(slate, self._rng, self._objective).arm
        return self._selector.choose(slate, self._rng, self._objective, context=self._told[round_]).arm

    def settle(self, call: _Call) -> None:
        """Teach it what came of a call; a table knows no latencies."""
        if self._told is None:
            self._selector.settle(call.arm, quality=call.score, cost_usd=call.cost_usd, latency_s=None)
            return
        context = self._told[call.round_]
        self._selector.settle(call.arm, quality=call.score, cost_usd=call.cost_usd, latency_s=None, context=context)
