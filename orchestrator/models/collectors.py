"""The older way to watch: a mapping of Prometheus collectors, told about every attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["collector_subscriber"]

_LABELS: dict[str, Callable[[Model, Outcome], str]] = {
    "model": lambda model, _: model.id,
    "model_id": lambda model, _: model.id,
    "provider": lambda model, _: model.provider,
    "status": lambda _, outcome: "ok" if outcome.error is None else outcome.error.error_type,
}
_KINDS = ("model_invocations", "invocation_duration")


def collector_subscriber(collectors: Mapping[str, Any]) -> Callable[[Model, Outcome], None]:
    """A subscriber that counts `model_invocations` and observes `invocation_duration` (seconds).

    Anything with `labels(**names)` and `inc()` or `observe()` will do; label names are read off the collector.
    """
    for kind in collectors:
        if kind not in _KINDS:
            raise ConfigurationError(f"metrics has no {kind!r}; {did_you_mean(kind, _KINDS)}")
    labels = {kind: _label_names(kind, collector) for kind, collector in collectors.items()}

    def record(model: Model, outcome: Outcome) -> None:
        for kind, collector in collectors.items():
            names = {name: _LABELS[name](model, outcome) for name in labels[kind]}
            child = collector.labels(**names) if names else collector
            if kind == "model_invocations":
                child.inc()
            else:
                child.observe(outcome.latency_s)

    return record


def _label_names(kind: str, collector: Any) -> tuple[str, ...]:
    names = tuple(getattr(collector, "_labelnames", ("model",)))
    for name in names:
        if name not in _LABELS:
            raise ConfigurationError(f"metrics[{kind!r}] has label {name!r}; {did_you_mean(name, list(_LABELS))}")
    return names
