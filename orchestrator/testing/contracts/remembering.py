"""What a selector promises about its memory: JSON that adds up."""

from __future__ import annotations

import json
import math

import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.selectors.selector import ModelSelector
from orchestrator.testing.contracts.selector_play import (
    ARMS,
    SelectorSuite,
    assert_same_numbers,
    numbers_in,
    play,
    rng,
    settle,
)

__all__ = ["Remembering"]


class Remembering(SelectorSuite):
    """States that are saved, merged, read early and poisoned."""

    def test_the_state_is_finite_json(self, selector: ModelSelector) -> None:
        """It survives a round trip through JSON that forbids NaN."""
        play(selector, ARMS, 30)
        state = selector.state()
        assert json.loads(json.dumps(state, allow_nan=False)) == state
        assert all(math.isfinite(number) for number in numbers_in(state))

    def test_merged_states_equal_having_seen_both(self) -> None:
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

    def test_merged_sums_wait_for_their_arm(self) -> None:
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
    def test_a_record_that_cannot_be_true_is_dropped(self, selector: ModelSelector, poison: object) -> None:
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

    def test_a_state_of_another_format_is_refused(self, selector: ModelSelector) -> None:
        """A newer file is not guessed at."""
        with pytest.raises(ConfigurationError, match="format 99"):
            selector.merge({"format": 99, "arms": {}})

    def test_the_statistics_hold_numbers_or_none(self, selector: ModelSelector) -> None:
        """Unknown is None, and what is known is finite."""
        play(selector, ARMS, 25)
        for figures in selector.statistics().values():
            assert {"pulls", "pending", "mean_quality", "mean_cost_usd", "mean_latency_s"} <= figures.keys()
            assert all(value is None or math.isfinite(value) for value in figures.values())
