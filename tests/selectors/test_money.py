"""Budgets, a default model to fall back on, and the cascade."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.frontier import best_mixture
from orchestrator.selectors import CascadeSelector, PoolSelector
from orchestrator.selectors.pacing import mixture, price_of_money

FLEET = {"small": (0.5, 0.001), "middle": (0.7, 0.004), "large": (0.9, 0.02)}


def played(selector, rounds, *, seed=0, delay=0, price=lambda cost_usd, draw: cost_usd * draw):
    """Calls by arm and USD spent, with answers whose cost varies."""
    world, spent, calls, waiting = np.random.default_rng(seed), 0.0, dict.fromkeys(FLEET, 0), []
    for name, (quality, cost_usd) in FLEET.items():
        selector.enroll(name, expected_cost_usd=cost_usd, expected_quality=quality)
    slate = selector.slate(list(FLEET))
    for _ in range(rounds):
        arm = selector.choose(slate, world).arm
        selector.begin(arm)
        calls[arm] += 1
        quality, cost_usd = FLEET[arm]
        cost_usd = price(cost_usd, world.lognormal(-0.125, 0.5))
        spent += cost_usd
        waiting.append((arm, float(world.random() < quality), cost_usd))
        if len(waiting) > delay:
            done, quality, cost_usd = waiting.pop(0)
            selector.settle(done, quality=quality, cost_usd=cost_usd, latency_s=None)
    return calls, spent


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("delay", [0, 30])
@pytest.mark.parametrize("budget_usd", [0.002, 0.006, 0.012])
def test_a_budget_is_kept_and_used(budget_usd, delay, seed):
    """Over 1,000 calls at most 2 % too much even with 30 in flight, and at least 90 % is put to use."""
    selector = PoolSelector(budget_usd=budget_usd)
    _, spent = played(selector, 1_000, seed=seed, delay=delay)
    assert 0.9 < spent / (1_000 * budget_usd) < 1.02


def test_a_budget_beyond_all_prices_buys_the_best():
    """Then money is no matter."""
    calls, _ = played(PoolSelector(budget_usd=1.0), 300)
    assert calls["large"] > 270


def test_a_budget_below_all_prices_gets_the_cheapest():
    """Nothing is free; what costs least is taken."""
    calls, _ = played(PoolSelector(budget_usd=1e-6), 300)
    assert calls["small"] > 295


@pytest.mark.parametrize("times", [1.0, 3.0], ids=["affordable", "saved for"])
def test_a_model_that_fell_comes_back_under_a_budget(times):
    """It is asked again at its set times, as soon as the money is there, and has its place back when it is well."""
    selector, world = PoolSelector(change_test=True, budget_usd=0.005 / times), np.random.default_rng(0)
    for name, cost_usd in (("small", 0.001), ("large", 0.004)):
        selector.enroll(name, expected_cost_usd=cost_usd)
    slate, calls = selector.slate(["small", "large"]), []
    for number in range(1_200):
        arm = selector.choose(slate, world).arm
        selector.begin(arm)
        good = 0.5 if arm == "small" else 0.95 * (not 300 <= number < 400)
        cost_usd = 0.001 if arm == "small" else 0.004
        selector.settle(arm, quality=float(world.random() < good), cost_usd=cost_usd, latency_s=None)
        calls.append(arm)
    before, ill, after = (calls[part].count("large") for part in (slice(200, 300), slice(360, 400), slice(900, 1_000)))
    assert ill < 10
    assert after > 0.8 * before > 8


@pytest.mark.parametrize("budget_usd", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_is_usd_above_nought(budget_usd):
    """Anything else is refused where it is set."""
    with pytest.raises(ConfigurationError, match="USD a call above 0"):
        PoolSelector(budget_usd=budget_usd)


prices = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), min_size=1, max_size=8)


@given(fleet=prices, rate=st.floats(0, 10), other_rate=st.floats(0, 10))
def test_no_budget_is_worth_more_than_its_price_says(fleet, rate, other_rate):
    """From any rate on, more money adds at most its price to the best score, and less takes at least that away."""
    costs, scores = [cost for cost, _ in fleet], [score for _, score in fleet]
    rate, other_rate = (max(one, min(costs)) for one in (rate, other_rate))
    here, there = (best_mixture(scores, costs, budget_usd=one) for one in (rate, other_rate))
    price = price_of_money(costs, scores, rate=rate)
    assert there <= here + price * (other_rate - rate) + 1e-9 * (1 + price)


@given(fleet=prices, rate=st.floats(0, 10))
def test_no_pair_beats_the_mixture(fleet, rate):
    """The pair found, mixed so that it costs the rate, scores as well as any other pair."""
    costs, scores = [cost for cost, _ in fleet], [score for _, score in fleet]

    def worth(low, high):
        if not costs[low] <= rate:
            return -1.0
        if costs[high] <= rate:
            return max(scores[low], scores[high])
        share = (rate - costs[low]) / (costs[high] - costs[low])
        return scores[low] + share * (scores[high] - scores[low])

    best = max(worth(low, high) for low in range(len(fleet)) for high in range(len(fleet)))
    low, high = mixture(costs, scores, rate=rate)
    assert costs[low] <= costs[high]
    if min(costs) <= rate:
        assert worth(low, high) == pytest.approx(best, abs=1e-9)
    else:
        assert costs[low] == costs[high] == min(costs)


@pytest.mark.parametrize("seed", range(4))
def test_the_default_model_is_never_undercut_by_much(seed):
    """At no time has the policy earned less than the agreed share of what the default is worth."""
    arms = ["default", *(f"bad{number}" for number in range(9))]
    selector, world, earned = PoolSelector(default_model="default", least_share=0.8), np.random.default_rng(seed), 0.0
    for arm in arms:
        selector.enroll(arm)
    slate = selector.slate(arms)
    tried = set()
    for round_ in range(400):
        arm = selector.choose(slate, world).arm
        quality = 0.9 if arm == "default" else 0.0
        selector.begin(arm)
        selector.settle(arm, quality=quality, cost_usd=None, latency_s=None)
        earned += quality
        tried.add(arm)
        assert earned >= 0.8 * 0.9 * (round_ + 1) - 1e-9
    assert len(tried) > 3, "the reserve is there to be used"


def test_without_its_default_model_the_policy_decides():
    """There is nothing to keep to while it is out."""
    selector = PoolSelector(default_model="gone")
    selector.enroll("a")
    assert selector.choose(selector.slate(["a"]), np.random.default_rng(0)).arm == "a"


def test_a_cascade_starts_higher_where_the_cheap_model_is_never_accepted():
    """To ask it first would only cost more."""
    selector, rng = CascadeSelector(), np.random.default_rng(0)
    for name, (_, cost_usd) in FLEET.items():
        selector.enroll(name, expected_cost_usd=cost_usd)
    slate = selector.slate(list(FLEET))
    assert selector.choose(slate, rng).arm == "small"
    for name, verdict in (("small", 0.0), ("middle", 1.0)):
        for _ in range(300):
            selector.settle(name, quality=verdict, cost_usd=FLEET[name][1], latency_s=None)
    assert selector.choose(slate, rng).arm == "middle"


def test_a_cascade_goes_up_rung_by_rung_until_an_answer_is_accepted():
    """The verdict decides; at the top the answer stands."""
    selector = CascadeSelector(accept_from=0.6)
    for name, (_, cost_usd) in FLEET.items():
        selector.enroll(name, expected_cost_usd=cost_usd)
    slate = selector.slate(["large", "small", "middle"])
    assert selector.next_rung(slate, "small", verdict=0.5) == "middle"
    assert selector.next_rung(slate, "middle", verdict=0.6) is None
    assert selector.next_rung(slate, "large", verdict=0.0) is None
    assert selector.next_rung(selector.slate(["small", "large"]), "small", verdict=0.0) == "large"
    with pytest.raises(ValueError, match="a number from 0 to 1"):
        selector.next_rung(slate, "small", verdict=2)
