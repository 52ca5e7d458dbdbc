"""Distributions reach the SDK's readers counted already, and say what its own instruments would have said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from orchestrator import Model, ModelRegistry, telemetry
from orchestrator.core.messages import Reply
from orchestrator.core.usage import UsageStats
from orchestrator.telemetry.handing_over import hand_over
from orchestrator.telemetry.names import CALL_DURATION

TOKENS = "gen_ai.client.token.usage"


class Counted(Model):
    async def send(self, request):
        return Reply("yes", usage=UsageStats(3, 5))

    def setup_issue(self):
        return None


@pytest.fixture
def registry():
    made = ModelRegistry(cache_responses=False)
    made.register_model(Counted(id="m", provider="custom"))
    return made


def points_of(reader, name=TOKENS):
    """What this reader collects of a metric: its points, nothing twice."""
    data = reader.get_metrics_data()
    scopes = [] if data is None else [scope for one in data.resource_metrics for scope in one.scope_metrics]
    assert len({scope.scope for scope in scopes}) == len(scopes)
    found = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
    assert len(found) <= 1
    return [point for metric in found for point in metric.data.data_points]


@given(st.lists(st.floats(0, 200), min_size=1, max_size=400))
@settings(max_examples=40, deadline=None)
def test_a_distribution_is_what_the_sdk_would_have_made_of_it(values):
    """Count, sum, buckets and both extremes, whatever the values."""
    theirs, ours = InMemoryMetricReader(), InMemoryMetricReader()
    bounds = list(CALL_DURATION.bounds)
    provider, watched = MeterProvider([theirs]), MeterProvider([ours])
    histogram = provider.get_meter("x").create_histogram(CALL_DURATION.name, explicit_bucket_boundaries_advisory=bounds)
    registry = ModelRegistry()
    with telemetry.instrument(registry, meter_provider=watched):
        cell = telemetry.meter_of(registry).figures.cell(CALL_DURATION, {})
        for value in values:
            histogram.record(value)
            cell.add(value)
        [expected], [found] = points_of(theirs, CALL_DURATION.name), points_of(ours, CALL_DURATION.name)
    assert (found.count, list(found.bucket_counts)) == (expected.count, list(expected.bucket_counts))
    assert (found.min, found.max, found.sum) == (expected.min, expected.max, pytest.approx(expected.sum))
    assert list(found.explicit_bounds) == list(expected.explicit_bounds)
    provider.shutdown()
    watched.shutdown()


async def test_a_reader_that_wants_changes_gets_changes(registry):
    """Each value once, and nothing where nothing has come; another reader of the same provider has the whole."""
    delta = InMemoryMetricReader(preferred_temporality={Histogram: AggregationTemporality.DELTA})
    whole = InMemoryMetricReader()
    provider = MeterProvider([delta, whole])
    seen = []
    with telemetry.instrument(registry, meter_provider=provider):
        for calls in (2, 0, 1):
            for _ in range(calls):
                await registry.generate_response("hi")
            seen.append(sorted((point.count, point.sum) for point in points_of(delta)))
        assert sorted((point.count, point.sum) for point in points_of(whole)) == [(3, 9), (3, 15)]
    provider.shutdown()
    assert seen == [[(2, 6), (2, 10)], [], [(1, 3), (1, 5)]]


async def test_what_was_told_stays_and_is_not_told_twice(registry):
    """Off and on again: a sum never falls, and what was counted while nobody was told is left out."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    counts = []
    for _ in range(2):
        with telemetry.instrument(registry, meter_provider=provider):
            await registry.generate_response("hi")
        await registry.generate_response("hi")
        counts.append([point.count for point in points_of(reader)])
    provider.shutdown()
    assert counts == [[1, 1], [2, 2]]


async def test_a_counter_never_falls_when_a_registry_leaves(registry):
    """What was told of it stays in the sum with another's, and is not told again when it comes back."""
    changes = {ObservableCounter: AggregationTemporality.DELTA}
    reader, whole = InMemoryMetricReader(preferred_temporality=changes), InMemoryMetricReader()
    provider, other = MeterProvider([reader, whole]), ModelRegistry(cache_responses=False)
    other.register_model(Counted(id="m", provider="custom"))
    told = []
    with telemetry.instrument(other, meter_provider=provider):
        await other.generate_response("hi")
        for _ in range(2):
            with telemetry.instrument(registry, meter_provider=provider):
                await registry.generate_response("hi")
                told.append([points_of(one, "orchestrator.decisions")[0].value for one in (reader, whole)])
            told.append([points_of(one, "orchestrator.decisions")[0].value for one in (reader, whole)])
    assert told == [[2, 2], [0, 2], [1, 3], [0, 3]]
    provider.shutdown()


async def test_a_reader_that_comes_later_is_told_as_well(registry):
    """As soon as the provider has it."""
    provider, reader = MeterProvider([]), InMemoryMetricReader()
    with telemetry.instrument(registry, meter_provider=provider):
        provider.add_metric_reader(reader)
        await registry.generate_response("hi")
        assert [point.count for point in points_of(reader)] == [1, 1]
    provider.shutdown()


@pytest.mark.parametrize(
    ("reader", "views"),
    [
        (InMemoryMetricReader(), [View(instrument_name=TOKENS, attribute_keys={"gen_ai.token.type"})]),
        (InMemoryMetricReader(preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()}), []),
    ],
    ids=["a view", "other buckets"],
)
async def test_whoever_wants_other_buckets_gets_instruments(registry, reader, views):
    """A view or a reader with a wish of its own is heard: the SDK is told the values themselves."""
    provider = MeterProvider([reader], views=views)
    with telemetry.instrument(registry, meter_provider=provider):
        await registry.generate_response("hi")
        points = points_of(reader)
    provider.shutdown()
    assert sorted(point.sum for point in points) == [3, 5]
    if views:
        assert [set(point.attributes) for point in points] == [{"gen_ai.token.type"}] * 2
    else:
        assert hasattr(points[0], "scale")


def test_a_provider_of_another_build_is_left_as_it_is():
    """No name that we look for, no change."""
    assert not hand_over(object(), None, dict)


def test_the_sdk_that_we_test_with_takes_them_whole():
    """Should a new release not, it shows here and not as a slower call."""
    assert hand_over(MeterProvider([InMemoryMetricReader()]), None, dict)
