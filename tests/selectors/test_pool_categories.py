"""What the pool knows of single categories: who is better there, what a call costs there, what a catalogue says."""

import json

import numpy as np
import pytest

from orchestrator.core.outcome import Objective
from orchestrator.selectors import Context, PoolSelector


def asked(selector, category, *, arms=("a", "b")):
    """Whom the selector would ask in this category."""
    return selector.choose(selector.slate(arms), np.random.default_rng(0), context=Context(category)).arm


def settle(selector, arm, quality, *, category, times=1, cost_usd=None):
    for _ in range(times):
        selector.settle(arm, quality=quality, cost_usd=cost_usd, latency_s=None, context=Context(category))


def pool(objective=None, **listed):
    selector = PoolSelector(objective=objective)
    for arm, expected in listed.items():
        selector.enroll(arm, expected_quality=expected)
    return selector


@pytest.mark.parametrize("seed", range(3))
def test_a_crossover_of_two_models_is_learnt_within_a_few_hundred_requests(seed):
    """Level in the mean, each right nine times in ten at one kind of request and every second time at the other."""
    selector, world = pool(a=None, b=None), np.random.default_rng(seed)
    right = []
    for _ in range(400):
        category = ("code", "maths")[int(world.integers(2))]
        arm = asked(selector, category)
        best = {"code": "a", "maths": "b"}[category]
        right.append(arm == best)
        selector.begin(arm)
        settle(selector, arm, float(world.random() < (0.9 if arm == best else 0.5)), category=category)
    assert np.mean(right[200:]) > 0.9


def test_deviations_are_learnt_from_all_models_together():
    """What three models show of how far categories drive models apart counts for the fourth."""
    learnt = []
    for apart in (0.0, 0.4):
        selector = pool(a=None, b=None, c=None, d=None)
        for number, arm in enumerate("abc"):
            for place, category in enumerate(("maths", "prose", "code")):
                good = 0.5 + apart * (1 if number == place else -0.5)
                settle(selector, arm, 1.0, category=category, times=round(40 * good))
                settle(selector, arm, 0.0, category=category, times=round(40 * (1 - good)))
        settle(selector, "d", 1.0, category="maths", times=3)
        learnt.append(selector.learnt.deviation)
    assert learnt[1] > 5 * learnt[0] > 0


def test_a_catalogue_by_category_is_followed_from_the_first_request_on():
    """Nothing has been seen, and each category is asked of the model that is listed as better there."""
    selector = pool(a={"code": 0.9, "maths": 0.5}, b={"code": 0.5, "maths": 0.9})
    assert [asked(selector, category) for category in ("code", "maths")] == ["a", "b"]
    assert selector.statistics()["a"]["prior_quality"] == pytest.approx(0.7)


def test_a_catalogue_by_category_that_is_wrong_is_turned_round():
    """Two hundred results say the opposite of what was listed."""
    selector = pool(a={"code": 0.9, "maths": 0.5}, b={"code": 0.5, "maths": 0.9})
    for arm, category, quality in (("a", "code", 0.5), ("a", "maths", 0.9), ("b", "code", 0.9), ("b", "maths", 0.5)):
        settle(selector, arm, 1.0, category=category, times=round(50 * quality))
        settle(selector, arm, 0.0, category=category, times=round(50 * (1 - quality)))
    assert [asked(selector, category) for category in ("code", "maths")] == ["b", "a"]


def test_what_is_listed_for_some_models_leaves_the_others_alone():
    """One by category, one in the mean, one not at all: what the first is worth goes by what is asked."""
    selector = pool(a={"code": 0.8, "maths": 0.6}, b=0.7, c=None)
    settle(selector, "c", 1.0, category="code", times=3)
    figures = selector.statistics()
    assert figures["b"]["prior_quality"] < figures["a"]["prior_quality"] < figures["b"]["prior_quality"] + 0.1
    assert asked(selector, "code", arms=("a", "b")) == "a"


@pytest.mark.parametrize("listed", [{}, {"code": 1.5}, {"code": float("nan")}, {"code": -1.0}])
def test_a_catalogue_that_cannot_be_true_says_nothing(listed):
    """The impossible is counted and dropped, as everywhere."""
    selector = pool(a=listed, b=0.5)
    assert selector.dropped == len(listed)
    assert asked(selector, "code") in {"a", "b"}


def test_a_category_whose_calls_are_dear_is_asked_of_the_cheaper_model():
    """The same two models: where a call costs four times as much, the better one is no longer worth it."""
    selector = pool(Objective(quality=1.0, cost=0.5, latency=0.0, cost_scale_usd=0.1), a=None, b=None)
    for category, times in (("long", 4.0), ("short", 0.25)):
        for arm, cost_usd in (("a", 0.04), ("b", 0.004)):
            for number in range(200):
                quality = float(number % 10 < (9 if arm == "a" else 8))
                settle(selector, arm, quality, category=category, cost_usd=cost_usd * times)
    assert [asked(selector, category) for category in ("short", "long")] == ["a", "b"]
    vector = selector.choose(
        selector.slate(["a", "b"]),
        np.random.default_rng(0),
        Objective(quality=1.0, cost=0.5, latency=0.0, cost_scale_usd=0.1),
        context=Context("long"),
    )
    few = selector.choose(selector.slate(["a", "b"]), np.random.default_rng(0), context=Context("long"))
    assert list(vector.scores) == pytest.approx(list(few.scores))


def test_a_budget_goes_by_what_a_call_costs_in_its_category():
    """The dearer model is asked where it is cheap."""
    selector = pool(a=None, b=None)
    selector.set_budget(0.02)
    world, calls = np.random.default_rng(0), {"long": 0, "short": 0}
    for number in range(600):
        category = ("long", "short")[number % 2]
        arm = asked(selector, category)
        cost_usd = (0.08 if arm == "a" else 0.002) * (1.0 if category == "long" else 0.25)
        selector.begin(arm)
        settle(
            selector, arm, float(world.random() < (0.9 if arm == "a" else 0.6)), category=category, cost_usd=cost_usd
        )
        calls[category] += arm == "a" and number > 200
    assert calls["short"] > 2 * calls["long"]
    assert selector.credit_usd > -0.08


def test_a_budget_is_spent_where_a_dollar_does_most():
    """Where the dearer model is far ahead it is asked, where it is a little ahead the cheaper one does."""
    selector = pool(a=None, b=None)
    selector.set_budget(0.02)
    world, calls = np.random.default_rng(0), {"maths": 0, "prose": 0}
    good = {("a", "maths"): 0.9, ("b", "maths"): 0.4, ("a", "prose"): 0.8, ("b", "prose"): 0.7}
    for number in range(1_200):
        category = ("maths", "prose")[int(world.integers(2))]
        arm = asked(selector, category)
        selector.begin(arm)
        quality = float(world.random() < good[arm, category])
        settle(selector, arm, quality, category=category, cost_usd=0.038 if arm == "a" else 0.002)
        calls[category] += arm == "a" and number >= 400
    assert calls["maths"] > 4 * calls["prose"]
    assert selector.credit_usd > -0.08


def test_costs_by_category_are_saved_and_merged():
    """Two halves are one whole, and a new price rewrites nothing."""
    first, second = pool(a=None, b=None), pool(a=None, b=None)
    for number in range(100):
        for category, cost_usd in (("long", 0.03), ("short", 0.01)):
            settle(first if number % 2 else second, "ab"[number % 3 == 0], 0.5, category=category, cost_usd=cost_usd)
    heir = PoolSelector()
    for selector in (first, second):
        heir.merge(json.loads(json.dumps(selector.state())))
    for arm in "ab":
        heir.enroll(arm, expected_cost_usd=0.02)
    before = heir.state()["arms"]["a"]["by_category"]
    heir.enroll("a", expected_cost_usd=0.2)
    assert heir.state()["arms"]["a"]["by_category"] == before
    assert before["long"][3] / before["long"][2] > 1.5 * before["short"][3] / before["short"][2]


@pytest.mark.parametrize("poison", [[2, 1, 0, 5], [2, 1, -1, 0], [2, 1, 1], [2, 1, 1, float("nan")]])
def test_costs_that_cannot_be_true_are_left_out(poison):
    """The model's other sums count all the same."""
    teacher, pupil = pool(a=None), pool(a=None)
    settle(teacher, "a", 0.5, category="x", cost_usd=0.01)
    state = teacher.state()
    state["arms"]["a"]["by_category"] = {"x": poison}
    pupil.merge(state)
    assert "by_category" not in pupil.state()["arms"]["a"]


@pytest.mark.parametrize("cost_usd", [-1.0, float("nan"), float("inf")])
def test_a_cost_that_is_none_is_in_no_category_either(cost_usd):
    """It is dropped and counted, and the quality beside it counts."""
    selector = pool(a=None)
    settle(selector, "a", 0.5, category="x", cost_usd=cost_usd)
    assert selector.state()["arms"]["a"]["by_category"] == {"x": [1.0, 0.5]}
    assert selector.dropped == 1
