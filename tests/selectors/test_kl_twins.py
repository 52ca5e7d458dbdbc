"""The plain Kullback-Leibler policies against twins that work everything out from the raw results."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.outcome import Objective
from orchestrator.selectors import CategorySelector, Context, KLUCBSelector
from orchestrator.selectors.kl import divergence

QUALITY_ALONE = Objective(quality=1.0, cost=0.0, latency=0.0)
ARMS = "abc"
UNTRIED = 1e9

calls = st.lists(
    st.tuples(st.sampled_from(ARMS), st.sampled_from(["x", "y"]), st.floats(0, 1) | st.sampled_from([0.0, 1.0])),
    max_size=50,
)
flights = st.dictionaries(st.sampled_from(ARMS), st.integers(1, 20))
listings = st.fixed_dictionaries(dict.fromkeys(ARMS, st.none() | st.floats(0, 1)))


def lived(selector, listed, history, in_flight):
    """A selector after these calls, with every bound as of now."""
    for _ in range(2):  # who is enrolled again leaves nothing to wait
        for arm in ARMS:
            selector.enroll(arm, expected_quality=listed[arm])
        for arm, category, quality in history:
            selector.settle(arm, quality=quality, cost_usd=None, latency_s=None, context=Context(category))
        history = ()
    for arm, number in in_flight.items():
        for _ in range(number):
            selector.begin(arm)
    selector.enroll("a", expected_quality=listed["a"])
    return selector


def belief(arm, listed, history, in_flight):
    """Mean, and trials with ten for what was listed and those in flight."""
    results = [quality for who, _, quality in history if who == arm]
    weight = 0 if listed[arm] is None else 10
    number = len(results) + weight
    mean = (sum(results) + weight * (listed[arm] or 0.0)) / number if number else 0.5
    return mean, number + in_flight.get(arm, 0)


def assert_lies(bound, mean, nats):
    """The bound is as many nats above the mean as allowed, to within its own exactness."""
    assert bound >= mean - 1e-6
    assert bound > 1 - 2e-4 or abs(divergence(mean, bound) - nats) < 5e-3 + nats / 20


@settings(max_examples=60, deadline=None)
@given(listed=listings, history=calls, in_flight=flights)
def test_every_bound_of_kl_ucb_is_the_formulas(listed, history, in_flight):
    """n KL(mean, bound) = ln+(t / (K n)), whatever has happened; who was never asked comes before all."""
    figures = lived(KLUCBSelector(objective=QUALITY_ALONE), listed, history, in_flight).statistics()
    total = len(history) + sum(in_flight.values())
    for arm in ARMS:
        mean, trials = belief(arm, listed, history, in_flight)
        if not trials:
            assert figures[arm]["optimistic_quality"] == UNTRIED
            continue
        allowed = math.log(max(total / (len(ARMS) * trials), 1.0)) / trials
        assert_lies(figures[arm]["optimistic_quality"], mean, allowed)


@settings(max_examples=60, deadline=None)
@given(listed=listings, history=calls, in_flight=flights, pooling=st.floats(0.5, 50))
def test_every_bound_of_a_category_is_the_formulas(listed, history, in_flight, pooling):
    """What an arm did elsewhere counts as `pooling` results of its mean at most."""
    selector = lived(CategorySelector(pooling, objective=QUALITY_ALONE), listed, history, in_flight)
    choice = selector.choose(selector.slate(list(ARMS)), np.random.default_rng(0), context=Context("x"))
    if not any(category == "x" for _, category, _ in history):
        return
    cells = {}
    for arm in ARMS:
        mean, trials = belief(arm, listed, history, in_flight)
        here = [quality for who, category, quality in history if (who, category) == (arm, "x")]
        elsewhere = min(max(trials - len(here), 0.0), pooling)
        n = len(here) + elsewhere
        cells[arm] = ((sum(here) + elsewhere * mean) / n if n else 0.5, n)
    total = sum(n for _, n in cells.values())
    for score, (mean, n) in zip(choice.scores, cells.values(), strict=True):
        if n:
            assert_lies(score, mean, math.log(max(total / (len(ARMS) * n), 1.0)) / n)
        else:
            assert score == UNTRIED
