"""Figures into OpenTelemetry's instruments: distributions as they happen, counts when a reader collects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from orchestrator.telemetry.figures import Mirror
from orchestrator.telemetry.meter import Meter
from orchestrator.telemetry.names import COUNTED, GAUGES, Metric
from orchestrator.telemetry.prometheus import gauges

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter as OTelMeter
    from opentelemetry.metrics import MeterProvider, Observation

__all__ = ["Instruments", "instruments_of"]

_Points = Iterable[tuple[Any, float]]


class Instruments:
    """The instruments of one provider, fed by any number of registries.

    A histogram must see every value, so that each call pays for what the SDK takes. Counters and gauges are read off
    the figures when a reader collects, and cost a call nothing.
    """

    def __init__(self, meter: OTelMeter) -> None:
        self._lock = Lock()
        self._sources: tuple[Meter, ...] = ()
        self._mirrors: dict[Metric, Mirror] = {}
        for metric in (*COUNTED, *GAUGES):
            self._create(meter, metric)

    def join(self, source: Meter) -> None:
        """Tell what this one counts."""
        with self._lock:
            if source in self._sources:
                return
            self._sources = (*self._sources, source)
        for metric, mirror in self._mirrors.items():
            source.figures.mirror(metric, mirror)

    def leave(self, source: Meter) -> None:
        """Tell it no more."""
        with self._lock:
            self._sources = tuple(one for one in self._sources if one is not source)
        for metric, mirror in self._mirrors.items():
            source.figures.unmirror(metric, mirror)

    def _create(self, meter: OTelMeter, metric: Metric) -> None:
        told: dict[str, Any] = {"unit": metric.unit, "description": metric.about}
        if metric.kind == "histogram":
            histogram = meter.create_histogram(
                metric.name, **told, explicit_bucket_boundaries_advisory=list(metric.bounds)
            )
            self._mirrors[metric] = histogram.record
        elif metric.kind == "counter":
            meter.create_observable_counter(metric.name, [self._reading(metric, _counts)], **told)
        else:
            meter.create_observable_gauge(metric.name, [self._reading(metric, _levels)], **told)

    def _reading(self, metric: Metric, read: Callable[[Meter, Metric], _Points]) -> Callable[[Any], list[Observation]]:
        """What a reader calls: the sums over all registries, label by label."""

        def observe(_: Any) -> list[Observation]:
            from opentelemetry.metrics import Observation

            sums: dict[tuple[tuple[str, Any], ...], float] = {}
            for source in self._sources:
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
            found = _by_provider[provider] = Instruments(provider.get_meter("orchestrator", version))
        return found
