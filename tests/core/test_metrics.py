"""Live figures: true quantiles, tokens a second, rates, and None for what is not known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.metrics import ModelMetrics, QuantileSketch
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.errors import PROVIDER_ERRORS, Blame, ServerError

SECONDS = st.floats(1e-6, 1e5)


def sketch_of(values):
    """A sketch that has seen these values."""
    sketch = QuantileSketch()
    for value in values:
        sketch.add(value)
    return sketch


def metrics_of(*outcomes):
    """Metrics that have recorded these."""
    metrics = ModelMetrics()
    for facts in outcomes:
        metrics.record(Outcome(model_id="m", **{"latency_s": 1.0, **facts}))
    return metrics


@given(st.lists(SECONDS, min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_quantiles_are_within_one_percent_of_numpys(values, share):
    """The sketch's promise (DDSketch, 2019): 1 % of the order statistic that numpy names."""
    exact = np.quantile(values, share, method="lower")
    assert sketch_of(values).quantile(share) == pytest.approx(exact, rel=0.0101)


@pytest.mark.parametrize("law", ["lognormal", "exponential", "pareto"])
def test_quantiles_hold_on_skewed_latencies(law):
    """Long tails, as latencies have them, do not loosen the bound."""
    rng = np.random.default_rng(7)
    values = getattr(rng, law)(**({"a": 1.5} if law == "pareto" else {}), size=20_000) + 1e-6
    for share in (0.5, 0.95, 0.99):
        exact = np.quantile(values, share, method="lower")
        assert sketch_of(values).quantile(share) == pytest.approx(exact, rel=0.0101)


@given(st.lists(SECONDS), st.lists(SECONDS))
def test_merged_sketches_equal_one_that_saw_both(one, other):
    """Sketches of several processes add up."""
    merged = sketch_of(one).merge(sketch_of(other))
    assert (merged.buckets, merged.count) == (sketch_of(one + other).buckets, len(one) + len(other))


def test_a_sketch_stays_small():
    """Nine orders of magnitude fit into about a thousand counters."""
    assert len(sketch_of(np.geomspace(1e-6, 1e3, 50_000)).buckets) < 1_100


def test_before_the_first_call_nothing_is_known():
    """Every figure that would be a guess is None."""
    figures = ModelMetrics().to_dict()
    assert {name for name, value in figures.items() if value is not None} == {"calls", "failures", "in_flight"}


def test_throughput_is_output_tokens_over_the_time_they_flowed():
    """Waiting for the first token does not count; without a first-token time the whole call does."""
    usage = UsageStats(10, 100)
    assert metrics_of({"latency_s": 3.0, "ttft_s": 1.0, "usage": usage}).throughput == pytest.approx(50)
    assert metrics_of({"latency_s": 4.0, "usage": usage}).throughput == pytest.approx(25)
    assert metrics_of({"usage": UsageStats()}).throughput is None


def test_rates_and_costs_are_means_over_what_is_known():
    """Success rate counts answers and the model's failures, cost only calls whose price is known."""
    metrics = metrics_of({"cost_usd": 0.02}, {"cost_usd": None}, {"cost_usd": 0.04}, {"error": ServerError("x")})
    assert (metrics.calls, metrics.failures, metrics.success_rate) == (4, 1, 0.75)
    assert metrics.cost_per_call_usd == pytest.approx(0.03)


def test_failures_do_not_make_a_model_look_quick():
    """A refusal after a millisecond is not a latency."""
    metrics = metrics_of({"latency_s": 2.0}, {"latency_s": 0.001, "error": ServerError("x")})
    assert metrics.latency_p50 == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("error", PROVIDER_ERRORS.values())
def test_the_callers_faults_teach_nothing(error):
    """What the caller broke, or what merely does not fit, leaves no trace in a model's figures."""
    theirs = error.blame in (Blame.CALLER, Blame.MISMATCH)
    assert metrics_of({"error": error("x")}).calls == (0 if theirs else 1)


def test_old_figures_are_forgotten():
    """After one to two thousand calls the past is gone, while the total count stays."""
    metrics = metrics_of(*[{"latency_s": 9.0}] * 1_000, *[{"latency_s": 1.0}] * 2_000)
    assert metrics.latency_p95 == pytest.approx(1.0, rel=0.01)
    assert metrics.calls == 3_000


def test_fifty_equal_calls_have_that_latency_at_every_quantile():
    """p50 and p95 are quantiles, not moving averages that start at zero."""
    metrics = metrics_of(*[{"latency_s": 2.0, "usage": UsageStats(1, 10)}] * 50)
    assert metrics.latency_p50 == pytest.approx(2.0, rel=0.01)
    assert metrics.latency_p95 == pytest.approx(2.0, rel=0.01)
    assert metrics.throughput == pytest.approx(5)
