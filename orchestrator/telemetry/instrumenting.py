"""One call turns telemetry on for a registry, and the handle that it gives turns it off again."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from orchestrator.errors import ConfigurationError
from orchestrator.telemetry.meter import Meter
from orchestrator.telemetry.prometheus import meter_of

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.telemetry.metrics import Instruments
    from orchestrator.telemetry.spans import Spans

__all__ = ["Instrumented", "instrument"]


class Instrumented:
    """Telemetry that is on; `stop()`, or the end of `with`, turns it off. What was counted can still be read."""

    def __init__(self, spans: Spans, instruments: Instruments, meter: Meter) -> None:
        self._spans, self._instruments, self._meter = spans, instruments, meter
        instruments.join(meter)
        spans.start()

    def stop(self) -> None:
        """Tell OpenTelemetry nothing more of this registry; a second time does nothing."""
        self._spans.stop()
        self._instruments.leave(self._meter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def instrument(
    registry: ModelRegistry,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    propagate: bool = True,
    capture_content: bool = False,
) -> Instrumented:
    """Tell OpenTelemetry of every request of this registry, in spans and metrics; providers default to the global ones.

    Calls to providers then carry `traceparent`, unless `propagate=False`. Prompts and answers stay out of it, unless
    `capture_content=True`. Without an SDK set up, OpenTelemetry lets everything fall.
    """
    try:
        from opentelemetry import metrics, trace
    except ImportError as error:
        raise ConfigurationError("OpenTelemetry is not installed: pip install 'model-orchestrator[otel]'") from error
    from importlib.metadata import version

    from orchestrator.telemetry.metrics import instruments_of
    from orchestrator.telemetry.opening import opener_for
    from orchestrator.telemetry.spans import Spans

    told = version("model-orchestrator")
    tracer = (tracer_provider or trace.get_tracer_provider()).get_tracer("orchestrator", told)
    return Instrumented(
        Spans(registry, opener_for(tracer, told), propagate=propagate, capture_content=capture_content),
        instruments_of(meter_provider or metrics.get_meter_provider(), told),
        meter_of(registry),
    )
