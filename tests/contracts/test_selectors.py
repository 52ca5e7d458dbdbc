"""Every built-in selector keeps the contract, with its defaults and with its limits set."""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

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
    PoolSelector,
    RoundRobinSelector,
    ThompsonSelector,
    UCBModelSelector,
    WeightedSelector,
)
from orchestrator.testing.contracts import SelectorContract
from orchestrator.testing.contracts.selector_play import ARMS, BAD_QUALITIES, numbers_in, rng


class TestPool(SelectorContract):
    """The pool model."""

    make = PoolSelector


class TestPoolWithAFloor(SelectorContract):
    """With a choice by lot now and then, it draws."""

    @staticmethod
    def make():
        return PoolSelector(floor=0.1)


class TestPoolOnABudget(SelectorContract):
    """The budget is half of what a call costs in this suite, so that there is never credit."""

    @staticmethod
    def make():
        return PoolSelector(budget_usd=0.005)


class TestPoolThatIsConservative(SelectorContract):
    """A default model decides while there is no reserve."""

    @staticmethod
    def make():
        return PoolSelector(default_model="b", least_share=0.9)


class TestPoolWithItsChangeTest(SelectorContract):
    """Watching all arms, however few."""

    @staticmethod
    def make():
        return PoolSelector(change_test=True)


class TestKLUCB(SelectorContract):
    """KL-UCB+."""

    make = KLUCBSelector


class TestCategory(SelectorContract):
    """Without a category on the requests."""

    make = CategorySelector


class TestGaussianThompson(SelectorContract):
    """Normal draws."""

    make = GaussianThompsonSelector


class TestEpsilonGreedy(SelectorContract):
    """Lots."""

    make = EpsilonGreedySelector


class TestRoundRobin(SelectorContract):
    """Turns."""

    make = RoundRobinSelector


class TestWeighted(SelectorContract):
    """Equal weights, and one that is larger."""

    @staticmethod
    def make():
        return WeightedSelector({"a": 3.0})


class TestLinUCB(SelectorContract):
    """Without features on the requests."""

    make = LinUCBSelector


class TestLinTS(SelectorContract):
    """The same with draws."""

    make = LinTSSelector


class TestCascade(SelectorContract):
    """Rungs of one price."""

    make = CascadeSelector


class TestUCB(SelectorContract):
    """The default."""

    make = UCBModelSelector


class TestUCBThatForgets(SelectorContract):
    """A half-life far beyond the suite's runs: the sums are weighted, yet nothing is forgotten yet."""

    @staticmethod
    def make():
        return UCBModelSelector(half_life=1e15)


class TestThompson(SelectorContract):
    """Draws."""

    make = ThompsonSelector


class TestCostBased(SelectorContract):
    """Without a limit, and with one that all arms keep."""

    make = CostBasedSelector


class TestPerformance(SelectorContract):
    """Without limits."""

    make = PerformanceSelector


class TestPerformanceWithLimits(SelectorContract):
    """Limits that the suite's arms keep."""

    @staticmethod
    def make():
        return PerformanceSelector(min_tokens_per_second=1.0, max_response_time=60.0, prefer_streaming=True)


class NaiveArm:
    """An arm that remembers every single result."""

    def __init__(self):
        self.qualities, self.costs, self.latencies = [], [], []
        self.pulls = self.pending = 0


def naive_index(arms, name, *, c=2.0, min_trials=5, z=1.6448536269514722):
    """UCB's score, written as in the docstring, from the raw results; None before the first call."""
    arm = arms[name]
    trials = len(arm.qualities) + arm.pending
    if not trials:
        return None
    total = sum(len(other.qualities) + other.pending for other in arms.values())
    mean = sum(arm.qualities) / len(arm.qualities) if arm.qualities else 0.5
    spread = 1.0
    if len(arm.qualities) >= min_trials:
        variance = sum((quality - mean) ** 2 for quality in arm.qualities) / len(arm.qualities)
        spread = min(1.0, 4 * (variance + z / (2 * math.sqrt(len(arm.qualities)))))
    quality = mean + math.sqrt(c * math.log(max(total, math.e)) * spread / trials)
    cost = sum(arm.costs) / len(arm.costs) if arm.costs else 0.0
    latency = sum(arm.latencies) / len(arm.latencies) if arm.latencies else 0.0
    return (quality + 0.1 / (1 + cost / 0.01) + 0.05 / (1 + latency / 5.0)) / 1.15


names = st.sampled_from(ARMS)
qualities = st.none() | st.floats(0, 1) | st.sampled_from([0.0, 1.0])
measures = st.none() | st.floats(0, 1e6) | st.sampled_from([math.nan, math.inf, -1.0, 0.0, 1e-300])


class UCBAndItsNaiveTwin(RuleBasedStateMachine):
    """Any life of a selector gives the figures of a twin that keeps every result and computes from scratch."""

    @initialize()
    def start(self):
        self.selector, self.twin = UCBModelSelector(), {}

    @rule(name=names)
    def enroll(self, name):
        self.selector.enroll(name)
        self.twin.setdefault(name, NaiveArm())

    @rule(name=names)
    def retire(self, name):
        self.selector.retire(name)
        self.twin.pop(name, None)

    @rule(name=names, calls=st.integers(1, 5))
    def begin(self, name, calls):
        for _ in range(calls):
            self.selector.begin(name)
        if name in self.twin:
            self.twin[name].pending += calls

    @rule(name=names)
    def release(self, name):
        self.selector.release(name)
        if name in self.twin:
            self.twin[name].pending = max(0, self.twin[name].pending - 1)

    @rule(name=names, quality=qualities, cost_usd=measures, latency_s=measures, times=st.integers(1, 6))
    def settle(self, name, quality, cost_usd, latency_s, times):
        for _ in range(times):
            self.selector.settle(name, quality=quality, cost_usd=cost_usd, latency_s=latency_s)
            if name in self.twin:
                arm = self.twin[name]
                arm.pending = max(0, arm.pending - 1)
                arm.pulls += 1
                arm.qualities += [quality] if quality is not None else []
                arm.costs += [cost_usd] if cost_usd is not None and 0 <= cost_usd < math.inf else []
                arm.latencies += [latency_s] if latency_s is not None and 0 <= latency_s < math.inf else []

    @rule(name=names, quality=st.sampled_from(BAD_QUALITIES))
    def settle_badly(self, name, quality):
        refused = 0
        try:
            self.selector.settle(name, quality=quality, cost_usd=1.0, latency_s=1.0)
        except ValueError:
            refused = 1
        assert refused == (name in self.twin)
        if name in self.twin:
            self.twin[name].pending = max(0, self.twin[name].pending - 1)

    @rule(name=names, new=st.floats(0, 1))
    def revise(self, name, new):
        arm = self.twin.get(name)
        if arm is not None and arm.qualities:
            self.selector.revise(name, old_quality=arm.qualities[-1], new_quality=new)
            arm.qualities[-1] = new

    @invariant()
    def the_figures_agree(self):
        statistics = self.selector.statistics()
        assert statistics.keys() == self.twin.keys()
        for name, arm in self.twin.items():
            figures = statistics[name]
            assert (figures["pulls"], figures["pending"]) == (arm.pulls, arm.pending)
            assert_near(figures["mean_quality"], arm.qualities)
            assert_near(figures["mean_cost_usd"], arm.costs)
            assert_near(figures["mean_latency_s"], arm.latencies)

    @invariant()
    def the_index_agrees(self):
        if not self.twin:
            return
        choice = self.selector.choose(self.selector.slate(tuple(self.twin)), rng())
        expected = [naive_index(self.twin, name) for name in self.twin]
        for score, index in zip(choice.scores, expected, strict=True):
            assert score > 1e6 if index is None else math.isclose(score, index, rel_tol=1e-6, abs_tol=1e-6)
        if None in expected:
            assert expected[list(self.twin).index(choice.arm)] is None, "untried arms come first"

    @invariant()
    def the_state_is_finite(self):
        assert all(math.isfinite(number) for number in numbers_in(self.selector.state()))


def assert_near(mean, values):
    """The mean of the values, or None when there are none."""
    if values:
        assert math.isclose(mean, sum(values) / len(values), rel_tol=1e-6, abs_tol=1e-9)
    else:
        assert mean is None


UCBAndItsNaiveTwin.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestUCBAgainstItsNaiveTwin = UCBAndItsNaiveTwin.TestCase
