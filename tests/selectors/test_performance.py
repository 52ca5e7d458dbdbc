"""The soonest good answer first, and limits that hold once there is evidence."""

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.selectors import PerformanceSelector

RNG = np.random.default_rng(0)


def choose(selector, *arms):
    """The arm chosen among these."""
    return selector.choose(selector.slate(arms), RNG).arm


def settled(selector, arm, *, times=10, quality=1.0, latency_s=1.0, tokens_per_s=None):
    """An arm with so many like results."""
    selector.enroll(arm)
    for _ in range(times):
        selector.settle(arm, quality=quality, cost_usd=None, latency_s=latency_s, tokens_per_s=tokens_per_s)


def test_the_quicker_arm_wins():
    """Live latency decides, whatever was expected."""
    selector = PerformanceSelector()
    settled(selector, "slow", latency_s=3.0)
    settled(selector, "quick", latency_s=0.5)
    assert choose(selector, "slow", "quick") == "quick"


def test_a_quick_arm_that_often_fails_loses_to_a_steady_one():
    """1 s at one good answer in ten costs more time than 3 s at ten in ten."""
    selector = PerformanceSelector()
    settled(selector, "steady", latency_s=3.0)
    settled(selector, "shaky", times=1, latency_s=1.0)
    settled(selector, "shaky", times=9, quality=0.0, latency_s=None)
    assert choose(selector, "shaky", "steady") == "steady"


def test_an_arm_that_never_answered_is_not_taken_for_a_quick_one():
    """Unknown latency stands for instant only before the first call."""
    selector = PerformanceSelector()
    settled(selector, "steady", latency_s=3.0)
    settled(selector, "dead", times=3, quality=0.0, latency_s=None)
    assert choose(selector, "dead", "steady") == "steady"


def test_what_was_never_tried_is_tried():
    """An unknown arm comes before every known one, and equals take turns."""
    selector = PerformanceSelector()
    settled(selector, "known", latency_s=0.1)
    selector.enroll("new")
    selector.enroll("newer")
    assert choose(selector, "known", "new", "newer") == "new"
    selector.begin("new")
    assert choose(selector, "known", "new", "newer") == "newer"


def test_throughput_makes_up_for_long_answers():
    """4 s at 400 tokens a second is the quicker model than 2 s at 40: (4 + .64) / 2 against (2 + 6.4) / 2."""
    selector = PerformanceSelector()
    settled(selector, "long answers", latency_s=4.0, tokens_per_s=400.0)
    settled(selector, "short answers", latency_s=2.0, tokens_per_s=40.0)
    assert choose(selector, "short answers", "long answers") == "long answers"


def test_streaming_models_come_first_when_preferred():
    """The preference outranks speed."""
    selector = PerformanceSelector(prefer_streaming=True)
    selector.enroll("quick", expected_latency_s=0.1)
    selector.enroll("streaming", expected_latency_s=2.0, streams=True)
    assert choose(selector, "quick", "streaming") == "streaming"


def test_a_measured_limit_needs_five_calls():
    """One slow start is no verdict; five are, and the reason names measure and limit."""
    selector = PerformanceSelector(min_tokens_per_second=50.0, max_response_time=5.0)
    settled(selector, "slow", times=4, latency_s=9.0)
    settled(selector, "dull", times=4, tokens_per_s=10.0)
    assert selector.refuses("slow") is selector.refuses("dull") is None
    settled(selector, "slow", times=1, latency_s=9.0)
    settled(selector, "dull", times=1, tokens_per_s=10.0)
    assert selector.refuses("slow") == "it answers in 9 s, above max_response_time=5"
    assert selector.refuses("dull") == "it writes 10 tokens a second, below min_tokens_per_second=50"
    with pytest.raises(ValueError, match=r"'slow': it answers in 9 s.*'dull': it writes 10"):
        choose(selector, "slow", "dull")


def test_an_announced_latency_is_evidence():
    """A model known to be slow is refused without being tried."""
    selector = PerformanceSelector(max_response_time=5.0)
    selector.enroll("slow", expected_latency_s=9.0)
    selector.enroll("unknown")
    assert selector.refuses("slow") is not None
    assert choose(selector, "slow", "unknown") == "unknown"


@pytest.mark.parametrize(
    ("option", "value"), [("min_tokens_per_second", -1), ("max_response_time", 0), ("max_response_time", float("nan"))]
)
def test_an_impossible_limit_is_named(option, value):
    """The message names the option and its value."""
    with pytest.raises(ConfigurationError, match=f"{option}={value!r}"):
        PerformanceSelector(**{option: value})


def test_a_model_that_writes_next_to_nothing_is_last_and_its_time_a_number():
    """So few tokens a second that the time of an answer would be infinite."""
    selector = PerformanceSelector()
    settled(selector, "stuck", latency_s=None, tokens_per_s=1e-313)
    settled(selector, "slow", latency_s=1e6)
    assert choose(selector, "stuck", "slow") == "slow"
    assert np.isfinite(selector.statistics()["stuck"]["time_to_answer_s"])
