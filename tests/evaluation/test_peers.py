"""Peers: chance, and another library's policies behind our contract."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from small_tables import table_of_columns

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import replay
from orchestrator.evaluation.peers import PEERS


class Bandit:
    """Speaks as MABWiser does: it takes the arm with the best mean, and notes what it is taught."""

    taught = ()

    def __init__(self, arms, learning_policy, seed):
        self.sums = dict.fromkeys(arms, (0.0, 0))
        type(self).taught = []

    def fit(self, decisions, rewards):
        for arm, reward in zip(decisions.tolist(), rewards.tolist(), strict=True):
            total, count = self.sums[arm]
            self.sums[arm] = (total + reward, count + 1)
            self.taught.append((arm, reward))

    partial_fit = fit

    def predict(self):
        return max(self.sums, key=lambda arm: self.sums[arm][0] / max(1, self.sums[arm][1]))


@pytest.fixture
def library(monkeypatch):
    """A stand-in for the library, so that the adapter is tested where it is not installed."""
    policies = SimpleNamespace(UCB1=lambda alpha: None, Softmax=lambda tau: None, EpsilonGreedy=lambda epsilon: None)
    module = ModuleType("mabwiser.mab")
    module.MAB, module.LearningPolicy = Bandit, policies
    monkeypatch.setitem(sys.modules, "mabwiser", ModuleType("mabwiser"))
    monkeypatch.setitem(sys.modules, "mabwiser.mab", module)


@pytest.mark.parametrize("name", [name for name in PEERS if name.startswith("mabwiser")])
def test_the_library_learns_score_less_cost_as_one_number(library, name):
    """Every model is tried once; then the library picks. A unit of cost is 2 USD here, and counts .5."""
    run = replay(table_of_columns([1] * 20, [0] * 20, costs=[2.0, 1.0]), name, cost_weight=0.5)
    assert run.figures.calls == {"a": 19, "b": 1}
    assert Bandit.taught[:2] == [("a", 0.5), ("b", -0.25)]


def test_a_library_that_is_missing_is_named(monkeypatch):
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "mabwiser", None)
    monkeypatch.setitem(sys.modules, "mabwiser.mab", None)
    with pytest.raises(ConfigurationError, match="pip install mabwiser"):
        replay("builtin", "mabwiser-ucb1", rounds=10)


def test_chance_uses_every_model_alike():
    """1,800 draws of nine models: 200 each, and four standard deviations are 53."""
    calls = replay("builtin", "random", rounds=1_800).figures.calls
    assert np.abs(np.array(list(calls.values())) - 200).max() <= 53
