"""Figures as Prometheus reads them: text format 0.0.4, without a library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from orchestrator.telemetry.cells import Labels, Reading
from orchestrator.telemetry.figures import Names
from orchestrator.telemetry.meter import Meter
from orchestrator.telemetry.names import COUNTED, GAUGES, IN_FLIGHT, MODEL, SAVED, UP, Metric

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["CONTENT_TYPE", "gauges", "meter_of", "prometheus_text", "together"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def meter_of(registry: ModelRegistry) -> Meter:
    """The one meter of this registry, counting from the first time that somebody asks for it."""
    for observer in registry.service.observers:
        if isinstance(observer, Meter):
            return observer
    meter = Meter(registry)
    meter.start()
    return meter


def prometheus_text(registry: ModelRegistry, *, worker: int | None = None) -> str:
    """Every metric of the registry in the text format; counting begins with the first call.

    One of several workers puts its number on every figure: counters that start again with it are then its own.

    >>> from orchestrator import ModelRegistry
    >>> print(prometheus_text(ModelRegistry()).splitlines()[0])
    # HELP gen_ai_client_operation_duration_seconds Time of one call to a provider
    """
    meter, own = meter_of(registry), {} if worker is None else {"worker": worker}
    lines: list[str] = []
    for metric in COUNTED:
        lines += _exposed(metric, [({**labels, **own}, reading) for labels, reading in meter.figures.read(metric)])
    now = gauges(registry)
    for metric in GAUGES:
        lines += _head(metric)
        lines += [f"{metric.exposed}{_braced({**labels, **own})} {_number(value)}" for labels, value in now[metric]]
    return "\n".join(lines) + "\n"


def together(texts: Iterable[str]) -> str:
    r"""What several workers tell as one text: each metric is introduced once, as the format demands.

    >>> texts = [f'# HELP a x\n# TYPE a gauge\na{{worker="{one}"}} 1\n' for one in (1, 2)]
    >>> together(texts).splitlines()
    ['# HELP a x', '# TYPE a gauge', 'a{worker="1"} 1', 'a{worker="2"} 1']
    """
    metrics: dict[str, list[str]] = {}
    for text in texts:
        told: list[str] = []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                told = metrics.setdefault(line.split(" ", 3)[2], [])
            if line not in told[:2]:
                told.append(line)
    return "\n".join(line for told in metrics.values() for line in told) + "\n"


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
