"""The pool model."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.selectors import Context, PoolSelector
from orchestrator.selectors.pool_evidence import Evidence, facts_of
from orchestrator.selectors.pool_fit import fitting


def rng(seed=0):
    return np.random.default_rng(seed)


def pool(*arms, **options):
    """A pool of arms, by name."""
    selector = PoolSelector(**options)
    for arm in arms:
        selector.enroll(arm)
    return selector


def settle(selector, arm, quality, *, times=1, category=None, cost_usd=None):
    for _ in range(times):
        context = None if category is None else Context(category)
        selector.settle(arm, quality=quality, cost_usd=cost_usd, latency_s=None, context=context)


def drained(work):
    """What a generator of pieces returns in the end."""
    try:
        while True:
            next(work)
    except StopIteration as done:
        return done.value


def chosen(selector, arms, category=None):
    context = None if category is None else Context(category)
    return selector.choose(selector.slate(arms), rng(), context=context).arm


def share_of_best(selector, qualities, *, rounds, seed, delay=0):
    """Play Bernoulli arms; the share of calls to the best in the second half."""
    arms, world, waiting, picks = list(qualities), rng(seed), [], []
    slate = selector.slate(arms)
    for _ in range(rounds):
        arm = selector.choose(slate, world).arm
        selector.begin(arm)
        picks.append(arm)
        waiting.append((arm, float(world.random() < qualities[arm])))
        if len(waiting) > delay:
            settle(selector, *waiting.pop(0))
    best = max(qualities, key=qualities.get)
    return np.mean([arm == best for arm in picks[rounds // 2 :]])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("delay", [0, 50])
def test_it_finds_the_best_of_eight(seed, delay):
    """With a gap of .3, two thirds of the second half go to the best, be the results fifty rounds late."""
    qualities = {f"m{number}": 0.55 for number in range(7)} | {"best": 0.85}
    assert share_of_best(pool(*qualities), qualities, rounds=600, seed=seed, delay=delay) > 2 / 3


def test_concurrent_calls_spread():
    """While nothing is known every arm gets its calls: 64 in flight over eight arms are eight each."""
    arms = [f"m{number}" for number in range(8)]
    selector = pool(*arms)
    slate = selector.slate(arms)
    for _ in range(64):
        selector.begin(selector.choose(slate, rng()).arm)
    assert [figures["pending"] for figures in selector.statistics().values()] == [8] * 8


def test_a_good_catalogue_is_followed_and_a_bad_one_is_turned_round():
    """The slope is learnt: it stays near 1 where the catalogue is right and falls below 0 where it is upside down."""
    expected = {f"m{number}": 0.3 + 0.06 * number for number in range(10)}
    for turned in (False, True):
        selector = PoolSelector()
        for arm, quality in expected.items():
            selector.enroll(arm, expected_quality=quality)
        assert chosen(selector, list(expected)) == "m9"
        for arm, quality in expected.items():
            settle(selector, arm, 1.14 - quality if turned else quality, times=40)
        assert (selector.learnt.slope < 0) == turned
        assert chosen(selector, list(expected)) == ("m0" if turned else "m9")


def test_the_difficulty_of_a_category_is_nobodys_fault():
    """An arm that got the hard questions is believed to be as good as one that got the easy ones."""
    selector = pool("a", "b", "both", by_category=False)
    settle(selector, "both", 0.9, times=200, category="easy")
    settle(selector, "both", 0.3, times=200, category="hard")
    settle(selector, "a", 0.9, times=50, category="easy")
    settle(selector, "b", 0.3, times=50, category="hard")
    figures = selector.statistics()
    assert figures["a"]["mean_quality"] - figures["b"]["mean_quality"] == pytest.approx(0.6)
    assert abs(figures["a"]["believed_quality"] - figures["b"]["believed_quality"]) < 0.15


def test_each_category_has_its_own_best():
    """Two arms that are level in the mean are told apart by what is asked."""
    selector = pool("a", "b")
    for category, good, bad in (("maths", "a", "b"), ("prose", "b", "a")) * 40:
        settle(selector, good, 0.9, category=category)
        settle(selector, bad, 0.3, category=category)
    assert [chosen(selector, ["a", "b"], category) for category in ("maths", "prose")] == ["a", "b"]
    assert selector.learnt.deviation > 0.01


def test_a_few_candidates_and_all_of_them_get_the_same_scores():
    """The short way and the vector agree, with a category and without."""
    arms = ["a", "b", "c"]
    selector = pool(*arms)
    for number, arm in enumerate(arms * 20):
        settle(selector, arm, (number * 7 % 10) / 10, category="xy"[number % 2], cost_usd=0.01 * (number % 3))
    slate = selector.slate(arms)
    for context in (None, Context("x"), Context("unknown")):
        few = selector.choose(slate, rng(), context=context).scores
        all_of_them = selector.choose(slate, rng(), selector.objective, context=context).scores
        assert list(few) == pytest.approx(list(all_of_them))


history = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None]), st.floats(0, 1) | st.sampled_from([0.0, 1.0])),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(history=history)
def test_the_beliefs_are_those_of_a_naive_twin(history):
    """Posterior means from raw results, by the formula in the docstring, after any history."""
    selector = pool("a", "b", "c", change_test=False)
    for arm, category, quality in history:
        settle(selector, arm, quality, category=category)
    fit, figures = selector.learnt, selector.statistics()
    names = list(dict.fromkeys(category for _, category, _ in history if category is not None))
    for place, arm in enumerate("abc"):
        own = [(category, quality) for who, category, quality in history if who == arm]
        owed = sum(fit.difficulty[names.index(category)] for category, _ in own if category is not None)
        weight, mean = fit.weight[place], fit.mean[place]
        mu = (sum(quality for _, quality in own) - owed + weight * mean) / (len(own) + weight)
        assert figures[arm]["believed_quality"] == pytest.approx(min(max(mu, 0.002), 0.998), abs=1e-9)
        assert figures[arm]["trials"] == pytest.approx(len(own) + weight)


@given(
    history=history,
    listed=st.lists(st.floats(0, 1) | st.just(math.nan), min_size=3, max_size=3),
    costs=st.lists(st.floats(0, 1e15) | st.just(math.nan), min_size=3, max_size=3),
)
def test_the_fit_is_finite_whatever_the_results(history, listed, costs):
    """Weights at least one half, expected qualities inside (0, 1), noise at most 1, nothing NaN."""
    sums = {arm: [quality for who, _, quality in history if who == arm] for arm in "abc"}
    columns = [[f(sums[arm]) for arm in "abc"] for f in (len, sum, lambda seen: sum(q * q for q in seen))]
    evidence = Evidence(
        *np.array(columns, dtype=float), np.array(listed), np.array(costs), np.zeros((0, 3)), np.zeros((0, 3))
    )
    fit = drained(fitting(evidence))
    assert (fit.weight >= 0.5).all()
    assert ((fit.mean > 0) & (fit.mean < 1)).all()
    assert 0 < fit.noise <= 1
    assert all(math.isfinite(number) for number in (fit.spread, fit.level, fit.slope, fit.deviation))


def test_what_is_not_known_of_a_model_counts_as_the_mean():
    """Qualities of a catalogue and logarithms of prices, from their means; no price is taken for e^4 times the mean."""
    facts = drained(facts_of(np.array([0.4, 0.8, math.nan, math.nan]), np.array([1.0, math.nan, math.e**2, 0.0])))
    assert facts == pytest.approx(np.array([[1, -0.2, -1], [1, 0.2, 0], [1, 0, 1], [1, 0, 0]]))
    unlisted = drained(facts_of(np.full(3, math.nan), np.array([1e-9, 1.0, 1e9])))
    assert unlisted == pytest.approx(np.array([[1, 0, -4], [1, 0, 0], [1, 0, 4]]))


def test_memories_merge_category_by_category():
    """Two halves make one whole, though the arm comes after its memory."""
    whole, halves, late = pool("a", "b"), [pool("a", "b"), pool("a", "b")], PoolSelector()
    for number in range(60):
        arm, category, quality = "ab"[number % 2], "xyz"[number % 3], (number % 5) / 5
        settle(whole, arm, quality, category=category)
        settle(halves[number % 2], arm, quality, category=category)
    for half in halves:
        late.merge(json.loads(json.dumps(half.state())))
    for arm in "ab":
        late.enroll(arm)
    assert late.learnt.difficulty.sum() == pytest.approx(whole.learnt.difficulty.sum())
    assert late.statistics()["a"]["believed_quality"] == pytest.approx(whole.statistics()["a"]["believed_quality"])
    assert late.state()["arms"].keys() == whole.state()["arms"].keys()


@pytest.mark.parametrize("poison", [None, 3, {"x": "1"}, {"x": [2, 5]}, {"x": [-1, -2]}, {"x": [math.nan, 0]}, [1]])
def test_poisoned_categories_are_left_out(poison):
    """The arm's sums count all the same."""
    teacher, pupil = pool("a"), pool("a")
    settle(teacher, "a", 0.5, category="x")
    state = teacher.state()
    state["arms"]["a"]["by_category"] = poison
    pupil.merge(state)
    assert pupil.statistics()["a"]["mean_quality"] == 0.5
    assert "by_category" not in pupil.state()["arms"]["a"]


def test_a_thousand_categories_share_what_room_there_is():
    """Category names may come from users: memory stays bounded."""
    selector = pool("a", "b")
    for number in range(1_000):
        settle(selector, "ab"[number % 2], 0.5, category=f"c{number}")
    assert len(selector.state()["arms"]["a"]["by_category"]) <= 256
    assert chosen(selector, ["a", "b"], "c999") in {"a", "b"}


def test_a_model_that_falls_is_left_and_gets_its_past_back():
    """It is asked again at set times, and at once again after a good answer."""
    arms = [f"m{number}" for number in range(8)]
    qualities = dict.fromkeys(arms, 0.6) | {"m3": 0.95}
    selector, world, picks = pool(*arms), rng(1), []
    slate = selector.slate(arms)
    for round_ in range(1_200):
        arm = selector.choose(slate, world).arm
        down = arm == "m3" and 500 <= round_ < 800
        settle(selector, arm, 0.0 if down else float(world.random() < qualities[arm]))
        picks.append(arm)
    assert picks[400:500].count("m3") > 70
    assert picks[500:600].count("m3") <= 20
    assert 1 <= picks[600:800].count("m3") <= 20
    assert picks[900:].count("m3") > 200


def test_a_newcomer_of_bad_repute_is_heard_and_no_more():
    """Eight calls within a hundred rounds, whatever is expected of it."""
    arms = [f"m{number}" for number in range(4)]
    selector, picks = pool(*arms, change_test=False), []
    for arm in arms:
        settle(selector, arm, 0.9, times=200)
    selector.enroll("new", expected_quality=0.05)
    slate = selector.slate([*arms, "new"])
    for _ in range(100):
        arm = selector.choose(slate, rng()).arm
        selector.begin(arm)
        settle(selector, arm, 0.9 if arm != "new" else 0.0)
        picks.append(arm)
    assert 8 <= picks.count("new") <= 12


def test_untried_arms_wait_their_turn_while_work_is_spread():
    """Between two rounds of the shared work scores stay finite and every arm keeps one."""
    arms = [f"m{number}" for number in range(25)]
    selector, world = pool(*arms), rng(2)
    slate = selector.slate(arms)
    for round_ in range(300):
        choice = selector.choose(slate, world)
        assert len(choice.scores) == 25
        assert all(math.isfinite(score) for score in choice.scores)
        selector.begin(choice.arm)
        settle(selector, choice.arm, float(world.random() < 0.5))
        if round_ == 150:
            selector.retire("m3")
            selector.enroll("m3")
            slate = selector.slate(arms)


class CountingPool(PoolSelector):
    """Counts the bounds it works out, and the times that a whole fit takes its place."""

    bounds = fits = 0

    def upper(self, arm):
        self.bounds += 1
        return super().upper(arm)

    def _place(self, known, rows, fit):
        self.fits += 1
        yield from super()._place(known, rows, fit)


@pytest.mark.parametrize("number", [25, 100, 300])
def test_no_decision_pays_for_all(number):
    """Once everybody is seated a decision works out four bounds, its own and three in turn, and fits follow all along."""
    selector, world = CountingPool(), rng(3)
    arms = [f"m{place}" for place in range(number)]
    selector.enroll_many({arm: {"expected_cost_usd": 0.01} for arm in arms})
    slate = selector.slate(arms)
    selector.choose(slate, world)
    selector.fits, most = 0, 0
    for call in range(100 + 3 * number):
        selector.bounds = 0
        arm = selector.choose(slate, world).arm
        most = max(most, selector.bounds)
        selector.begin(arm)
        settle(selector, arm, float(world.random() < 0.6), category=f"c{call % 5}", cost_usd=0.01)
    assert most <= 5  # and one who is asked at a set time
    assert selector.fits >= 2


def test_a_crowd_of_newcomers_is_heard_one_by_one():
    """Two hundred come to a pool that has learnt: each is asked at once, and no decision goes through all that wait."""
    selector, world = CountingPool(), rng(4)
    arms = [f"m{place}" for place in range(220)]
    selector.enroll_many({arm: {"expected_quality": 0.9} for arm in arms[:20]})
    for arm in arms[:20]:
        settle(selector, arm, 0.9, times=5)
    selector.enroll_many({arm: {"expected_quality": 0.5} for arm in arms[20:]})
    slate, asked, most = selector.slate(arms), [], 0
    selector.choose(slate, world)
    for _ in range(200):
        selector.bounds = 0
        asked.append(selector.choose(slate, world).arm)
        most = max(most, selector.bounds)
        selector.begin(asked[-1])
        settle(selector, asked[-1], 0.5)
    assert most <= 6  # its own, three in turn, and those whose next call is due
    assert set(asked[:20]) <= set(arms[20:])


def test_a_fall_does_not_cost_what_was_learnt_elsewhere():
    """Results merged from another process count again after a recovery, though this one never heard of them."""
    teacher, selector = pool("a"), pool("a", "b", change_test=True)
    settle(teacher, "a", 1.0, times=100)
    settle(selector, "a", 1.0, times=20)
    selector.merge(teacher.state())
    settle(selector, "a", 0.0, times=10)
    fallen = selector.statistics()["a"]
    settle(selector, "a", 1.0, times=10)
    back = selector.statistics()["a"]
    assert (fallen["fallen"], back["fallen"]) == (1, 0)
    assert fallen["trials"] < 30
    assert back["trials"] > 120
    assert back["believed_quality"] > 0.95


def test_the_dearer_is_taken_for_better_until_results_say_otherwise():
    """Prices alone rank models that nobody has asked; when quality falls with the price, the line turns."""
    prices = {f"m{number}": 0.001 * 4**number for number in range(6)}
    selector = PoolSelector()
    for arm, cost_usd in prices.items():
        selector.enroll(arm, expected_cost_usd=cost_usd)
    before = [figures["prior_quality"] for figures in selector.statistics().values()]
    slope = selector.learnt.price_slope
    for number, (arm, cost_usd) in enumerate(prices.items()):
        settle(selector, arm, 0.9 - 0.1 * number, times=30, cost_usd=cost_usd)
    assert before == sorted(before)
    assert slope > 0 > selector.learnt.price_slope


def test_a_free_model_is_expected_to_be_like_the_others():
    """No price is no sign of anything."""
    selector = PoolSelector()
    for arm, cost_usd in (("cheap", 0.001), ("free", 0.0), ("unknown", None), ("dear", 0.1)):
        selector.enroll(arm, expected_cost_usd=cost_usd)
    assert selector.learnt.price_slope > 0
    cheap, free, unknown, dear = (figures["prior_quality"] for figures in selector.statistics().values())
    assert free == pytest.approx(unknown)
    assert cheap < free < dear


def test_one_kind_of_request_leaves_nothing_to_deviate_from():
    """With a single category the scores are those without one, however unlike its prior an arm is."""
    selector = pool("a", "b")
    settle(selector, "a", 1.0, times=100, category="x")
    settle(selector, "b", 0.0, times=5, category="x")
    assert selector.learnt.deviation == 0
    slate = selector.slate(["a", "b"])
    plain, within = (list(selector.choose(slate, rng(), context=context).scores) for context in (None, Context("x")))
    assert within == pytest.approx(plain, abs=1e-6)


class Leaving(PoolSelector):
    """One model leaves while its bound, or its figures, are being worked out: as in another thread."""

    leaving = None

    def upper(self, arm):
        self._leave(arm)
        return super().upper(arm)

    def facts(self, arm):
        self._leave(arm)
        return super().facts(arm)

    def _leave(self, arm):
        if arm.name == self.leaving:
            self.leaving = None
            self.retire(arm.name)


@pytest.mark.parametrize("arms", ["ab", "a"])
def test_a_model_may_leave_in_the_middle_of_a_choice(arms):
    """The others are chosen from; where there are none, that is what is said."""
    selector = Leaving()
    for arm in arms:
        selector.enroll(arm)
    slate, selector.leaving = selector.slate(arms), "a"
    if arms == "a":
        with pytest.raises(ValueError, match="No models available"):
            selector.choose(slate, rng())
    else:
        assert selector.choose(slate, rng()).arm == "b"
    assert selector.leaving is None


def test_a_model_may_leave_while_figures_are_read():
    """Those who stay are told of."""
    selector = Leaving()
    for arm in "ab":
        selector.enroll(arm)
    selector.statistics()
    selector.leaving = "a"
    assert selector.statistics()["b"]["pulls"] == 0
    assert set(selector.statistics()) == {"b"}


class LeavingAtTheTill(PoolSelector):
    """All but `stays` leave once a first choice is made, before the rest of the limits have their say."""

    stays = "z"

    def _leave(self):
        for name in set(self._known) - {self.stays}:
            self.retire(name)

    def appeal(self, *args):
        self._leave()
        return super().appeal(*args)

    def plausible(self, slate, choice):
        self._leave()
        return super().plausible(slate, choice)

    def own_pending(self, arm):
        self._leave()
        return super().own_pending(arm)


@pytest.mark.parametrize("limits", [{"floor": 1.0}, {"budget_usd": 1.0}], ids=str)
def test_models_may_leave_before_a_limit_has_its_say(limits):
    """Somebody is named all the same; whoever asked finds that he has left, and asks again."""
    selector = LeavingAtTheTill(**limits)
    for arm in "ab":
        selector.enroll(arm, expected_cost_usd=0.01)
    assert selector.choose(selector.slate("ab"), rng()).arm in "ab"


def test_models_may_leave_while_credit_is_counted():
    """Calls of those who stay are charged."""
    selector = LeavingAtTheTill(budget_usd=1.0)
    selector.stays = "a"
    for arm in "ab":
        selector.enroll(arm, expected_cost_usd=0.25)
    selector.choose(selector.slate("a"), rng())
    selector.enroll("b")
    selector.begin("a")
    assert selector.credit_usd == pytest.approx(0.75)
