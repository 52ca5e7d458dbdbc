"""Thompson: draws from the posterior, counted where a probability is asked for."""

from collections import Counter

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError, ModelNotFoundError
from orchestrator.selectors import ThompsonSelector


def enrolled(*arms):
    """A selector with these arms, and their slate."""
    selector = ThompsonSelector()
    for arm in arms:
        selector.enroll(arm)
    return selector, selector.slate(arms)


@pytest.mark.parametrize("seed", range(8))
def test_the_better_of_two_wins_within_three_hundred(seed):
    """At gap .4 posterior sampling needs some ln(300) / KL(.5, .9) = 11 calls of the worse arm, 71 is UCB1's bound."""
    selector, slate = enrolled("worse", "better")
    world = np.random.default_rng(seed)
    chosen = []
    for _ in range(300):
        chosen.append(selector.choose(slate, world).arm)
        right = float(world.random() < (0.9 if chosen[-1] == "better" else 0.5))
        selector.settle(chosen[-1], quality=right, cost_usd=None, latency_s=None)
    assert chosen[-100:].count("better") > 80


def test_unknown_arms_spread_without_being_counted():
    """400 draws among four unknown equals: each within four standard deviations (8.7) of 100."""
    selector, slate = enrolled("a", "b", "c", "d")
    world = np.random.default_rng(0)
    chosen = Counter(selector.choose(slate, world).arm for _ in range(400))
    assert all(abs(chosen[arm] - 100) < 4 * 8.7 for arm in slate.arms)


def test_propensities_are_the_shares_of_the_choices():
    """Counted in draws they add up to 1 and match the frequencies of real choices within sampling error."""
    selector, slate = enrolled("a", "b", "c")
    for arm, qualities in (("a", (1.0, 1.0, 0.0)), ("b", (1.0, 0.0))):
        for quality in qualities:
            selector.settle(arm, quality=quality, cost_usd=0.01, latency_s=1.0)
    world = np.random.default_rng(0)
    chosen = Counter(selector.choose(slate, world).arm for _ in range(4_000))
    shares = {arm: selector.propensity(slate, arm, np.random.default_rng(1), draws=4_000) for arm in slate.arms}
    assert sum(shares.values()) == pytest.approx(1)
    assert all(abs(shares[arm] - chosen[arm] / 4_000) < 0.05 for arm in slate.arms)  # over 4 standard deviations


def test_a_fraction_counts_as_part_of_a_success():
    """A quality of .75 is three quarters of a success and one of a failure, on top of the prior."""
    selector, _ = enrolled("a")
    selector.settle("a", quality=0.75, cost_usd=None, latency_s=None)
    facts = selector.statistics()["a"]
    assert (facts["successes"], facts["failures"]) == (1.75, 1.25)


def test_the_propensity_of_a_stranger_is_an_error():
    """Only candidates have a probability."""
    selector, slate = enrolled("a")
    with pytest.raises(ModelNotFoundError, match="stranger"):
        selector.propensity(slate, "stranger", np.random.default_rng(0))


@pytest.mark.parametrize("option", ["prior_successes", "prior_failures"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_an_impossible_prior_is_named(option, value):
    """A Beta prior has two positive parameters."""
    with pytest.raises(ConfigurationError, match=option):
        ThompsonSelector(**{option: value})


def test_an_expected_quality_counts_as_ten_results():
    """Or as many as one says."""
    for weight in (10.0, 3.0):
        selector = ThompsonSelector(prior_weight=weight)
        selector.enroll("a", expected_quality=0.8)
        figures = selector.statistics()["a"]
        assert figures["successes"] == pytest.approx(1 + 0.8 * weight)
        assert figures["failures"] == pytest.approx(1 + 0.2 * weight)
