"""Our distributions, whole, to the SDK's metric readers when they collect: counted already, and not value by value."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import Histogram as HistogramKind
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricReader,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.view import DefaultAggregation

from orchestrator.telemetry import names
from orchestrator.telemetry.cells import Reading
from orchestrator.telemetry.distributions import Distributions, minus
from orchestrator.telemetry.figures import Key

if TYPE_CHECKING:
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

__all__ = ["hand_over"]

_Collect = Callable[..., MetricsData | None]


def hand_over(provider: Any, scope: InstrumentationScope, read: Callable[[], Distributions]) -> bool:
    """Add what `read` gives to all that this provider's readers collect from now on; False where that cannot be done.

    The SDK has no interface for it, so that this holds on to names of its own: a provider which is not built like that,
    and one whose views or readers want something else than the buckets we count in, gets instruments instead.
    """
    try:
        consumer, readers, config = provider._measurement_consumer, provider._metric_readers, provider._sdk_config  # noqa: SLF001 - see above
        if config.views or not all(map(_takes_buckets, readers)):
            return False
        nothing = MetricsData([ResourceMetrics(config.resource, [], config.resource.schema_url)])
        collect = _Collecting(consumer.collect, scope, read, nothing).collect
        for reader in readers:
            reader._set_collect_callback(collect)  # noqa: SLF001 - see above
        consumer.collect = collect  # for readers that are added later
    except (AttributeError, TypeError):
        return False
    return True


def _takes_buckets(reader: MetricReader) -> bool:
    wishes = reader._instrument_class_aggregation  # noqa: SLF001 - see above
    return all(isinstance(wish, DefaultAggregation) for kind, wish in wishes.items() if issubclass(kind, HistogramKind))


class _Collecting:
    """What readers call, around what they called before."""

    def __init__(
        self, inner: _Collect, scope: InstrumentationScope, read: Callable[[], Distributions], nothing: MetricsData
    ) -> None:
        self._inner = inner
        self._scope = scope
        self._read = read
        self._nothing = nothing
        self._since_ns = time.time_ns()
        self._told: dict[int, tuple[int, Distributions]] = {}  # by reader that wants changes: when, and what it has

    def collect(self, metric_reader: MetricReader, *args: Any, **kwargs: Any) -> MetricsData | None:
        """The SDK's own metrics, and ours among them."""
        data = self._inner(metric_reader, *args, **kwargs)
        found = list(self._metrics(metric_reader))
        return _joined(data or self._nothing, self._scope, found) if found else data

    def _metrics(self, reader: MetricReader) -> Iterator[Metric]:
        wishes: Mapping[type, AggregationTemporality] = getattr(reader, "_preferred_temporality", None) or {}
        temporality = wishes.get(HistogramKind, AggregationTemporality.CUMULATIVE)
        now_ns, current = time.time_ns(), self._read()
        since_ns, told = self._since_ns, current
        if temporality is AggregationTemporality.DELTA:
            since_ns, earlier = self._told.get(id(reader), (since_ns, {}))
            self._told[id(reader)] = now_ns, current
            told = minus(current, earlier)
        for metric, readings in told.items():
            points = [_point(metric, key, reading, since_ns, now_ns) for key, reading in readings.items()]
            if points:
                yield Metric(metric.name, metric.about, metric.unit, Histogram(points, temporality))


def _point(metric: names.Metric, key: Key, reading: Reading, since_ns: int, now_ns: int) -> HistogramDataPoint:
    least: Any = reading.least  # where they are not known they are left out
    most: Any = reading.most
    return HistogramDataPoint(
        dict(key), since_ns, now_ns, reading.values, reading.total, reading.buckets, metric.bounds, least, most
    )


def _joined(data: MetricsData, scope: InstrumentationScope, ours: list[Metric]) -> MetricsData:
    """The same with our metrics in our scope, where the SDK has put the counters that it reads from us."""
    first, *others = data.resource_metrics
    scopes = list(first.scope_metrics)
    place = next((at for at, one in enumerate(scopes) if one.scope == scope), None)
    if place is None:
        scopes.append(ScopeMetrics(scope, ours, scope.schema_url or ""))
    else:
        scopes[place] = replace(scopes[place], metrics=[*scopes[place].metrics, *ours])
    return MetricsData([ResourceMetrics(first.resource, scopes, first.schema_url), *others])
