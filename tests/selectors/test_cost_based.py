"""The cheapest first, and limits that hold."""

from collections import Counter

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.selectors import CostBasedSelector

RNG = np.random.default_rng(0)


def choose(selector, *arms):
    """The arm chosen among these."""
    return selector.choose(selector.slate(arms), RNG).arm


def test_the_order_is_by_cost_and_unknown_comes_last():
    """Unknown is not free."""
    selector = CostBasedSelector()
    selector.enroll("unknown")
    for arm, cost in (("dear", 0.5), ("free", 0.0), ("cheap", 0.0001)):
        selector.enroll(arm, expected_cost_usd=cost)
    slate = selector.slate(("unknown", "dear", "free", "cheap"))
    assert selector.order(slate, RNG) == ["free", "cheap", "dear", "unknown"]


def test_local_models_come_first_unless_told_otherwise():
    """Preferring local ones is the default and can be turned off."""
    for prefer, winner in ((True, "local"), (False, "remote")):
        selector = CostBasedSelector(prefer_local_models=prefer)
        selector.enroll("remote", expected_cost_usd=0.001)
        selector.enroll("local", expected_cost_usd=0.002, is_local=True)
        assert choose(selector, "remote", "local") == winner


def test_what_calls_really_cost_corrects_the_list():
    """The list counts as ten calls: (10 x .01 + 40 x .03) / 50 = .026, above the other's .02."""
    selector = CostBasedSelector()
    selector.enroll("talkative", expected_cost_usd=0.01)
    selector.enroll("terse", expected_cost_usd=0.02)
    assert choose(selector, "talkative", "terse") == "talkative"
    for _ in range(40):
        selector.settle("talkative", quality=None, cost_usd=0.03, latency_s=None)
    assert selector.statistics()["talkative"]["mean_cost_usd"] == pytest.approx(0.026)
    assert choose(selector, "talkative", "terse") == "terse"


def test_equals_take_turns():
    """Ties go to the fewest trials, calls in flight included, then to the first registered."""
    selector = CostBasedSelector()
    for arm in ("a", "b", "c"):
        selector.enroll(arm, expected_cost_usd=0.01)
    chosen = []
    for _ in range(9):
        chosen.append(choose(selector, "a", "b", "c"))
        selector.begin(chosen[-1])
    assert chosen[:3] == ["a", "b", "c"]
    assert set(Counter(chosen).values()) == {3}


def test_a_limit_refuses_the_dear_and_the_unknown_with_a_reason():
    """A hard limit is never stretched; when it refuses all, the error lists why."""
    selector = CostBasedSelector(max_cost_per_request=0.1)
    selector.enroll("dear", expected_cost_usd=0.25)
    selector.enroll("unknown")
    assert selector.refuses("dear") == "a call costs $0.25, above max_cost_per_request=0.1"
    assert selector.refuses("unknown") == "its cost is unknown, and max_cost_per_request=0.1 sets a limit"
    with pytest.raises(ValueError, match=r"No models available: 'dear': a call costs \$0.25.*'unknown': its cost"):
        choose(selector, "dear", "unknown")
    selector.enroll("dear", expected_cost_usd=0.05)
    assert selector.refuses("dear") is None
    assert choose(selector, "dear", "unknown") == "dear"
    assert selector.order(selector.slate(("unknown", "dear")), RNG) == ["dear"]


def test_a_refused_local_model_is_not_preferred():
    """The limit comes before the preference."""
    selector = CostBasedSelector(max_cost_per_request=0.1)
    selector.enroll("local", expected_cost_usd=0.2, is_local=True)
    selector.enroll("remote", expected_cost_usd=0.1)
    assert choose(selector, "local", "remote") == "remote"


@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf")])
def test_an_impossible_limit_is_named(value):
    """The message names the option and its value."""
    with pytest.raises(ConfigurationError, match=f"max_cost_per_request={value!r}"):
        CostBasedSelector(max_cost_per_request=value)
