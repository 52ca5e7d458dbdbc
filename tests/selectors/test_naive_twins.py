"""Every selector against a twin that works its formula out from the raw results, whatever has happened to both.

The pool's twin has a file of its own.
"""

import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import settings
from naive_life import CONTEXTS, FIRST, Life, valued

from orchestrator.selectors import (
    CascadeSelector,
    CategorySelector,
    CostBasedSelector,
    EpsilonGreedySelector,
    GaussianThompsonSelector,
    KLUCBSelector,
    LinTSSelector,
    LinUCBSelector,
    PerformanceSelector,
    RoundRobinSelector,
    ThompsonSelector,
    UCBModelSelector,
    WeightedSelector,
)
from orchestrator.selectors.kl import divergence

BOUND = 2e-4  # Kullback-Leibler bounds promise 1e-4


def by_name(arms, score_of):
    return {name: score_of(arm) for name, arm in arms.items()}


def upper_bound(mean, nats):
    """The largest quality that is so many nats above the mean, by halving."""
    low, high = mean, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if divergence(mean, middle) <= nats else (low, middle)
    return low


class UCB(Life):
    """Radius sqrt(c ln(t) s / n), with s by the variance once five calls are rated."""

    make = UCBModelSelector

    @staticmethod
    def scores_of(arms, *, c=2.0, min_trials=5, z=1.6448536269514722):
        total = max(sum(arm.trials for arm in arms.values()), math.e)

        def score(arm):
            number, spread = len(arm.results), 1.0
            if number >= min_trials:
                variance = sum((quality - arm.mean) ** 2 for quality in arm.qualities) / number
                spread = min(1.0, 4 * (variance + z / (2 * math.sqrt(number))))
            radius = math.sqrt(c * math.log(total) * spread / arm.trials) if arm.trials else 0.0
            return valued(arm.mean + radius, arm) if arm.trials else FIRST

        return by_name(arms, score)


class KLUCB(Life):
    """n KL(mean, bound) = ln+(t / (K n)); what was listed counts as ten results in mean and n."""

    make = KLUCBSelector
    near = BOUND

    def now(self):
        for name, arm in list(self.twin.items())[:1]:  # who comes, or is corrected, leaves no bound to wait
            self.selector.enroll(name, **arm.facts)

    @staticmethod
    def scores_of(arms):
        total = sum(arm.trials for arm in arms.values())

        def score(arm):
            mean, number = arm.posterior(10, unknown=(0.5, 0))
            trials = number + arm.pending
            if not trials:
                return FIRST
            nats = math.log(max(total / (len(arms) * trials), 1.0)) / trials
            return valued(upper_bound(mean, nats), arm)

        return by_name(arms, score)


class Category(KLUCB):
    """In the category asked for, what an arm did elsewhere counts as five results of its mean at most."""

    @staticmethod
    def make():
        return CategorySelector(pooling=5)

    asked = CONTEXTS[0]

    @staticmethod
    def scores_of(arms, pooling=5):
        cells = {}
        for name, arm in arms.items():
            mean, number = arm.posterior(10, unknown=(0.5, 0))
            here = [quality for quality, context, _ in arm.results if context.category == "x"]
            elsewhere = min(max(number + arm.pending - len(here), 0.0), pooling)
            n = len(here) + elsewhere
            cells[name] = ((sum(here) + elsewhere * mean) / n if n else 0.5, n)
        total = sum(n for _, n in cells.values())
        scores = {}
        for name, (mean, n) in cells.items():
            nats = math.log(max(total / (len(arms) * n), 1.0)) / n if n else 0.0
            scores[name] = valued(upper_bound(mean, nats), arms[name]) if n else FIRST
        return scores


class Thompson(Life):
    """Beta(1 + successes, 1 + failures), what was listed as ten results; the draw is (a + 1) / (a + b)."""

    make = ThompsonSelector

    @staticmethod
    def scores_of(arms):
        def score(arm):
            weight = 0.0 if arm.listed is None else 10.0
            successes = 1 + sum(arm.qualities) + weight * (arm.listed or 0.0)
            return valued((successes + 1) / (2 + len(arm.results) + weight), arm)

        return by_name(arms, score)


class Gaussian(Life):
    """Mean and sd / sqrt(n); the draw is one deviation above."""

    make = GaussianThompsonSelector

    @staticmethod
    def scores_of(arms):
        def score(arm):
            mean, number = arm.posterior(10)
            return valued(mean + 0.25 / math.sqrt(number), arm)

        return by_name(arms, score)


class EpsilonGreedy(Life):
    """The best by its means; its propensity is what the lot leaves it."""

    make = EpsilonGreedySelector

    @staticmethod
    def scores_of(arms):
        return by_name(arms, lambda arm: valued(arm.mean, arm))

    def the_choice_is_the_best(self, choice):
        super().the_choice_is_the_best(choice)
        assert choice.propensity == pytest.approx(0.9 + 0.1 / len(self.twin))


class Cost(Life):
    """Mean cost, squeezed; local ones first, unknown last, and who is above the limit refused."""

    make = CostBasedSelector

    @staticmethod
    def scores_of(arms, limit=None):
        def score(arm):
            if limit is not None and (arm.cost is None or arm.cost > limit):
                return -math.inf
            return 2.0 * arm.local - (1.0 if arm.cost is None else arm.cost / (1 + arm.cost))

        return by_name(arms, score)


class CostWithALimit(Cost):
    """The same with a limit that no mean meets exactly."""

    @staticmethod
    def make():
        return CostBasedSelector(max_cost_per_request=0.712345)

    @staticmethod
    def scores_of(arms):
        return Cost.scores_of(arms, limit=0.712345)


class Performance(Life):
    """Time to a good answer, squeezed; who was measured five times and misses a limit is refused."""

    @staticmethod
    def make():
        return PerformanceSelector(min_tokens_per_second=50.12345, max_response_time=7.12345, prefer_streaming=True)

    @staticmethod
    def scores_of(arms):
        def time_s(arm):
            call_s = arm.latency_s
            if arm.speed:
                answer_s = min(256 / arm.speed, 1e15)
                call_s = answer_s if call_s is None else (call_s + answer_s) / 2
            if call_s is None:
                call_s = 5.0 if arm.results else 0.0
            return call_s * (len(arm.results) + 1) / (sum(arm.qualities) + 1)

        def score(arm):
            measured = len(arm.latencies) + (0 if arm.latency is None else 10)
            slow = measured >= 5 and arm.latency_s > 7.12345
            if slow or (len(arm.speeds) >= 5 and arm.speed < 50.12345):
                return -math.inf
            needed = time_s(arm)
            return 2.0 * arm.streams - (needed / (1 + needed))

        return by_name(arms, score)


class RoundRobin(Life):
    """Whose last call began longest ago."""

    make = RoundRobinSelector

    def begun(self, arm):
        self.turns += 1
        arm.turn = self.turns

    @staticmethod
    def scores_of(arms):
        return by_name(arms, lambda arm: -getattr(arm, "turn", 0))


class Weighted(Life):
    """The logarithm of the weight; the propensity is the share."""

    weights: ClassVar = {"a": 3.0, "b": 0.0}

    @classmethod
    def make(cls):
        return WeightedSelector(cls.weights)

    @classmethod
    def scores_of(cls, arms):
        return {name: math.log(weight) if (weight := cls.weights.get(name, 1.0)) else -math.inf for name in arms}

    def the_choice_is_the_best(self, choice):
        super().the_choice_is_the_best(choice)
        whole = sum(self.weights.get(name, 1.0) for name in self.twin)
        assert choice.propensity == pytest.approx(self.weights.get(choice.arm, 1.0) / whole)


class LinUCB(Life):
    """The ridge regression of every result less what was expected, solved anew; one deviation times .3 on top."""

    make = LinUCBSelector
    asked = CONTEXTS[1]

    @classmethod
    def scores_of(cls, arms):
        asked = np.array([*cls.asked.features, 1.0])

        def score(arm):
            rows = np.array([[*context.features, 1.0] for _, context, _ in arm.results]).reshape(-1, 3)
            targets = np.array([quality - start for quality, _, start in arm.results])
            gram = np.eye(3) + rows.T @ rows
            found = np.linalg.solve(gram, np.column_stack((rows.T @ targets, asked)))
            quality = asked @ found[:, 0] + 0.3 * math.sqrt(asked @ found[:, 1])
            return valued((0.5 if arm.listed is None else arm.listed) + quality, arm)

        return by_name(arms, score)


class LinTS(LinUCB):
    """The same; the draw is one deviation times .3 above."""

    make = LinTSSelector


class Cascade(Life):
    """What is expected to be spent from each rung on, by chances at the upper end of what is plausible."""

    make = CascadeSelector
    near = BOUND

    def price_of(self, name, drawn):
        """One of its own for each, as rungs of one price may stand in either order."""
        return {"a": 0.002, "b": 0.001, "c": 0.05}.get(name, 0.03)

    @staticmethod
    def scores_of(arms):
        rated, rest, scores = sum(len(arm.results) for arm in arms.values()), 0.0, {}
        for name, arm in sorted(arms.items(), key=lambda one: (not one[1].local, one[1].cost), reverse=True):
            mean, number = arm.posterior(10)
            accepted = upper_bound(mean, math.log1p(rated / number) / (number + arm.pending))
            rest = arm.cost + (1 - accepted) * rest
            scores[name] = -rest / (1 + rest)
        return scores


TWINS = (
    UCB,
    KLUCB,
    Category,
    Thompson,
    Gaussian,
    EpsilonGreedy,
    Cost,
    CostWithALimit,
    Performance,
    RoundRobin,
    Weighted,
    LinUCB,
    LinTS,
    Cascade,
)

for twin in TWINS:
    twin.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
    globals()[f"Test{twin.__name__}"] = twin.TestCase
