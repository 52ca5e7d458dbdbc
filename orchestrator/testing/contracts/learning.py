"""What a selector promises about the calls it hears of."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.selectors.selector import ModelSelector
from orchestrator.testing.contracts.selector_play import (
    ARMS,
    BAD_NUMBERS,
    BAD_QUALITIES,
    SelectorSuite,
    rng,
    settle,
)

__all__ = ["Learning"]


class Learning(SelectorSuite):
    """Calls in flight, ended, rated late, and rated with what cannot be."""

    def test_a_call_in_flight_counts_until_it_ends(self, selector: ModelSelector) -> None:
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

    def test_a_released_call_teaches_nothing(self, selector: ModelSelector) -> None:
        """After begin and release all is as before."""
        before = selector.statistics()
        selector.begin("a")
        selector.release("a")
        assert selector.statistics() == before

    def test_unknown_quality_teaches_the_rest_only(self, selector: ModelSelector) -> None:
        """Cost and latency are learnt, quality stays unknown."""
        settle(selector, "a", quality=None, cost_usd=0.01, latency_s=2.0)
        figures = selector.statistics()["a"]
        assert figures["mean_quality"] is None
        assert figures["mean_latency_s"] == 2.0
        assert figures["pulls"] == 1

    @pytest.mark.parametrize("quality", BAD_QUALITIES)
    def test_an_impossible_quality_is_refused_and_its_call_released(
        self, selector: ModelSelector, quality: float
    ) -> None:
        """Quality is a number in [0, 1]; a refusal leaves no trace but its count."""
        before = selector.statistics()
        selector.begin("a")
        with pytest.raises(ValueError, match=r"quality .* for 'a'"):
            settle(selector, "a", quality=quality)
        assert selector.statistics() == before
        assert selector.refused == 1

    @pytest.mark.parametrize("number", BAD_NUMBERS)
    def test_an_impossible_cost_or_latency_is_dropped(self, selector: ModelSelector, number: float) -> None:
        """The call counts, its impossible numbers do not."""
        selector.settle("a", quality=1.0, cost_usd=number, latency_s=number, tokens_per_s=number)
        figures = selector.statistics()["a"]
        assert selector.dropped == 3
        assert figures["pulls"] == 1
        assert figures["mean_latency_s"] is figures["tokens_per_s"] is None
        assert figures["mean_cost_usd"] == pytest.approx(0.01)

    @pytest.mark.parametrize("number", BAD_NUMBERS)
    def test_an_impossible_expectation_is_dropped(self, number: float) -> None:
        """A price list may be wrong; unknown is better."""
        selector = self.make()
        selector.enroll("a", expected_cost_usd=number, expected_latency_s=number)
        assert selector.dropped == 2
        assert selector.statistics()["a"]["mean_cost_usd"] is None

    def test_a_late_rating_replaces_what_stood_in_for_it(self, selector: ModelSelector) -> None:
        """The mean is what it would be had the rating come at once; a rating for nobody's call changes nothing."""
        settle(selector, "a", quality=1.0)
        settle(selector, "a", quality=1.0)
        selector.revise("a", old_quality=1.0, new_quality=0.5)
        assert selector.statistics()["a"]["mean_quality"] == pytest.approx(0.75)
        selector.revise("b", old_quality=1.0, new_quality=0.5)
        assert selector.statistics()["b"]["mean_quality"] is None

    @pytest.mark.parametrize("quality", BAD_QUALITIES)
    def test_an_impossible_rating_is_refused(self, selector: ModelSelector, quality: float) -> None:
        """A rating obeys the same bounds as a quality."""
        settle(selector, "a")
        for old, new in ((1.0, quality), (quality, 1.0)):
            with pytest.raises(ValueError, match="quality"):
                selector.revise("a", old_quality=old, new_quality=new)
        assert selector.statistics()["a"]["mean_quality"] == 1.0
        assert selector.refused == 2

    def test_a_price_change_is_followed_at_once(self, selector: ModelSelector) -> None:
        """What was seen at the old price is rescaled, so that a thousand old calls do not hide the new price."""
        for _ in range(1_000):
            settle(selector, "a", cost_usd=0.02)
        old = selector.statistics()["a"]["mean_cost_usd"]
        assert old is not None
        selector.enroll("a", expected_cost_usd=0.05)
        assert selector.statistics()["a"]["mean_cost_usd"] == pytest.approx(5 * old)

    @pytest.mark.asyncio
    async def test_a_thousand_calls_at_once_are_all_counted(self, selector: ModelSelector) -> None:
        """Choices and begins of concurrent tasks interleave without loss."""
        slate = selector.slate(ARMS)

        async def call(number: int) -> None:
            arm = selector.choose(slate, rng(number)).arm
            selector.begin(arm)
            await asyncio.sleep(0)
            settle(selector, arm)

        tasks = [asyncio.ensure_future(call(number)) for number in range(1_000)]
        await asyncio.sleep(0)
        assert sum(figures["pending"] or 0 for figures in selector.statistics().values()) == 1_000
        await asyncio.gather(*tasks)
        statistics = selector.statistics().values()
        assert sum(figures["pulls"] or 0 for figures in statistics) == 1_000
        assert sum(figures["pending"] or 0 for figures in statistics) == 0
