"""What a selector promises about a choice, and about arms that come and go."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.core.outcome import Objective
from orchestrator.selectors.selector import ModelSelector
from orchestrator.testing.contracts.selector_play import ARMS, SelectorSuite, play, rng, settle

__all__ = ["Choosing"]


class Choosing(SelectorSuite):
    """The choice itself, and a slate whose arms have changed since it was made."""

    def test_a_choice_is_one_of_the_slate_and_carries_the_scores(self, selector: ModelSelector) -> None:
        """The chosen arm is a candidate, its score is the largest, and there is one score a candidate."""
        slate = selector.slate(["d", "b"])
        for _ in range(20):
            choice = selector.choose(slate, rng())
            assert choice.arm in slate.arms
            assert len(choice.scores) == 2
            assert choice.score == choice.scores[slate.arms.index(choice.arm)] == max(choice.scores)

    def test_the_scores_of_a_choice_stay_as_they_were(self, selector: ModelSelector) -> None:
        """An explanation read later shows the numbers that decided, not those of a later choice."""
        slate = selector.slate(ARMS)
        choice = selector.choose(slate, rng())
        before = list(choice.scores)
        play(selector, ARMS, 10)
        assert list(choice.scores) == before

    def test_a_single_candidate_is_chosen(self, selector: ModelSelector) -> None:
        """With one candidate there is nothing to decide."""
        assert selector.choose(selector.slate(["c"]), rng()).arm == "c"

    def test_an_empty_slate_is_an_error_that_says_so(self, selector: ModelSelector) -> None:
        """Nobody to choose from: ValueError, before and after there are arms."""
        with pytest.raises(ValueError, match="No models available"):
            selector.choose(selector.slate([]), rng())
        with pytest.raises(ValueError, match="No models available"):
            self.make().choose(self.make().slate([]), rng())

    def test_a_stranger_on_the_slate_is_never_chosen(self, selector: ModelSelector) -> None:
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

    def test_a_deterministic_policy_has_propensity_one(self, selector: ModelSelector) -> None:
        """A policy without draws chooses what it chooses with certainty; another may not know."""
        propensity = selector.choose(selector.slate(ARMS), rng()).propensity
        assert propensity == 1.0 if selector.deterministic else propensity is None or 0 < propensity <= 1

    def test_the_same_seed_gives_the_same_run(self) -> None:
        """All randomness comes in as an argument."""
        runs = []
        for _ in range(2):
            selector = self.make()
            for arm in ARMS:
                selector.enroll(arm)
            runs.append(play(selector, ARMS, 60, seed=5))
        assert runs[0] == runs[1]

    def test_a_choice_changes_nothing(self, selector: ModelSelector) -> None:
        """Choosing is reading: only begin, settle and their like are remembered."""
        before = selector.statistics()
        play(selector, ARMS, 10, pull=False)
        assert selector.statistics() == before

    def test_the_order_names_each_candidate_once(self, selector: ModelSelector) -> None:
        """Failover goes through all candidates."""
        assert sorted(selector.order(selector.slate(ARMS), rng())) == list(ARMS)
        assert sorted(selector.order(selector.slate(["b", "d"]), rng())) == ["b", "d"]

    def test_the_order_starts_with_the_choice(self, selector: ModelSelector) -> None:
        """Both come from the same scores."""
        play(selector, ARMS, 30)
        slate = selector.slate(ARMS)
        assert selector.order(slate, rng(3))[0] == selector.choose(slate, rng(3)).arm

    def test_another_objective_can_be_given_for_one_choice(self, selector: ModelSelector) -> None:
        """A request may weigh cost and latency in its own way."""
        play(selector, ARMS, 20)
        choice = selector.choose(selector.slate(ARMS), rng(), Objective(quality=1, cost=3, latency=2))
        assert choice.arm in ARMS
        assert not np.isnan(choice.scores).any()

    # arms come and go

    def test_an_arm_may_leave_while_its_calls_are_under_way(self, selector: ModelSelector) -> None:
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

    def test_a_slate_made_before_an_arm_left_never_yields_it(self, selector: ModelSelector) -> None:
        """A stale slate still works and stays aligned with its own arms."""
        stale = selector.slate(ARMS)
        selector.retire("a")
        choice = selector.choose(stale, rng())
        assert choice.arm in {"b", "c", "d"}
        assert len(choice.scores) == 4
        assert choice.scores[0] == -math.inf
        assert "a" not in selector.order(stale, rng())

    def test_a_stale_slate_whose_arms_have_all_left_is_an_error(self, selector: ModelSelector) -> None:
        """Nobody is left to choose."""
        stale = selector.slate(["a"])
        selector.retire("a")
        with pytest.raises(ValueError, match=r"No models available.*'a'"):
            selector.choose(stale, rng())

    def test_a_newcomer_takes_a_row_over_without_its_past(self, selector: ModelSelector) -> None:
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

    def test_enrolling_again_corrects_facts_and_keeps_what_was_learnt(self, selector: ModelSelector) -> None:
        """A second enroll is not a second arm."""
        settle(selector, "a")
        selector.enroll("a", expected_cost_usd=0.02, streams=True)
        assert selector.statistics()["a"]["pulls"] == 1
        assert len(selector.statistics()) == len(ARMS)
