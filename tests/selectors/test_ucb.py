"""UCB: what it costs to learn, how calls in flight spread, what the formula says at its edges."""

import math
from collections import Counter
from copy import deepcopy

import numpy as np
import pytest

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors import UCBModelSelector
from orchestrator.selectors.floor import Floored
from orchestrator.selectors.slate import FEW

QUALITY_ONLY = Objective(quality=1, cost=0, latency=0)
TEXTBOOK = {"min_trials": 10**9, "objective": QUALITY_ONLY}  # never enough trials for the variance: UCB1
MEANS = (0.9, 0.8, 0.7, 0.6, 0.5)
WITHIN = 0.011  # steps of a hundredth


def enrolled(selector, arms):
    """The selector with these arms, and their slate."""
    for arm in arms:
        selector.enroll(arm)
    return selector, selector.slate(arms)


def choices(selector, means, rounds, *, seed):
    """Arms chosen in a world of right and wrong answers with these probabilities."""
    arms = tuple(f"m{number}" for number in range(len(means)))
    selector, slate = enrolled(selector, arms)
    world = np.random.default_rng(seed)
    chosen = np.empty(rounds, dtype=int)
    for number in range(rounds):
        arm = selector.choose(slate, world).arm
        chosen[number] = arms.index(arm)
        selector.begin(arm)
        right = float(world.random() < means[chosen[number]])
        selector.settle(arm, quality=right, cost_usd=None, latency_s=None)
    return chosen


def regret(chosen, means):
    """Expected answers lost against always asking the best arm."""
    return float((max(means) - np.array(means)[chosen]).sum())


def balanced_regret(means, rounds, *, spreads, c=2.0):
    """The regret at which all indices are equal: what UCB tends to, as each choice levels them (bisection)."""
    log = c * math.log(rounds)

    def calls(level):
        return [log * spread / (level - mean) ** 2 for mean, spread in zip(means, spreads, strict=True)]

    low, high = max(means) + 1e-9, max(means) + 10
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if sum(calls(level)) > rounds else (low, level)
    return sum((max(means) - mean) * count for mean, count in zip(means, calls(low), strict=True))


def test_regret_stays_below_what_the_radius_allows():
    """An arm is left when its radius falls below its gap: regret below the sum of c ln(T) / gap, 355, in any run.

    Choosing at random loses 1,000. In the mean it is what balances the indices: 180 for UCB1, and 190 with the
    variance, whose narrower best arm hides the others less; 220 leaves three standard errors (seeds scatter by 20).
    """
    ceiling = 2 * math.log(5_000) * sum(1 / (0.9 - mean) for mean in MEANS[1:])
    spreads = [min(1.0, 4 * mean * (1 - mean) + 0.08) for mean in MEANS]
    assert balanced_regret(MEANS, 5_000, spreads=[1.0] * 5) == pytest.approx(180, abs=3)
    assert balanced_regret(MEANS, 5_000, spreads=spreads) == pytest.approx(190, abs=5)
    regrets = [regret(choices(UCBModelSelector(objective=QUALITY_ONLY), MEANS, 5_000, seed=s), MEANS) for s in range(5)]
    assert max(regrets) < ceiling
    assert np.mean(regrets) < 220


def test_steady_arms_are_told_apart_sooner():
    """Ratings that vary little need a narrower radius: at least 30 % fewer calls of the worse arm than UCB1's."""
    worse = {}
    for name, selector in (
        ("aware", UCBModelSelector(objective=QUALITY_ONLY)),
        ("plain", UCBModelSelector(**TEXTBOOK)),
    ):
        selector, slate = enrolled(selector, ("worse", "better"))
        ratings, chosen = np.random.default_rng(0).normal(0, 0.05, 2_000), []
        for noise in ratings:
            chosen.append(selector.choose(slate, np.random.default_rng(0)).arm)
            quality = (0.8 if chosen[-1] == "better" else 0.7) + min(0.2, max(-0.2, noise))
            selector.settle(chosen[-1], quality=quality, cost_usd=None, latency_s=None)
        worse[name] = chosen.count("worse")
    assert worse["aware"] < 0.7 * worse["plain"]


@pytest.mark.parametrize("seed", range(8))
def test_the_better_of_two_wins_within_three_hundred(seed):
    """At gap .4 the radius allows 2 ln(300) / .16 = 71 calls of the worse arm, nearly all of them before the end."""
    last = choices(UCBModelSelector(), (0.5, 0.9), 300, seed=seed)[-100:]
    assert (last == 1).mean() > 0.8


def test_a_gap_of_a_quarter_without_noise_is_learnt_within_three_hundred():
    """For steady arms at .65 and .9 the two indices meet at 53 calls of the worse one in 300, 10 in the last 100."""
    selector, slate = enrolled(UCBModelSelector(**TEXTBOOK), ("worse", "better"))
    chosen = []
    for _ in range(300):
        chosen.append(selector.choose(slate, np.random.default_rng(0)).arm)
        selector.settle(chosen[-1], quality=0.9 if chosen[-1] == "better" else 0.65, cost_usd=None, latency_s=None)
    assert 48 <= chosen.count("worse") <= 58
    assert chosen[-100:].count("better") > 80


def test_unknown_arms_in_flight_spread_evenly():
    """64 choices before the first answer go to four unknown arms 16 times each."""
    selector, slate = enrolled(UCBModelSelector(), ("a", "b", "c", "d"))
    chosen = Counter()
    for _ in range(64):
        arm = selector.choose(slate, np.random.default_rng(0)).arm
        selector.begin(arm)
        chosen[arm] += 1
    assert set(chosen.values()) == {16}


def test_known_equals_in_flight_spread_evenly_too():
    """A call in flight counts as a try at the arm's own mean."""
    selector, slate = enrolled(UCBModelSelector(), ("a", "b", "c"))
    for arm in slate.arms:
        for quality in (1.0, 0.0, 1.0, 1.0):
            selector.settle(arm, quality=quality, cost_usd=None, latency_s=None)
    chosen = Counter()
    for _ in range(60):
        arm = selector.choose(slate, np.random.default_rng(0)).arm
        selector.begin(arm)
        chosen[arm] += 1
    assert set(chosen.values()) == {20}


def test_a_newcomer_is_asked_first_but_not_by_everybody():
    """While a newcomer's first answers are out, its calls stop at c ln(t) / (gap from 1/2 to the rest)^2."""
    selector, _ = enrolled(UCBModelSelector(objective=QUALITY_ONLY), ("known", "other"))
    for _ in range(1_000):
        for arm in ("known", "other"):
            selector.settle(arm, quality=0.9, cost_usd=None, latency_s=None)
    selector.enroll("new")
    slate = selector.slate(("known", "other", "new"))
    chosen = []
    for _ in range(400):
        chosen.append(selector.choose(slate, np.random.default_rng(0)).arm)
        selector.begin(chosen[-1])
    assert chosen[0] == "new"
    assert 20 < chosen.count("new") < 2 * math.log(2_400) / 0.4**2


def test_ties_go_to_the_first_registered():
    """Unknown equals are asked in the order of the slate."""
    selector, slate = enrolled(UCBModelSelector(), ("x", "a", "m"))
    chosen = []
    for _ in range(3):
        chosen.append(selector.choose(slate, np.random.default_rng(0)).arm)
        selector.begin(chosen[-1])
    assert chosen == ["x", "a", "m"]


def test_of_equal_means_the_less_tried_is_asked():
    """The radius falls with every trial, so equals take turns."""
    selector, slate = enrolled(UCBModelSelector(), ("a", "b"))
    for _ in range(3):
        selector.settle("a", quality=1.0, cost_usd=None, latency_s=None)
    selector.settle("b", quality=1.0, cost_usd=None, latency_s=None)
    assert selector.choose(slate, np.random.default_rng(0)).arm == "b"


def test_without_exploration_the_score_is_the_worth():
    """At radius 0 the score agrees with Objective.worth, cost and latency included."""
    objective = Objective(quality=2, cost=1, latency=0.5)
    selector, slate = enrolled(UCBModelSelector(exploration_factor=0, objective=objective), ("a",))
    for quality in (0.25, 0.75):
        selector.settle("a", quality=quality, cost_usd=0.03, latency_s=4.0)
    score = selector.choose(slate, np.random.default_rng(0)).score
    assert score == pytest.approx(objective.worth(0.5, cost_usd=0.03, latency_s=4.0))


def test_a_foreign_objective_gives_the_scores_of_a_selector_of_its_own():
    """An objective handed to one choice weighs as if the selector had been made with it."""
    other = Objective(quality=1, cost=4, latency=2, cost_scale_usd=0.5, latency_scale_s=1.0)
    one, own = UCBModelSelector(), UCBModelSelector(objective=other)
    for selector in (one, own):
        enrolled(selector, ("a", "b", "c"))
        for number in range(12):
            selector.settle("ab"[number % 2], quality=number / 12, cost_usd=0.1 * number, latency_s=None)
    slate = one.slate(("a", "b", "c"))
    foreign = one.choose(slate, np.random.default_rng(0), other)
    assert foreign.scores[:2] == pytest.approx(own.choose(slate, np.random.default_rng(0)).scores[:2])
    assert foreign.arm == "c"


def test_a_dearer_price_is_felt_at_the_next_choice():
    """Two equal arms: the one whose price rises a hundredfold is left at once."""
    selector = UCBModelSelector(exploration_factor=0.01)
    for arm in ("a", "b"):
        selector.enroll(arm, expected_cost_usd=0.001)
        for _ in range(500):
            selector.settle(arm, quality=1.0, cost_usd=0.001, latency_s=1.0)
    slate, draws = selector.slate(("a", "b")), np.random.default_rng(0)
    assert selector.choose(slate, draws).arm == "a"
    selector.enroll("a", expected_cost_usd=0.1)
    assert selector.choose(slate, draws).arm == "b"


def test_with_a_half_life_a_fallen_arm_is_left_and_its_return_is_noticed():
    """Old results lose half their weight every 100: after a change the better arm has most of the calls again."""
    selector, slate = enrolled(UCBModelSelector(half_life=100, exploration_factor=0.2), ("a", "b"))
    world = np.random.default_rng(1)
    shares = []
    for best in ("a", "b", "a"):
        chosen = []
        for _ in range(1_000):
            chosen.append(selector.choose(slate, world).arm)
            quality = 0.9 if chosen[-1] == best else 0.3
            selector.settle(chosen[-1], quality=quality, cost_usd=None, latency_s=None)
        shares.append(chosen[-300:].count(best) / 300)
    assert min(shares) > 0.8


def test_forgetting_keeps_every_sum_finite():
    """The weight of a new result grows without end and is scaled back on the way; means do not notice."""
    selector, slate = enrolled(UCBModelSelector(half_life=1), ("a", "b"))
    for _ in range(200):  # 2 ** 200 without scaling
        selector.settle("a", quality=0.25, cost_usd=0.5, latency_s=2.0)
    figures = selector.statistics()["a"]
    assert figures["mean_quality"] == pytest.approx(0.25)
    assert figures["mean_cost_usd"] == pytest.approx(0.5)
    assert selector.state()["arms"]["a"]["rated"] < 2
    assert np.isfinite(selector.choose(slate, np.random.default_rng(0)).scores).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("exploration_factor", -0.1),
        ("exploration_factor", math.inf),
        ("exploration_factor", math.nan),
        ("min_trials", 0),
        ("confidence_level", 0.0),
        ("confidence_level", 1.0),
        ("confidence_level", math.nan),
        ("half_life", 0.5),
        ("half_life", math.nan),
    ],
)
def test_an_impossible_option_is_named_with_what_is_accepted(option, value):
    """The message names the option, its value and the range."""
    with pytest.raises(ConfigurationError, match=rf"{option}={value!r}: .*(from|None)"):
        UCBModelSelector(**{option: value})


def test_time_moves_the_radii_in_steps_of_a_hundredth():
    """A radius is that of a number of trials within one hundredth of the true one, whoever the last result was of."""
    selector = UCBModelSelector(**TEXTBOOK)
    choices(selector, MEANS, 3_000, seed=0)
    told = selector.statistics()
    taken_for = [math.exp(arm["radius"] ** 2 * arm["pulls"] / 2) for arm in told.values()]
    assert all(3_000 / 1.0101 <= trials <= 3_000 * 1.0101 for trials in taken_for), taken_for
    assert max(taken_for) == pytest.approx(min(taken_for))


@pytest.mark.parametrize("arms", [3, FEW, FEW + 1, 3 * FEW])
def test_all_in_their_own_order_score_as_they_do_in_any_other(arms):
    """The short way for the whole table, that for a few of it and the vector come to the same, while arms come and go."""
    selector, world = UCBModelSelector(), np.random.default_rng(1)
    names = [f"m{number}" for number in range(arms)]
    enrolled(selector, names)
    for number in range(200):
        if number % 50 == 49:
            selector.retire(names.pop(0))
            selector.enroll(newcomer := f"later {number}")
            names.insert(0, newcomer)  # in the row of who left
        whole, turned = (selector.choose(selector.slate(some), world) for some in (names, names[::-1]))
        assert whole.score == turned.score
        assert list(whole.scores) == list(turned.scores)[::-1]
        selector.begin(whole.arm)
        selector.settle(whole.arm, quality=float(world.random()), cost_usd=0.01, latency_s=1.0)


@pytest.mark.parametrize("half_life", [None, 20])
def test_a_selector_that_lives_scores_as_one_that_was_told_all_at_once(half_life):
    """No score depends on the way there, as long as a hundredth of the trials is less than one."""
    lived, told = (UCBModelSelector(half_life=half_life) for _ in range(2))
    for selector in (lived, told):
        enrolled(selector, ("a", "b", "c"))
    for number in range(90):
        lived.choose(lived.slate(("a", "b", "c")), np.random.default_rng(0))
        for selector in (lived, told):
            selector.settle("abc"[number % 3], quality=number % 2, cost_usd=0.001 * number, latency_s=None)
    scores = [one.choose(one.slate(("a", "b", "c")), np.random.default_rng(0)).scores for one in (lived, told)]
    assert scores[0] == scores[1]


def test_what_old_results_weigh_fades_even_where_no_new_one_is_rated():
    """With a half-life, calls without a quality make the radii grow, as the results on hand count less and less."""
    lived, told = (UCBModelSelector(half_life=10) for _ in range(2))
    for selector in (lived, told):
        enrolled(selector, ("a", "b"))
    for number in range(400):
        lived.choose(lived.slate(("a", "b")), np.random.default_rng(0))
        for selector in (lived, told):
            selector.settle("ab"[number % 2], quality=1.0 if number < 200 else None, cost_usd=None, latency_s=None)
        if number % 50 == 49:
            radii = [selector.statistics()["a"]["radius"] for selector in (lived, deepcopy(told))]
            assert radii[0] == pytest.approx(radii[1], rel=WITHIN), number


class Humble(UCBModelSelector):
    """An heir with scores of its own, which refuse an arm."""

    def scores(self, arms, objective, rng):
        return np.where(arms.mean > 0.9, -np.inf, super().scores(arms, objective, rng))


@pytest.mark.parametrize("arms", [2, FEW + 1])
def test_an_heir_with_scores_of_its_own_chooses_by_them(arms):
    """The short way of the policy is not the heir's."""
    selector, slate = enrolled(Humble(), [f"m{number}" for number in range(arms)])
    for arm in slate.arms:
        selector.settle(arm, quality=float(arm == "m1"), cost_usd=None, latency_s=None)
    choice = selector.choose(slate, np.random.default_rng(0))
    assert choice.arm != "m1"
    assert choice.scores[1] == -math.inf


class UCBWithFloor(Floored, UCBModelSelector):
    """A layer put over the policy by inheritance."""


def test_a_layer_over_the_policy_has_the_last_word():
    """With a floor of 1 every choice is by lot, and says so."""
    selector, slate = enrolled(UCBWithFloor(), ("a", "b"))
    selector.set_floor(1.0)
    rng = np.random.default_rng(0)
    made = [selector.choose(slate, rng) for _ in range(50)]
    assert {choice.arm for choice in made} == {"a", "b"}
    assert {choice.propensity for choice in made} == {0.5}
