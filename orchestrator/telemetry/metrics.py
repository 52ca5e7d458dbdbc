"""Figures into OpenTelemetry's metrics, when a reader collects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from orchestrator.telemetry.cells import Mirror
from orchestrator.telemetry.distributions import Distributions, minus, plus, readings_of
from orchestrator.telemetry.figures import Key
from orchestrator.telemetry.meter import Meter
from orchestrator.telemetry.names import COUNTED, GAUGES, Metric
from orchestrator.telemetry.prometheus import gauges

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter as OTelMeter
    from opentelemetry.metrics import MeterProvider, Observation

__all__ = ["Instruments", "instruments_of"]

_SCOPE = "orchestrator"
_HISTOGRAMS = tuple(metric for metric in COUNTED if metric.kind == "histogram")
_Points = Iterable[tuple[Key, float]]


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
            self._sources = {**self._sources, source: readings_of(source.figures)}
        for metric, mirror in self._mirrors.items():
            source.figures.mirror(metric, mirror)

    def leave(self, source: Meter) -> None:
        """Tell it no more; what was told stays."""
        with self._lock:
            if source not in self._sources:
                return
            before = self._sources[source]
            self._left = plus(self._left, minus(readings_of(source.figures), before))
            self._sources = {one: base for one, base in self._sources.items() if one is not source}
        for metric, mirror in self._mirrors.items():
            source.figures.unmirror(metric, mirror)

    def distributions(self) -> Distributions:
        """What all registries have counted in histograms while they were told of."""
        return self._told(_HISTOGRAMS)

    def _told(self, metrics: Sequence[Metric]) -> Distributions:
        with self._lock:
            told: Distributions = {metric: self._left.get(metric, {}) for metric in metrics}
            for source, before in self._sources.items():
                told = plus(told, minus(readings_of(source.figures, metrics), before))
        return told

    def _handed_over(self, provider: MeterProvider, version: str) -> bool:
        try:
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope

            from orchestrator.telemetry.handing_over import hand_over
        except ImportError:  # an interface without an SDK
            return False
        return hand_over(provider, InstrumentationScope(_SCOPE, version), self.distributions)

    def _create_histograms(self, meter: OTelMeter) -> None:
        for metric in _HISTOGRAMS:
            histogram = meter.create_histogram(
                metric.name, metric.unit, metric.about, explicit_bucket_boundaries_advisory=list(metric.bounds)
            )
            self._mirrors[metric] = histogram.record

    def _observe(self, meter: OTelMeter, metric: Metric) -> None:
        is_counter = metric.kind == "counter"
        create = meter.create_observable_counter if is_counter else meter.create_observable_gauge
        read = self._reading(metric, self._counts if is_counter else self._levels)
        create(metric.name, [read], metric.unit, metric.about)

    def _reading(self, metric: Metric, read: Callable[[Metric], _Points]) -> Callable[[Any], list[Observation]]:
        """What a reader calls."""

        def observe(_: Any) -> list[Observation]:
            from opentelemetry.metrics import Observation

            if self._mirrors:  # what is noted goes to them before the SDK reads those
                self.distributions()
            return [Observation(value, dict(key)) for key, value in read(metric)]

        return observe

    def _counts(self, metric: Metric) -> _Points:
        return [(key, reading.total) for key, reading in self._told([metric])[metric].items()]

    def _levels(self, metric: Metric) -> _Points:
        """The sums over all registries, label by label."""
        sums: dict[Key, float] = {}
        for source in self._sources:
            for labels, value in gauges(source.registry)[metric]:
                key = tuple(sorted(labels.items()))
                sums[key] = sums.get(key, 0.0) + value
        return sums.items()


_by_provider: WeakKeyDictionary[Any, Instruments] = WeakKeyDictionary()
_lock = Lock()


def instruments_of(provider: MeterProvider, version: str) -> Instruments:
    """The instruments of a provider, made once: a name may be taken there only once."""
    with _lock:
        found = _by_provider.get(provider)
        if found is None:
            found = _by_provider[provider] = Instruments(provider, version)
        return found
