"""What leaves the process: over OTLP to a real collector on loopback, and into nothing when the collector is down."""

import logging
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from telemetry_stage import Watched

from orchestrator import Model, ModelRegistry, telemetry
from orchestrator.testing import closed_port


class Echo(Model):
    async def generate_response(self, prompt, **kwargs):
        return prompt

    async def health_check(self):
        return True


@pytest.fixture
def registry():
    made = ModelRegistry()
    made.register_model(Echo(id="echo", provider="custom"))
    return made


@pytest.fixture
def collector():
    """The address of an OTLP collector, and the spans it has received."""
    received = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            export = ExportTraceServiceRequest.FromString(body)
            received.extend(s for r in export.resource_spans for scope in r.scope_spans for s in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_collector_gets_the_spans(registry, collector):
    """Both of a request, parent and child, as protobuf over HTTP."""
    url, received = collector
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    with telemetry.instrument(
        registry, tracer_provider=provider, meter_provider=Watched(ModelRegistry(), None).metering
    ):
        await registry.generate_response("hi")
    provider.shutdown()
    child, parent = received
    assert (child.name, parent.name) == ("chat echo", "orchestrator chat")
    assert child.parent_span_id == parent.span_id


async def test_a_collector_that_is_down_costs_no_request(registry, caplog):
    """Requests are answered, the queue stays bounded, what does not fit is dropped, and nobody waits."""
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{closed_port()}/v1/traces", timeout=0.05)
    processor = BatchSpanProcessor(exporter, max_queue_size=16, max_export_batch_size=16)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    with telemetry.instrument(
        registry, tracer_provider=provider, meter_provider=Watched(ModelRegistry(), None).metering
    ):
        answers = [await registry.generate_response(f"{number}") for number in range(100)]
    provider.shutdown()
    assert [answer.text for answer in answers] == [f"{number}" for number in range(100)]


async def test_an_exporter_that_raises_costs_no_request(registry, caplog):
    """A span processor of the user's own that is broken is logged, not felt."""

    class Broken:
        def on_start(self, span, parent_context=None):
            raise RuntimeError("a fault of the processor")

        def on_end(self, span):
            raise RuntimeError("a fault of the processor")

        def shutdown(self):
            pass

    provider = TracerProvider()
    provider.add_span_processor(Broken())
    with telemetry.instrument(
        registry, tracer_provider=provider, meter_provider=Watched(ModelRegistry(), None).metering
    ):
        assert (await registry.generate_response("hi")).text == "hi"
        assert "".join([chunk.text async for chunk in registry.stream_response("hi")]) == "hi"
    assert "hi" not in [record.getMessage() for record in caplog.records]


def test_figures_need_no_opentelemetry():
    """Prometheus and logs work without the extra, and what needs it says how to get it."""
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from orchestrator import ModelRegistry, telemetry
from orchestrator.errors import ConfigurationError
assert "orchestrator_decisions_total" in telemetry.prometheus_text(ModelRegistry())
telemetry.json_handler()
try:
    telemetry.instrument(ModelRegistry())
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "OpenTelemetry is not installed: pip install 'model-orchestrator[otel]'\n"


async def test_nobody_who_watches_costs_nothing(registry):
    """Without telemetry no request is noted at all, and after it neither."""
    assert not registry.service.observers
    subscribers = registry.settlement.listeners
    w = Watched(registry, None)
    w.handle.stop()
    telemetry.meter_of(registry).stop()
    assert not registry.service.observers
    assert registry.settlement.listeners == subscribers
