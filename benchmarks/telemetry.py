"""What telemetry costs a call: off, figures for Prometheus, and OpenTelemetry's SDK, in one run.

    python benchmarks/telemetry.py [--rounds 15] [--calls 300] [--json]

Every round runs each contestant once, in turn, over a model that answers at once; differences and ratios are
taken round by round and shown as median and quartiles. Time is CPU time of the whole process, so that what an exporter
does in its own thread counts too. `sdk alone` opens and ends as many spans, and records as many values, as the engine
does for a call, with four facts each, without the engine. Spans go through a batch processor to an exporter that keeps
nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

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
    """Takes spans and keeps none."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the contract
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


def contestants() -> dict[str, Call]:
    """One way to call each."""
    off, figures = registry(), registry()
    telemetry.prometheus_text(figures)
    found: dict[str, Call] = {
        "off": lambda: off.generate_response("?"),
        "figures": lambda: figures.generate_response("?"),
    }
    every, some, none = tracing(1.0), tracing(0.01), NoOpTracerProvider()
    for name, tracer, meter in (
        ("figures and 1 % of traces", some, NoOpMeterProvider()),
        ("figures and all traces", every, NoOpMeterProvider()),
        ("SDK metrics, no traces", none, MeterProvider([InMemoryMetricReader()])),
        ("SDK metrics, all traces", every, MeterProvider([InMemoryMetricReader()])),
    ):
        told = registry()
        telemetry.instrument(told, tracer_provider=tracer, meter_provider=meter)
        found[name] = lambda told=told: told.generate_response("?")
    found["sdk alone"] = sdk_alone()
    return found


def sdk_alone() -> Call:
    """Two spans and five recorded values: what one call tells, at the SDK's own price."""
    tracer, meter = tracing(1.0).get_tracer("bare"), MeterProvider([InMemoryMetricReader()]).get_meter("bare")
    histogram = meter.create_histogram("bare")
    facts: dict[str, Any] = {"a": "chat", "b": "custom", "c": "m0", "d": "m0"}

    async def tell() -> None:
        for kind in (SpanKind.INTERNAL, SpanKind.CLIENT):
            tracer.start_span("chat m0", kind=kind, attributes=facts).end()
        for _ in range(5):
            histogram.record(1.0, facts)

    return tell


async def cpu_s(call: Call, calls: int) -> float:
    """CPU seconds a call."""
    started = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - started) / calls


async def measured(rounds: int, calls: int) -> dict[str, list[float]]:
    """Seconds a call by contestant and round."""
    field = contestants()
    seconds: dict[str, list[float]] = {name: [] for name in field}
    for number in range(rounds + 1):
        for name, call in field.items():
            gc.collect()
            taken = await cpu_s(call, calls)
            if number:  # the first round warms up
                seconds[name].append(taken)
    return seconds


def rows(seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Microseconds a call, those beyond `off`, and the ratio to it."""
    found = []
    for name, values in seconds.items():
        more = [value - base for value, base in zip(values, seconds["off"], strict=True)]
        low, middle, high = (1e6 * part for part in statistics.quantiles(more, n=4))
        ratio = statistics.median(value / base for value, base in zip(values, seconds["off"], strict=True))
        us = 1e6 * statistics.median(values)
        found.append({"contestant": name, "us": us, "more_us": middle, "q1": low, "q3": high, "ratio": ratio})
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = rows(asyncio.run(measured(options.rounds, options.calls)))
    if options.json:
        print(json.dumps(table))
        return
    print(f"{'contestant':28} {'us a call':>10} {'more':>8}   {'quartiles':16} {'x off':>6}")
    for row in table:
        quartiles = f"{row['q1']:.1f} - {row['q3']:.1f}"
        print(f"{row['contestant']:28} {row['us']:10.1f} {row['more_us']:8.1f}   {quartiles:16} {row['ratio']:6.2f}")


if __name__ == "__main__":
    main()
