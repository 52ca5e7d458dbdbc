"""Figures into OpenTelemetry's metrics, when a reader collects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from orchestrator.telemetry.cells import Mirror
from orchestrator.telemetry.distributions import Distributions, distributions_of, minus, plus
from orchestrator.telemetry.meter import Meter
from orchestrator.telemetry.names import COUNTED, GAUGES, Metric
from orchestrator.telemetry.prometheus import gauges

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter as OTelMeter
    from opentelemetry.metrics import MeterProvider, Observation

__all__ = ["Instruments", "instruments_of"]

_SCOPE = "orchestrator"
_Points = Iterable[tuple[Any, float]]


class Instruments:
    """The instruments of one provider, fed by any number of registries.

    Nothing is told while a call is under way: counters and gauges are read off the figures when a reader collects, and
    so are distributions, which the SDK takes over as they are counted. A provider that does not is told each value,
    a few hundred at a time.
    """

    def __init__(self, provider: MeterProvider, version: str) -> None:
        self._lock = Lock()
        self._sources: dict[Meter, Distributions] = {}  # with what each had counted when it joined
        self._left: Distributions = {}
        self._mirrors: dict[Metric, Mirror] = {}
        meter = provider.get_meter(_SCOPE, version)
        for metric in (*COUNTED, *GAUGES):
            if metric.kind != "histogram":
                self._observe(meter, metric)
        if not self._handed_over(provider, version):
            self._create_histograms(meter)

    def join(self, source: Meter) -> None:
        """Tell what this one counts."""
        with self._lock:
            if source in self._sources:
                return
            self._sources = {**self._sources, source: distributions_of(source.figures)}
        for metric, mirror in self._mirrors.items():
            source.figures.mirror(metric, mirror)

    def leave(self, source: Meter) -> None:
        """Tell it no more; what was told stays."""
        with self._lock:
            if source not in self._sources:
                return
            before = self._sources[source]
            self._left = plus(self._left, minus(distributions_of(source.figures), before))
            self._sources = {one: base for one, base in self._sources.items() if one is not source}
        for metric, mirror in self._mirrors.items():
            source.figures.unmirror(metric, mirror)

    def distributions(self) -> Distributions:
        """What all registries have counted while they were told of."""
        with self._lock:
            told = self._left
            for source, before in self._sources.items():
                told = plus(told, minus(distributions_of(source.figures), before))
        return told

    def _handed_over(self, provider: MeterProvider, version: str) -> bool:
        try:
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope

            from orchestrator.telemetry.handing_over import hand_over
        except ImportError:  # an interface without an SDK
            return False
        return hand_over(provider, InstrumentationScope(_SCOPE, version), self.distributions)

    def _create_histograms(self, meter: OTelMeter) -> None:
        for metric in COUNTED:
            if metric.kind == "histogram":
                histogram = meter.create_histogram(
                    metric.name,
                    metric.unit,
                    metric.about,
                    explicit_bucket_boundaries_advisory=list(metric.bounds),
                )
                self._mirrors[metric] = histogram.record

    def _observe(self, meter: OTelMeter, metric: Metric) -> None:
        if metric.kind == "counter":
            meter.create_observable_counter(metric.name, [self._reading(metric, _counts)], metric.unit, metric.about)
        else:
            meter.create_observable_gauge(metric.name, [self._reading(metric, _levels)], metric.unit, metric.about)

    def _reading(self, metric: Metric, read: Callable[[Meter, Metric], _Points]) -> Callable[[Any], list[Observation]]:
        """What a reader calls: the sums over all registries, label by label."""

        def observe(_: Any) -> list[Observation]:
            from opentelemetry.metrics import Observation

            sums: dict[tuple[tuple[str, Any], ...], float] = {}
            for source in self._sources:
                if self._mirrors:
                    distributions_of(source.figures)  # what is noted goes to the mirrors before the SDK reads those
                for labels, value in read(source, metric):
                    key = tuple(sorted(labels.items()))
                    sums[key] = sums.get(key, 0.0) + value
            return [Observation(value, dict(key)) for key, value in sums.items()]

        return observe


def _counts(source: Meter, metric: Metric) -> _Points:
    return [(labels, reading.total) for labels, reading in source.figures.read(metric)]


def _levels(source: Meter, metric: Metric) -> _Points:
    return gauges(source.registry)[metric]


_by_provider: WeakKeyDictionary[Any, Instruments] = WeakKeyDictionary()
_lock = Lock()


def instruments_of(provider: MeterProvider, version: str) -> Instruments:
    """The instruments of a provider, made once: a name may be taken there only once."""
    with _lock:
        found = _by_provider.get(provider)
        if found is None:
            found = _by_provider[provider] = Instruments(provider, version)
        return found
