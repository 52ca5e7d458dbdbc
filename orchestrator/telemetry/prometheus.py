"""Figures as Prometheus reads them: text format 0.0.4, without a library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from orchestrator.telemetry.figures import Labels, Names, Reading
from orchestrator.telemetry.meter import Meter
from orchestrator.telemetry.names import COUNTED, GAUGES, IN_FLIGHT, MODEL, SAVED, UP, Metric

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["CONTENT_TYPE", "gauges", "meter_of", "prometheus_text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def meter_of(registry: ModelRegistry) -> Meter:
    """The one meter of this registry, counting from the first time that somebody asks for it."""
    for observer in registry.service.observers:
        if isinstance(observer, Meter):
            return observer
    meter = Meter(registry)
    meter.start()
    return meter


def prometheus_text(registry: ModelRegistry) -> str:
    """Every metric of the registry in the text format; counting begins with the first call.

    >>> from orchestrator import ModelRegistry
    >>> print(prometheus_text(ModelRegistry()).splitlines()[0])
    # HELP gen_ai_client_operation_duration_seconds Time of one call to a provider
    """
    meter = meter_of(registry)
    lines = [line for metric in COUNTED for line in _exposed(metric, meter.figures.read(metric))]
    now = gauges(registry)
    for metric in GAUGES:
        lines += _head(metric)
        lines += [f"{metric.exposed}{_braced(labels)} {_number(value)}" for labels, value in now[metric]]
    return "\n".join(lines) + "\n"


def gauges(registry: ModelRegistry) -> dict[Metric, list[tuple[Labels, float]]]:
    """What can be read off the registry at this moment."""
    names = Names()
    models = [(one, {MODEL: one.id}) for one in registry.values() if names.bounded(one.id) == one.id]
    cache = registry.recall.cache
    saved_usd = None if cache is None else cache.get_statistics().saved_usd
    return {
        UP: [(labels, float(registry.health.status_of(one).healthy)) for one, labels in models],
        IN_FLIGHT: [(labels, float(one.metrics.in_flight)) for one, labels in models],
        SAVED: [] if saved_usd is None else [({}, saved_usd)],
    }


def _exposed(metric: Metric, readings: Iterable[tuple[Labels, Reading]]) -> Iterator[str]:
    yield from _head(metric)
    for labels, reading in readings:
        if metric.kind == "counter":
            yield f"{metric.exposed}{_braced(labels)} {_number(reading.total)}"
        else:
            yield from _distribution(metric, labels, reading)


def _head(metric: Metric) -> list[str]:
    return [f"# HELP {metric.exposed} {metric.about}", f"# TYPE {metric.exposed} {metric.kind}"]


def _distribution(metric: Metric, labels: Labels, reading: Reading) -> Iterator[str]:
    """A histogram's lines: how many values were at most so large, their sum and their number."""
    bounds = (*map(_number, metric.bounds), "+Inf")
    for bound, count in zip(bounds, accumulate(reading.buckets), strict=True):
        yield f"{metric.exposed}_bucket{_braced({**labels, 'le': bound})} {count}"
    yield f"{metric.exposed}_sum{_braced(labels)} {_number(reading.total)}"
    yield f"{metric.exposed}_count{_braced(labels)} {reading.values}"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _braced(labels: Mapping[str, object]) -> str:
    """Labels as the format wants them: a model's name comes from outside and may hold anything."""
    if not labels:
        return ""
    told = (f'{name.replace(".", "_")}="{_escaped(str(value))}"' for name, value in labels.items())
    return "{" + ",".join(told) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
