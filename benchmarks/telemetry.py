"""What telemetry costs a call: off, figures for Prometheus, and OpenTelemetry's SDK, in one run.

    python benchmarks/telemetry.py [--rounds 60] [--calls 300] [--json]

Every round runs each contestant once, in turn, over a model that answers at once. `path` is CPU time of the thread that
makes the calls, of which the least of all rounds counts: what else the machine does makes a round longer, and none
shorter. `more` is the difference from `off`, quartiles and ratio are those of differences round by round. `behind` is
what writing out spans as protobuf takes, which are then kept nowhere. `sdk alone` opens and ends as many spans, and
records as many values, as the engine does for a call, with four facts each, without the engine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import NoOpTracerProvider, SpanKind

from orchestrator import Cost, Model, ModelRegistry, telemetry
from orchestrator.core.messages import Reply, Request
from orchestrator.core.usage import UsageStats

Call = Callable[[], Awaitable[object]]


class Prompt(Model):
    """A model that answers at once."""

    async def send(self, request: Request) -> Reply:  # noqa: ARG002 - the contract
        return Reply("yes", usage=UsageStats(40, 110))


class Nowhere(SpanExporter):
    """Writes spans out for the wire and keeps none."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        pass


def registry() -> ModelRegistry:
    """Ten models, as in the benchmark of the whole call."""
    made = ModelRegistry(seed=0)
    for number in range(10):
        made.register_model(Prompt(id=f"m{number}", provider="custom", cost=Cost(input=1 + number / 10, output=3)))
    return made


def tracing(ratio: float) -> TracerProvider:
    """An SDK that samples this share of the traces."""
    provider = TracerProvider(sampler=TraceIdRatioBased(ratio))
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    return provider


def contestants() -> dict[str, tuple[Call, Sequence[TracerProvider]]]:
    """One way to call each, and who writes out its spans."""
    off, figures = registry(), registry()
    telemetry.prometheus_text(figures)
    found: dict[str, tuple[Call, Sequence[TracerProvider]]] = {
        "off": (lambda: off.generate_response("?"), ()),
        "figures": (lambda: figures.generate_response("?"), ()),
    }
    nobody = NoOpMeterProvider()
    for name, tracer, meter in (
        ("metrics, no traces", NoOpTracerProvider(), MeterProvider([InMemoryMetricReader()])),
        ("metrics and 1 % of traces", tracing(0.01), MeterProvider([InMemoryMetricReader()])),
        ("metrics and all traces", tracing(1.0), MeterProvider([InMemoryMetricReader()])),
        ("all traces, no metrics", tracing(1.0), nobody),
    ):
        told = registry()
        telemetry.instrument(told, tracer_provider=tracer, meter_provider=meter)
        written = (tracer,) if isinstance(tracer, TracerProvider) else ()
        found[name] = (lambda told=told: told.generate_response("?")), written
    alone = tracing(1.0)
    found["sdk alone"] = sdk_alone(alone), (alone,)
    return found


def sdk_alone(provider: TracerProvider) -> Call:
    """Two spans and five recorded values: what one call tells, at the SDK's own price."""
    tracer, meter = provider.get_tracer("bare"), MeterProvider([InMemoryMetricReader()]).get_meter("bare")
    histogram = meter.create_histogram("bare")
    facts: dict[str, Any] = {"a": "chat", "b": "custom", "c": "m0", "d": "m0"}

    async def tell() -> None:
        for kind in (SpanKind.INTERNAL, SpanKind.CLIENT):
            tracer.start_span("chat m0", kind=kind, attributes=facts).end()
        for _ in range(5):
            histogram.record(1.0, facts)

    return tell


class Taken(NamedTuple):
    """CPU seconds a call: on its way, and what is left to do afterwards and elsewhere."""

    path_s: float
    behind_s: float


async def taken(call: Call, tracers: Sequence[TracerProvider], calls: int) -> Taken:
    """What these calls take, until the last span is out."""
    whole, path = time.process_time(), time.thread_time()
    for _ in range(calls):
        await call()
    path = time.thread_time() - path
    for tracer in tracers:
        tracer.force_flush()  # in this thread, which in a program would be another's work
    return Taken(path / calls, (time.process_time() - whole - path) / calls)


async def measured(rounds: int, calls: int) -> dict[str, list[Taken]]:
    """What a call takes by contestant and round."""
    field = contestants()
    found: dict[str, list[Taken]] = {name: [] for name in field}
    for number in range(rounds + 1):
        for name, (call, tracers) in field.items():
            gc.collect()
            one = await taken(call, tracers, calls)
            if number:  # the first round warms up
                found[name].append(one)
    return found


def rows(found: dict[str, list[Taken]]) -> list[dict[str, Any]]:
    """Microseconds a call: the least of its own thread, how many more than `off`, those behind, and the ratio."""
    table, off = [], found["off"]
    for name, values in found.items():
        pairs = list(zip(values, off, strict=True))
        low, _, high = (
            1e6 * part for part in statistics.quantiles([one.path_s - base.path_s for one, base in pairs], n=4)
        )
        least_s = min(one.path_s for one in values)
        table.append(
            {
                "contestant": name,
                "path_us": 1e6 * least_s,
                "more_us": 1e6 * (least_s - min(one.path_s for one in off)),
                "q1": low,
                "q3": high,
                "behind_us": 1e6 * statistics.median(one.behind_s for one in values),
                "ratio": statistics.median(one.path_s / base.path_s for one, base in pairs),
            }
        )
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = rows(asyncio.run(measured(options.rounds, options.calls)))
    if options.json:
        print(json.dumps(table))
        return
    print(f"{'contestant':28} {'path us':>8} {'more':>8}   {'quartiles':16} {'x off':>6} {'behind us':>10}")
    for row in table:
        quartiles = f"{row['q1']:.1f} - {row['q3']:.1f}"
        told = f"{row['contestant']:28} {row['path_us']:8.1f} {row['more_us']:8.1f}   {quartiles:16}"
        print(f"{told} {row['ratio']:6.2f} {row['behind_us']:10.1f}")


if __name__ == "__main__":
    main()
