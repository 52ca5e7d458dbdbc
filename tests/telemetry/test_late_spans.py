"""Spans on the quick way: what exporters read is what the SDK's own spans would have told them."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from orchestrator import Model, ModelRegistry, OpenAIModel, telemetry
from orchestrator.telemetry import current
from orchestrator.telemetry.late_span import LateSpan
from orchestrator.telemetry.opening import opener_for
from orchestrator.telemetry.sampling import kept_below
from orchestrator.testing import Fail, FaultServer


def provider_of(**options):
    """An SDK that keeps what it exports."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(**options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def write(span):
    """Everything that somebody may do to a span."""
    span.set_attribute("text", "x" * 50)
    span.set_attributes({"number": 1.5, "list": ["a", "b"], "yes": True, "number2": 2, "one more": 3})
    span.add_event("seen", {"what": "a bird"}, 5)
    span.add_link(SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1)), {"why": "cause"})
    span.record_exception(ValueError("no"), timestamp=6)
    span.update_name("renamed")
    span.set_status(StatusCode.OK)
    span.set_status(Status(StatusCode.ERROR, "too late"))
    span.end(9)
    span.end(10)


def told(span):
    """A span as JSON, without what differs from one to the next."""
    found = json.loads(span.to_json())
    for name in ("context", "start_time"):
        del found[name]
    return found


def test_a_late_span_reads_as_the_sdks_own():
    """As JSON and over the wire, within the limits of the tracer."""
    limits = SpanLimits(max_span_attributes=4, max_span_attribute_length=9, max_events=1, max_links=1)
    provider, exporter = provider_of(span_limits=limits)
    tracer = provider.get_tracer("orchestrator", "1")
    late = opener_for(tracer, "1").request("chat", Context())
    own = tracer.start_span("orchestrator chat", attributes={"orchestrator.operation": "chat"})
    for span in (late, own):
        assert span.is_recording()
        write(span)
        assert not span.is_recording()
    ours, theirs = exporter.get_finished_spans()
    assert isinstance(ours, LateSpan) != isinstance(theirs, LateSpan)
    assert told(ours) == told(theirs)
    assert (ours.dropped_attributes, ours.dropped_events, ours.dropped_links) == (
        theirs.dropped_attributes,
        theirs.dropped_events,
        theirs.dropped_links,
    )
    wire = [encode_spans([span]).resource_spans[0].scope_spans[0] for span in (ours, theirs)]
    assert wire[0].scope == wire[1].scope
    assert wire[0].spans[0].attributes == wire[1].spans[0].attributes
    assert wire[0].spans[0].flags == wire[1].spans[0].flags
    provider.shutdown()


def test_what_is_no_value_fails_no_exporter():
    """Whoever writes it, into a span, an event or a link: it is told as the SDK tells it."""
    provider, exporter = provider_of(span_limits=SpanLimits(max_event_attributes=2, max_attribute_length=3))
    tracer = provider.get_tracer("orchestrator", "1")
    for span in (
        opener_for(tracer, "1").request("chat", Context()),
        tracer.start_span("orchestrator chat", attributes={"orchestrator.operation": "chat"}),
    ):
        facts = {"dropped": 1, "an object": {1, 2}, "long": "abcdef"}
        span.add_event("seen", facts, 5)
        span.add_link(SpanContext(7, 8, is_remote=True), facts)
        span.end(9)
    ours, theirs = exporter.get_finished_spans()
    assert told(ours) == told(theirs)
    assert encode_spans([ours])
    provider.shutdown()


def test_a_processor_is_told_of_the_beginning_and_may_add():
    """As one does that copies baggage; what comes after the end is too late."""

    class Marks(SpanProcessor):
        def on_start(self, span, parent_context=None):
            span.set_attribute("mark", span.name)

    provider = TracerProvider()
    provider.add_span_processor(Marks())
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = opener_for(provider.get_tracer("x"), "1").request("chat", Context())
    span.end()
    span.set_attribute("late", 1)
    [found] = exporter.get_finished_spans()
    assert dict(found.attributes) == {"orchestrator.operation": "chat", "mark": "orchestrator chat"}
    provider.shutdown()


async def test_a_model_writes_into_the_span_of_its_call():
    """What a model of the user's own adds to the current span is exported with it."""

    class Tells(Model):
        async def generate_response(self, prompt, **kwargs):
            span = trace.get_current_span()
            span.set_attribute("mine", 1)
            span.add_event("thought", {"about": "it"})
            return "yes"

        async def health_check(self):
            return True

    registry = ModelRegistry()
    registry.register_model(Tells(id="t", provider="custom"))
    provider, exporter = provider_of()
    with telemetry.instrument(registry, tracer_provider=provider, meter_provider=MeterProvider([])):
        await registry.invoke_model_async("t", "hi")
    call, request = exporter.get_finished_spans()
    assert (call.attributes["mine"], [event.name for event in call.events]) == (1, ["thought"])
    assert "mine" not in request.attributes
    provider.shutdown()


RATIOS = [TraceIdRatioBased(0.3), ParentBased(TraceIdRatioBased(0.01)), ParentBasedTraceIdRatio(0.9)]


@given(st.sampled_from(RATIOS), st.integers(1, 2**128 - 1))
def test_only_what_the_sampler_would_drop_is_dropped_unasked(sampler, trace_id):
    """To the number."""
    asked = sampler.should_sample(None, trace_id, "n", SpanKind.INTERNAL).decision
    assert (trace_id & (2**64 - 1) >= kept_below(sampler)) == (asked is Decision.DROP)


class _ByName(Sampler):
    """Keeps by name, and adds why."""

    def should_sample(self, parent_context, trace_id, name, *_, **__):
        kept = "keep" in name
        return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP, {"rule": "name"} if kept else None)

    def get_description(self):
        return "by name"


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, ALWAYS_ON, _ByName()], ids=["off", "on", "by name"])
def test_any_other_sampler_is_asked(sampler):
    """Also one that goes by the name and has something to say itself."""
    provider, exporter = provider_of(sampler=sampler)
    opener = opener_for(provider.get_tracer("x"), "1")
    for name in ("keep", "leave"):
        request = opener.request(name, Context())
        opener.attempt(request, name, {}).end()
        request.end()
    kept = ["keep", "orchestrator keep"]
    expected = {ALWAYS_OFF: [], ALWAYS_ON: [*kept, "leave", "orchestrator leave"]}.get(sampler, kept)
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == expected
    assert all(("rule" in span.attributes) == isinstance(sampler, _ByName) for span in spans)
    provider.shutdown()


def test_a_context_that_is_kept_in_another_way_is_reached_by_the_interface(monkeypatch):
    """Such as one that `OTEL_PYTHON_CONTEXT` names: set, seen by others, and as it was afterwards."""
    monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", SimpleNamespace(**_kept_aside()))
    kept = current.kept()
    token = kept.set(current.with_span(kept.get(), trace.NonRecordingSpan(SpanContext(7, 8, is_remote=False))))
    assert trace.get_current_span().get_span_context().span_id == 8
    kept.reset(token)
    assert trace.get_current_span() is trace.INVALID_SPAN


def _kept_aside():
    """A runtime context in a list."""
    held = [Context()]
    return {
        "attach": lambda context: held.append(context) or len(held),
        "get_current": lambda: held[-1],
        "detach": lambda place: held.__delitem__(slice(place - 1, None)),
    }


def test_a_dropped_span_can_be_printed():
    """As whoever looks for a fault does with what is current."""
    provider, _ = provider_of(sampler=TraceIdRatioBased(0))
    span = opener_for(provider.get_tracer("x"), "1").request("chat", Context())
    assert f"{span.get_span_context().span_id:016x}" in repr(span)
    provider.shutdown()


async def test_what_is_dropped_is_dropped_all_the_way():
    """Its calls, the spans that are opened inside, and by the provider, who is told so under one number."""
    provider, exporter = provider_of(sampler=ParentBased(TraceIdRatioBased(0)))
    inner = provider.get_tracer("app")

    async with FaultServer([Fail(503), Fail(503)]) as server:
        registry = ModelRegistry(cache_responses=False)
        for name in ("a", "b"):
            registry.register_model(OpenAIModel(name=name, api_key="k", base_url=server.base_url("openai")))
        registry.watch(lambda *_: inner.start_span("inside").end())
        with telemetry.instrument(registry, tracer_provider=provider, meter_provider=MeterProvider([])):
            await registry.generate_response("hi", max_attempts=3)
        await registry.cleanup()
        headers = [one.headers["traceparent"] for one in server.requests]
    assert exporter.get_finished_spans() == ()
    assert len(headers) > 1
    assert len({header[:35] for header in headers}) == 1
    assert not any(int(header[-2:], 16) & 1 for header in headers)
    provider.shutdown()


def test_a_tracer_of_another_build_is_spoken_to_by_its_interface():
    """Such as the one that stands for a provider yet to come."""
    opener = opener_for(trace.NoOpTracer(), "1")
    span = opener.request("chat", Context())
    assert not opener.attempt(span, "t", {}).is_recording()
