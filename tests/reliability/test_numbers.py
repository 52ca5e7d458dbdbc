"""Numbers stay numbers: what no clock, provider or plug-in should ever say is dropped and counted, never believed."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.metrics import ModelMetrics
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import SELECTORS
from orchestrator.testing import FakeClock

POISON = [math.nan, math.inf, -math.inf, -1.0, -1e-9, 1e300]
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from(POISON)
counts = st.integers() | numbers | st.sampled_from(["12", None, True, 10**12])
outcomes = st.builds(
    lambda latency_s, ttft_s, cost_usd, asked, written, billed: Outcome(
        model_id="a",
        latency_s=latency_s,
        ttft_s=ttft_s,
        cost_usd=cost_usd,
        usage=UsageStats(asked, written, cost_usd=billed),
    ),
    numbers,
    numbers | st.none(),
    numbers | st.none(),
    counts,
    counts,
    numbers,
)


def figures_of(registry):
    """All that is known of everybody, as anyone may read it."""
    rows = [registry.selector.statistics(), registry.usage.report("model").rows]
    for model in registry.values():
        rows += [model.metrics.to_dict(), model.metrics.latency_p95, model.metrics.ttft_p95]
        rows += [repr(registry.health.status_of(model))]
    return rows


def bad_numbers(tree):
    """Those that are not finite, or below nothing."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [bad for one in tree for bad in bad_numbers(one)]
    return [tree] if isinstance(tree, int | float) and not 0 <= tree < math.inf else []


@pytest.mark.parametrize("selector", sorted(SELECTORS))
@settings(max_examples=25, deadline=None)
@given(poison=st.lists(outcomes, min_size=1, max_size=40))
def test_poisoned_outcomes_leave_every_figure_a_number(plain_class, selector, poison):
    """Under every policy; afterwards a choice is made as ever, and all of it goes out as strict JSON."""
    registry = ModelRegistry(selector, clock=FakeClock(), seed=0, cache_responses=False)
    models = [registry.register_model(plain_class(name)) for name in "ab"]
    for outcome in poison:
        registry.settlement.begin(models[0], plain_class.REQUEST)
        registry.settlement.settle(models[0], outcome)
    found = figures_of(registry)
    assert bad_numbers(found) == []
    json.dumps(found, allow_nan=False)
    assert registry.select().model_id in "ab"


@pytest.mark.parametrize("number", POISON)
def test_a_latency_that_is_none_is_dropped_and_counted(number):
    """It says nothing about the model, so the others stand as they are."""
    metrics = ModelMetrics()
    metrics.record(Outcome(model_id="a", latency_s=2.0))
    metrics.record(Outcome(model_id="a", latency_s=number))
    metrics.record(Outcome(model_id="a", latency_s=2.0, ttft_s=number))
    assert (metrics.calls, metrics.dropped) == (1, 2)
    assert metrics.latency_p50 == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("number", POISON)
def test_a_cost_that_is_none_is_dropped_and_the_call_counts(number):
    """Its time and its answer are as good as any."""
    metrics = ModelMetrics()
    metrics.record(Outcome(model_id="a", latency_s=2.0, cost_usd=0.5))
    metrics.record(Outcome(model_id="a", latency_s=2.0, cost_usd=number))
    assert (metrics.calls, metrics.dropped, metrics.cost_per_call_usd) == (2, 1, 0.5)
