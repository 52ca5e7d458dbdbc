"""What every selector promises. A plug-in's tests subclass `SelectorContract` and say how to make theirs."""

import asyncio
import json
import math

import numpy as np
import pytest

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.selector import ModelSelector

ARMS = ("a", "b", "c", "d")
BAD_NUMBERS = (math.nan, math.inf, -math.inf, -1.0, -1e-9, 1e300)
BAD_QUALITIES = (math.nan, math.inf, -math.inf, -0.01, 1.01, 7.0)


def rng(seed=0):
    """A generator that starts at the same place each time."""
    return np.random.default_rng(seed)


def play(selector, arms, rounds, *, seed=0, pull=True):
    """Choose, call and settle so many times; quality and cost depend on the arm. Returns the choices."""
    draws, world = rng(seed), rng(seed + 1)
    slate = selector.slate(arms)
    chosen = []
    for _ in range(rounds):
        arm = selector.choose(slate, draws).arm
        chosen.append(arm)
        if pull:
            selector.begin(arm)
            settle(selector, arm, quality=float(world.random() < 0.9 - 0.2 * arms.index(arm)))
    return chosen


def settle(selector, arm, *, quality=1.0, cost_usd=0.01, latency_s=1.0):
    """One call ended, by default well."""
    selector.settle(arm, quality=quality, cost_usd=cost_usd, latency_s=latency_s)


def numbers_in(thing):
    """Every number somewhere inside a JSON-like value."""
    if isinstance(thing, dict | list):
        for value in thing.values() if isinstance(thing, dict) else thing:
            yield from numbers_in(value)
    elif isinstance(thing, int | float):
        yield thing


def assert_same_numbers(left, right):
    """The same keys, and the same numbers up to rounding."""
    if isinstance(left, list):
        assert len(left) == len(right)
        left, right = dict(enumerate(left)), dict(enumerate(right))
    assert left.keys() == right.keys()
    for key, value in left.items():
        if isinstance(value, dict | list):
            assert_same_numbers(value, right[key])
        elif value is None:
            assert right[key] is None, key
        else:
            assert value == pytest.approx(right[key], rel=1e-9, abs=1e-12), key


class SelectorContract:
    """The suite; `make` is all that a subclass adds."""

    def make(self) -> ModelSelector:
        """A fresh selector with the settings under test."""
        raise NotImplementedError

    @pytest.fixture
    def selector(self):
        made = self.make()
        for arm in ARMS:
            made.enroll(arm, expected_cost_usd=0.01)
        return made

    # the choice

    def test_a_choice_is_one_of_the_slate_and_carries_the_scores(self, selector):
        """The chosen arm is a candidate, its score is the largest, and there is one score a candidate."""
        slate = selector.slate(["d", "b"])
        for _ in range(20):
            choice = selector.choose(slate, rng())
            assert choice.arm in slate.arms
            assert len(choice.scores) == 2
            assert choice.score == choice.scores[slate.arms.index(choice.arm)] == max(choice.scores)

    def test_the_scores_of_a_choice_stay_as_they_were(self, selector):
        """An explanation read later shows the numbers that decided, not those of a later choice."""
        slate = selector.slate(ARMS)
        choice = selector.choose(slate, rng())
        before = list(choice.scores)
        play(selector, ARMS, 10)
        assert list(choice.scores) == before

    def test_a_single_candidate_is_chosen(self, selector):
        """With one candidate there is nothing to decide."""
        assert selector.choose(selector.slate(["c"]), rng()).arm == "c"

    def test_an_empty_slate_is_an_error_that_says_so(self, selector):
        """Nobody to choose from: ValueError, before and after there are arms."""
        with pytest.raises(ValueError, match="No models available"):
            selector.choose(selector.slate([]), rng())
        with pytest.raises(ValueError, match="No models available"):
            self.make().choose(self.make().slate([]), rng())

    def test_a_stranger_on_the_slate_is_never_chosen(self, selector):
        """An arm that left while the slate was being made counts as refused, until it is enrolled again."""
        slate = selector.slate(["stranger", "b"])
        choice = selector.choose(slate, rng())
        assert choice.arm == "b"
        assert choice.scores[0] == -math.inf
        only = selector.slate(["stranger"])
        with pytest.raises(ValueError, match=r"No models available.*'stranger'"):
            selector.choose(only, rng())
        selector.enroll("stranger")
        assert selector.choose(only, rng()).arm == "stranger"

    def test_a_deterministic_policy_has_propensity_one(self, selector):
        """A policy without draws chooses what it chooses with certainty; another may not know."""
        propensity = selector.choose(selector.slate(ARMS), rng()).propensity
        assert propensity == 1.0 if selector.deterministic else propensity is None or 0 < propensity <= 1

    def test_the_same_seed_gives_the_same_run(self):
        """All randomness comes in as an argument."""
        runs = []
        for _ in range(2):
            selector = self.make()
            for arm in ARMS:
                selector.enroll(arm)
            runs.append(play(selector, ARMS, 60, seed=5))
        assert runs[0] == runs[1]

    def test_a_choice_changes_nothing(self, selector):
        """Choosing is reading: only begin, settle and their like are remembered."""
        before = selector.statistics()
        play(selector, ARMS, 10, pull=False)
        assert selector.statistics() == before

    def test_the_order_names_each_candidate_once(self, selector):
        """Failover goes through all candidates."""
        assert sorted(selector.order(selector.slate(ARMS), rng())) == list(ARMS)
        assert sorted(selector.order(selector.slate(["b", "d"]), rng())) == ["b", "d"]

    def test_the_order_starts_with_the_choice(self, selector):
        """Both come from the same scores."""
        play(selector, ARMS, 30)
        slate = selector.slate(ARMS)
        assert selector.order(slate, rng(3))[0] == selector.choose(slate, rng(3)).arm

    def test_another_objective_can_be_given_for_one_choice(self, selector):
        """A request may weigh cost and latency in its own way."""
        play(selector, ARMS, 20)
        choice = selector.choose(selector.slate(ARMS), rng(), Objective(quality=1, cost=3, latency=2))
        assert choice.arm in ARMS
        assert not np.isnan(choice.scores).any()

    # arms come and go

    def test_an_arm_may_leave_while_its_calls_are_under_way(self, selector):
        """What becomes of them is ignored and counted; nothing else changes."""
        selector.begin("b")
        selector.retire("b")
        others = selector.statistics()
        settle(selector, "b")
        selector.release("b")
        selector.revise("b", old_quality=1, new_quality=0)
        assert selector.ignored == 3
        assert selector.statistics() == others
        assert "b" not in others

    def test_a_slate_made_before_an_arm_left_never_yields_it(self, selector):
        """A stale slate still works and stays aligned with its own arms."""
        stale = selector.slate(ARMS)
        selector.retire("a")
        choice = selector.choose(stale, rng())
        assert choice.arm in {"b", "c", "d"}
        assert len(choice.scores) == 4
        assert choice.scores[0] == -math.inf
        assert "a" not in selector.order(stale, rng())

    def test_a_stale_slate_whose_arms_have_all_left_is_an_error(self, selector):
        """Nobody is left to choose."""
        stale = selector.slate(["a"])
        selector.retire("a")
        with pytest.raises(ValueError, match=r"No models available.*'a'"):
            selector.choose(stale, rng())

    def test_a_newcomer_takes_a_row_over_without_its_past(self, selector):
        """A retired arm's sums never leak into the arm that comes next, not even one of the same name."""
        play(selector, ARMS, 40)
        selector.begin("a")
        selector.retire("a")
        selector.enroll("e")
        selector.enroll("a")
        for name in ("e", "a"):
            figures = selector.statistics()[name]
            assert figures["pulls"] == figures["pending"] == 0
            assert figures["mean_quality"] is figures["mean_cost_usd"] is figures["mean_latency_s"] is None
        assert set(play(selector, ("a", "b", "c", "d", "e"), 40)) <= {"a", "b", "c", "d", "e"}

    def test_enrolling_again_corrects_facts_and_keeps_what_was_learnt(self, selector):
        """A second enroll is not a second arm."""
        settle(selector, "a")
        selector.enroll("a", expected_cost_usd=0.02, streams=True)
        assert selector.statistics()["a"]["pulls"] == 1
        assert len(selector.statistics()) == len(ARMS)

    # what a call teaches

    def test_a_call_in_flight_counts_until_it_ends(self, selector):
        """Pending rises with begin and falls with settle or release, never below zero."""
        for _ in range(3):
            selector.begin("a")
        assert selector.statistics()["a"]["pending"] == 3
        settle(selector, "a")
        selector.release("a")
        assert selector.statistics()["a"]["pending"] == 1
        for _ in range(5):
            selector.release("a")
        settle(selector, "a")
        assert selector.statistics()["a"]["pending"] == 0

    def test_a_released_call_teaches_nothing(self, selector):
        """After begin and release all is as before."""
        before = selector.statistics()
        selector.begin("a")
        selector.release("a")
        assert selector.statistics() == before

    def test_unknown_quality_teaches_the_rest_only(self, selector):
        """Cost and latency are learnt, quality stays unknown."""
        settle(selector, "a", quality=None, cost_usd=0.01, latency_s=2.0)
        figures = selector.statistics()["a"]
        assert figures["mean_quality"] is None
        assert figures["mean_latency_s"] == 2.0
        assert figures["pulls"] == 1

    @pytest.mark.parametrize("quality", BAD_QUALITIES)
    def test_an_impossible_quality_is_refused_and_its_call_released(self, selector, quality):
        """Quality is a number in [0, 1]; a refusal leaves no trace but its count."""
        before = selector.statistics()
        selector.begin("a")
        with pytest.raises(ValueError, match=r"quality .* for 'a'"):
            settle(selector, "a", quality=quality)
        assert selector.statistics() == before
        assert selector.refused == 1

    @pytest.mark.parametrize("number", BAD_NUMBERS)
    def test_an_impossible_cost_or_latency_is_dropped(self, selector, number):
        """The call counts, its impossible numbers do not."""
        selector.settle("a", quality=1.0, cost_usd=number, latency_s=number, tokens_per_s=number)
        figures = selector.statistics()["a"]
        assert selector.dropped == 3
        assert figures["pulls"] == 1
        assert figures["mean_latency_s"] is figures["tokens_per_s"] is None
        assert figures["mean_cost_usd"] == pytest.approx(0.01)

    @pytest.mark.parametrize("number", BAD_NUMBERS)
    def test_an_impossible_expectation_is_dropped(self, number):
        """A price list may be wrong; unknown is better."""
        selector = self.make()
        selector.enroll("a", expected_cost_usd=number, expected_latency_s=number)
        assert selector.dropped == 2
        assert selector.statistics()["a"]["mean_cost_usd"] is None

    def test_a_late_rating_replaces_what_stood_in_for_it(self, selector):
        """The mean is what it would be had the rating come at once; a rating for nobody's call changes nothing."""
        settle(selector, "a", quality=1.0)
        settle(selector, "a", quality=1.0)
        selector.revise("a", old_quality=1.0, new_quality=0.5)
        assert selector.statistics()["a"]["mean_quality"] == pytest.approx(0.75)
        selector.revise("b", old_quality=1.0, new_quality=0.5)
        assert selector.statistics()["b"]["mean_quality"] is None

    @pytest.mark.parametrize("quality", BAD_QUALITIES)
    def test_an_impossible_rating_is_refused(self, selector, quality):
        """A rating obeys the same bounds as a quality."""
        settle(selector, "a")
        for old, new in ((1.0, quality), (quality, 1.0)):
            with pytest.raises(ValueError, match="quality"):
                selector.revise("a", old_quality=old, new_quality=new)
        assert selector.statistics()["a"]["mean_quality"] == 1.0
        assert selector.refused == 2

    def test_a_price_change_is_followed_at_once(self, selector):
        """What was seen at the old price is rescaled, so that a thousand old calls do not hide the new price."""
        for _ in range(1_000):
            settle(selector, "a", cost_usd=0.02)
        old = selector.statistics()["a"]["mean_cost_usd"]
        selector.enroll("a", expected_cost_usd=0.05)
        assert selector.statistics()["a"]["mean_cost_usd"] == pytest.approx(5 * old)

    async def test_a_thousand_calls_at_once_are_all_counted(self, selector):
        """Choices and begins of concurrent tasks interleave without loss."""
        slate = selector.slate(ARMS)

        async def call(number):
            arm = selector.choose(slate, rng(number)).arm
            selector.begin(arm)
            await asyncio.sleep(0)
            settle(selector, arm)

        tasks = [asyncio.ensure_future(call(number)) for number in range(1_000)]
        await asyncio.sleep(0)
        assert sum(figures["pending"] for figures in selector.statistics().values()) == 1_000
        await asyncio.gather(*tasks)
        statistics = selector.statistics().values()
        assert sum(figures["pulls"] for figures in statistics) == 1_000
        assert sum(figures["pending"] for figures in statistics) == 0

    # memory

    def test_the_state_is_finite_json(self, selector):
        """It survives a round trip through JSON that forbids NaN."""
        play(selector, ARMS, 30)
        state = selector.state()
        assert json.loads(json.dumps(state, allow_nan=False)) == state
        assert all(math.isfinite(number) for number in numbers_in(state))

    def test_merged_states_equal_having_seen_both(self):
        """Sums add, so two processes learn as one; the order of enrolling and merging does not matter."""
        one, two, both, early = self.make(), self.make(), self.make(), self.make()
        for number in range(40):
            arm, quality = ARMS[number % 3], (number * 7 % 11) / 10
            for selector in (one if number % 2 else two, both):
                selector.enroll(arm)
                settle(selector, arm, quality=quality, cost_usd=number / 1_000, latency_s=number / 10)
        early.merge(json.loads(json.dumps(one.state())))
        for arm in ARMS[:3]:
            early.enroll(arm)
        early.merge(two.state())
        one.merge(two.state())
        for merged in (one, early):
            assert_same_numbers(merged.state()["arms"], both.state()["arms"])
            assert_same_numbers(merged.statistics(), both.statistics())
        if both.deterministic:
            scores = [each.choose(each.slate(ARMS[:3]), rng()).scores for each in (one, early, both)]
            assert scores[0] == pytest.approx(scores[2])
            assert scores[1] == pytest.approx(scores[2])

    def test_merged_sums_wait_for_their_arm(self):
        """A state read before the models are registered is neither lost nor counted twice."""
        teacher, pupil = self.make(), self.make()
        teacher.enroll("a")
        settle(teacher, "a", quality=0.25)
        pupil.merge(teacher.state())
        assert pupil.state()["arms"] == teacher.state()["arms"]
        pupil.enroll("a")
        assert pupil.state()["arms"] == teacher.state()["arms"]
        assert pupil.statistics()["a"]["mean_quality"] == 0.25

    @pytest.mark.parametrize("poison", [math.nan, math.inf, -1.0, 1e301, "1", None])
    def test_a_record_that_cannot_be_true_is_dropped(self, selector, poison):
        """One poisoned arm does not spoil the others."""
        teacher = self.make()
        for arm in ("a", "b"):
            teacher.enroll(arm)
            settle(teacher, arm)
        state = teacher.state()
        state["arms"]["a"]["quality_sum"] = poison
        selector.merge(state)
        assert selector.dropped == 1
        assert selector.statistics()["a"]["pulls"] == 0
        assert selector.statistics()["b"]["pulls"] == 1

    def test_a_state_of_another_format_is_refused(self, selector):
        """A newer file is not guessed at."""
        with pytest.raises(ConfigurationError, match="format 99"):
            selector.merge({"format": 99, "arms": {}})

    def test_the_statistics_hold_numbers_or_none(self, selector):
        """Unknown is None, and what is known is finite."""
        play(selector, ARMS, 25)
        for figures in selector.statistics().values():
            assert {"pulls", "pending", "mean_quality", "mean_cost_usd", "mean_latency_s"} <= figures.keys()
            assert all(value is None or math.isfinite(value) for value in figures.values())
