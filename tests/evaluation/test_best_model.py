"""Which model is best: bounds that may be looked at after every call."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import BestModel


def holds_throughout(means, rng, *, calls, delta, right_or_wrong):
    """Whether every bound held after every call, with the model chosen greedily by what was seen so far."""
    names = "abcdef"[: len(means)]
    best = BestModel(names, delta=delta)
    for _ in range(calls):
        leader = best.answer().leader
        model = leader if leader and rng.random() < 0.5 else names[int(rng.integers(len(names)))]
        mean = means[names.index(model)]
        best.see(model, float(rng.random() < mean) if right_or_wrong else float(rng.beta(4 * mean, 4 * (1 - mean))))
        bound = best.answer().bounds[model]
        if not bound.low <= mean <= bound.high:
            return False
    return True


@pytest.mark.parametrize("right_or_wrong", [True, False])
def test_bounds_hold_under_continuous_peeking(right_or_wrong):
    """All bounds, all times, adaptive choices: 60 runs at delta .2 miss 12 in the mean at worst, and 3 deviations are 9.3."""
    rng = np.random.default_rng(8)
    missed = sum(
        not holds_throughout((0.9, 0.8, 0.5), rng, calls=250, delta=0.2, right_or_wrong=right_or_wrong)
        for _ in range(60)
    )
    assert missed <= 21


def test_stopping_when_sure_stops_at_the_right_model():
    """20 runs that stop as soon as the answer is sure: at delta .05 one wrong one is expected at most, three are allowed."""
    rng = np.random.default_rng(9)
    wrong = 0
    for _ in range(20):
        best = BestModel("ab", epsilon=0.05, delta=0.05)
        for _ in range(2_000):
            for model, mean in (("a", 0.5), ("b", 0.8)):
                best.see(model, float(rng.random() < mean))
            if best.answer().sure:
                break
        verdict = best.answer()
        assert verdict.sure
        wrong += verdict.leader != "b"
    assert wrong <= 3


def test_before_the_first_call_nothing_is_known():
    """No leader, and anything may be as much as 1 better."""
    verdict = BestModel(["a", "b"]).answer()
    assert (verdict.leader, verdict.sure, verdict.at_most_worse) == (None, False, 1.0)


def test_a_single_model_is_the_best_one():
    """Nobody else can be better."""
    best = BestModel(["a"])
    best.see("a", 0.1)
    assert best.answer().sure


def test_equals_become_sure_within_epsilon():
    """Two models that are alike: no difference is ever found, but it is known to be small."""
    best = BestModel("ab", epsilon=0.1)
    rng = np.random.default_rng(4)
    for _ in range(1_500):
        for model in "ab":
            best.see(model, float(rng.beta(40, 10)))
    verdict = best.answer()
    assert verdict.sure
    assert verdict.beaten == ()


def test_a_model_that_changes_is_found_out():
    """No single mean explains 400 right answers and then 400 wrong ones, so the answer is no longer sure."""
    best = BestModel("ab")
    for value in (1.0, 0.0):
        for _ in range(400):
            best.see("a", value)
            best.see("b", 0.5)
    verdict = best.answer()
    assert verdict.bounds["a"].drifted
    assert (verdict.sure, verdict.at_most_worse, verdict.beaten) == (False, 1.0, ())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_bounds_only_narrow_and_stay_within_0_and_1(values):
    """Every look is at least as sharp as the one before."""
    best = BestModel("a")
    low, high = 0.0, 1.0
    for value in values:
        best.see("a", value)
        bound = best.answer().bounds["a"]
        assert low <= bound.low
        assert bound.high <= high
        low, high = bound.low, bound.high


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_value_outside_its_bounds_is_refused(value):
    """It leaves no trace."""
    best = BestModel("ab")
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        best.see("a", value)
    assert best.answer().bounds["a"].calls == 0


def test_settings_are_checked():
    """Each complaint names the value and what is accepted."""
    with pytest.raises(ConfigurationError, match="delta=0"):
        BestModel("ab", delta=0)
    with pytest.raises(ConfigurationError, match="epsilon=1"):
        BestModel("ab", epsilon=1)
    with pytest.raises(ConfigurationError, match="name at least one"):
        BestModel([])
    with pytest.raises(ConfigurationError, match="no model 'c'"):
        BestModel("ab").see("c", 0.5)
