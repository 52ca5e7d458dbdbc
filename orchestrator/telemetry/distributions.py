"""Every distribution of a registry at one moment, and sums and differences of such moments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.telemetry.cells import Reading
from orchestrator.telemetry.figures import Figures, Key
from orchestrator.telemetry.names import COUNTED, Metric

__all__ = ["Distributions", "minus", "plus", "readings_of"]

Distributions = Mapping[Metric, Mapping[Key, Reading]]


def readings_of(figures: Figures, metrics: Iterable[Metric] = COUNTED) -> Distributions:
    """Each of these that has seen a value, by its labels; a counter is a distribution without buckets."""
    return {
        metric: {tuple(sorted(labels.items())): reading for labels, reading in figures.read(metric)}
        for metric in metrics
    }


def plus(one: Distributions, other: Distributions) -> Distributions:
    """Both together, label by label."""
    return {metric: _merged(one.get(metric, {}), other.get(metric, {})) for metric in {**one, **other}}


def _merged(one: Mapping[Key, Reading], other: Mapping[Key, Reading]) -> Mapping[Key, Reading]:
    both = {key: one[key] + other[key] for key in one.keys() & other.keys()}
    return {**one, **other, **both}


def minus(now: Distributions, before: Distributions) -> Distributions:
    """What has come since, where something has."""
    return {metric: dict(_changes(readings, before.get(metric, {}))) for metric, readings in now.items()}


def _changes(now: Mapping[Key, Reading], before: Mapping[Key, Reading]) -> Iterator[tuple[Key, Reading]]:
    for key, reading in now.items():
        since = reading - before[key] if key in before else reading
        if since.values:
            yield key, since
