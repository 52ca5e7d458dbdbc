"""Policies that draw, and the probabilities they state."""

from collections import Counter

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError, ModelNotFoundError
from orchestrator.selectors import (
    EpsilonGreedySelector,
    GaussianThompsonSelector,
    KLUCBSelector,
    PoolSelector,
    RoundRobinSelector,
    ThompsonSelector,
    WeightedSelector,
)
from orchestrator.selectors.floor import Floored
from orchestrator.selectors.gaussian import chance_of_largest

ARMS = ["a", "b", "c", "d"]
DRAWS = 4_000
NEAR = 4.5 * (0.25 / DRAWS) ** 0.5  # so many standard errors of a share, at most: one test in 100,000 strays


def taught(selector, **qualities):
    """Twenty results of each arm."""
    for arm, quality in qualities.items():
        selector.enroll(arm)
        for _ in range(20):
            selector.settle(arm, quality=quality, cost_usd=0.01, latency_s=None)
    return selector


@pytest.mark.parametrize(
    "selector",
    [
        EpsilonGreedySelector(epsilon=0.2),
        PoolSelector(floor=0.2),
        KLUCBSelector(floor=0.2),
        WeightedSelector({"a": 3.0, "b": 0.5}),
    ],
    ids=lambda selector: selector.name,
)
def test_stated_propensities_are_the_shares_of_many_draws(selector):
    """Exact: the share of each arm is what its choices say, and the chances of all arms add up to 1."""
    taught(selector, a=0.7, b=0.72, c=0.1, d=0.69)
    slate, rng = selector.slate(ARMS), np.random.default_rng(0)
    choices = [selector.choose(slate, rng) for _ in range(DRAWS)]
    counts, stated = Counter(choice.arm for choice in choices), {choice.arm: choice.propensity for choice in choices}
    assert sum(stated.values()) == pytest.approx(1.0)
    for arm, propensity in stated.items():
        assert counts[arm] / DRAWS == pytest.approx(propensity, abs=NEAR)


def test_a_floor_is_laid_under_plausible_candidates_only():
    """What is known to be bad is not asked for the sake of an estimate."""
    selector = PoolSelector(floor=1.0)
    for arm, quality in (("good", 0.9), ("fair", 0.899), ("bad", 0.05)):
        selector.enroll(arm)
        for _ in range(300):
            selector.settle(arm, quality=quality, cost_usd=None, latency_s=None)
    slate, rng = selector.slate(["good", "fair", "bad"]), np.random.default_rng(0)
    assert {selector.choose(slate, rng).arm for _ in range(200)} == {"good", "fair"}


@pytest.mark.parametrize("floor", [-0.1, 1.1, float("nan")])
def test_a_floor_is_a_probability(floor):
    """Anything else is refused where it is set."""
    with pytest.raises(ConfigurationError, match=r"floor=.*from 0 to 1"):
        PoolSelector(floor=floor)


def test_a_floor_stands_under_a_model_that_never_failed():
    """No bound is as high as a mean of 1; the choice is plausible all the same."""
    selector = taught(KLUCBSelector(floor=1.0), a=1.0, b=1.0)
    slate, rng = selector.slate(["a", "b"]), np.random.default_rng(0)
    assert {selector.choose(slate, rng).arm for _ in range(50)} == {"a", "b"}


class ThompsonWithFloor(Floored, ThompsonSelector):
    """A layer over a policy that draws by itself."""


@pytest.mark.parametrize(("floor", "propensity"), [(0.0, None), (0.2, None), (1.0, 0.5)])
def test_a_floor_under_a_policy_that_draws_states_no_propensity_but_that_of_the_lot(floor, propensity):
    """How likely the policy's own choice was is not known, so neither is the whole."""
    selector = taught(ThompsonWithFloor(), a=0.6, b=0.5)
    selector.set_floor(floor)
    choice = selector.choose(selector.slate(["a", "b"]), np.random.default_rng(0))
    assert not selector.deterministic
    assert choice.propensity == propensity


def test_the_quadrature_agrees_with_counted_draws():
    """For arms of unequal means and widths."""
    rng = np.random.default_rng(5)
    means, sds = rng.random(6), rng.uniform(0.05, 0.5, size=6)
    exact = [chance_of_largest(means, sds, which) for which in range(6)]
    draws = rng.normal(means, sds, size=(50_000, 6)).argmax(axis=1)
    assert sum(exact) == pytest.approx(1.0, abs=1e-4)
    assert np.bincount(draws, minlength=6) / 50_000 == pytest.approx(exact, abs=4.5 * 0.5 / 50_000**0.5)


def test_gaussian_propensities_are_those_of_its_choices():
    """The chance stated before is the share of many choices."""
    selector = taught(GaussianThompsonSelector(sd=0.5), a=0.6, b=0.65, c=0.5, d=0.62)
    slate, rng = selector.slate(ARMS), np.random.default_rng(0)
    counts = Counter(selector.choose(slate, rng).arm for _ in range(DRAWS))
    for arm in ARMS:
        assert counts[arm] / DRAWS == pytest.approx(selector.propensity(slate, arm), abs=NEAR)
    with pytest.raises(ModelNotFoundError):
        selector.propensity(slate, "e")


def test_weight_nought_refuses():
    """And says so."""
    selector = WeightedSelector({"a": 0.0})
    selector.enroll("a")
    with pytest.raises(ValueError, match="its weight is 0"):
        selector.choose(selector.slate(["a"]), np.random.default_rng(0))


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan")])
def test_a_weight_is_a_number_from_nought_up(weight):
    """Anything else is refused where it is set."""
    with pytest.raises(ConfigurationError, match="weight of 'a'"):
        WeightedSelector({"a": weight})


def test_turns_are_taken_in_order_and_a_newcomer_is_next():
    """Whoever waited longest is asked."""
    selector, rng = RoundRobinSelector(), np.random.default_rng(0)
    for arm in "abc":
        selector.enroll(arm)
    turns = []
    for round_ in range(8):
        if round_ == 4:
            selector.enroll("d")
        turns.append(selector.choose(selector.slate(list(selector.statistics())), rng).arm)
        selector.begin(turns[-1])
    assert "".join(turns) == "abcadbca"
