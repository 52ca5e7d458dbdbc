"""Every built-in selector keeps the contract, with its defaults and with its limits set."""

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
