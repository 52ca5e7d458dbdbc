"""A registry whose telemetry stays in memory, for tests to look at."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator import telemetry


class Watched:
    """A registry, its emulator, and everything that OpenTelemetry was told."""

    def __init__(self, registry, emulator, **options):
        self.registry, self.emulator = registry, emulator
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracing, self.metering = TracerProvider(), MeterProvider([self.reader])
        self.tracing.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.handle = telemetry.instrument(
            registry, tracer_provider=self.tracing, meter_provider=self.metering, **options
        )

    @property
    def spans(self):
        """Finished spans, in the order of their end."""
        return list(self.exporter.get_finished_spans())

    @property
    def request_spans(self):
        return [span for span in self.spans if span.name.startswith("orchestrator ")]

    def attempts_of(self, request_span):
        """The children of a request's span."""
        return [span for span in self.spans if span.parent and span.parent.span_id == request_span.context.span_id]

    def points(self, name):
        """The points of one metric as (attributes, point)."""
        data = self.reader.get_metrics_data()
        metrics = [] if data is None else [m for s in data.resource_metrics[0].scope_metrics for m in s.metrics]
        return [(dict(point.attributes), point) for m in metrics if m.name == name for point in m.data.data_points]

    def metric(self, name):
        """The metric itself, with its unit."""
        data = self.reader.get_metrics_data()
        return next(m for s in data.resource_metrics[0].scope_metrics for m in s.metrics if m.name == name)
