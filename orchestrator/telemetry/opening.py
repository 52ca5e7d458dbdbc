"""How a span is begun: through the interface of any tracer, or straight on where OpenTelemetry's own SDK is behind."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from opentelemetry import trace
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from orchestrator.telemetry.dropped_span import DroppedSpan, Dropping

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Tracer as SDKTracer
    from opentelemetry.trace import Span, Tracer

    from orchestrator.telemetry.facts import Attributes

__all__ = ["Opener", "opener_for"]

_LOW_BITS = (1 << 64) - 1  # of a trace id, by which the SDK samples
_DRAWN = 0x02  # the trace id is random: the second flag of W3C Trace Context, level 2


class Opener(Protocol):
    """Begins the spans of requests and of their attempts."""

    def request(self, operation: str, context: Context) -> Span:
        """A span below whatever span is the current one there."""

    def attempt(self, request: Span, name: str, facts: Attributes) -> Span:
        """A client span below that of a request."""


def opener_for(tracer: Tracer, version: str) -> Opener:
    """The quick way where the tracer is the SDK's and at work, else the one that any tracer has."""
    try:
        from opentelemetry.sdk.trace import Tracer as SDKTracer
    except ImportError:
        return _AnyTracer(tracer)
    if type(tracer) is not SDKTracer or not getattr(tracer, "_is_enabled", lambda: True)():
        return _AnyTracer(tracer)
    return _OwnSpans(tracer, version)


def _named(operation: str) -> tuple[str, Attributes]:
    return f"orchestrator {operation}", {"orchestrator.operation": operation}


class _AnyTracer:
    """Through the interface, whatever is behind it."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def request(self, operation: str, context: Context) -> Span:
        name, facts = _named(operation)
        return self._tracer.start_span(name, context, kind=SpanKind.INTERNAL, attributes=facts)

    def attempt(self, request: Span, name: str, facts: Attributes) -> Span:
        return self._tracer.start_span(name, set_span_in_context(request), kind=SpanKind.CLIENT, attributes=facts)


class _OwnSpans:
    """With the SDK's sampler, ids and processors, and with spans that cost little until an exporter reads them.

    A trace that is not sampled, as most are, costs two numbers.
    """

    def __init__(self, tracer: SDKTracer, version: str) -> None:
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        from orchestrator.telemetry.late_span import Home, LateSpan
        from orchestrator.telemetry.sampling import kept_below

        self._make = LateSpan
        self._home = Home(tracer, InstrumentationScope("orchestrator", version))
        self._sampler, self._ids = tracer.sampler, tracer.id_generator
        self._kept_below = kept_below(tracer.sampler)
        # what the SDK's own generator does, which besides looks whether all 128 bits are zero
        plain = type(self._ids) is RandomIdGenerator
        self._new_trace = partial(random.getrandbits, 128) if plain else self._ids.generate_trace_id
        drawn = getattr(self._ids, "is_trace_id_random", lambda: False)()
        self._random = _DRAWN if drawn else 0
        self._drop = Dropping(self._ids, TraceFlags(self._random))

    def request(self, operation: str, context: Context) -> Span:
        above = trace.get_current_span(context).get_span_context() if context else None
        if above is None or not above.is_valid:
            trace_id = self._new_trace()
            if trace_id & _LOW_BITS >= self._kept_below:
                return DroppedSpan(trace_id, self._drop)
            return self._open(*_named(operation), trace_id, None)
        return self._open(*_named(operation), above.trace_id, above)

    def attempt(self, request: Span, name: str, facts: Attributes) -> Span:
        above = request.get_span_context()
        return self._open(name, facts, above.trace_id, above, context=set_span_in_context(request))

    def _open(
        self, name: str, facts: Attributes, trace_id: int, above: SpanContext | None, *, context: Context | None = None
    ) -> Span:
        """What `Tracer.start_span` of the SDK does, short of checking what we have written ourselves."""
        kind = SpanKind.INTERNAL if context is None else SpanKind.CLIENT
        result = self._sampler.should_sample(context, trace_id, name, kind, facts)
        decision: Any = result.decision  # its methods are not typed
        random = self._random if above is None else above.trace_flags & _DRAWN
        flags = TraceFlags(random | (TraceFlags.SAMPLED if decision.is_sampled() else 0))
        here = SpanContext(trace_id, self._ids.generate_span_id(), False, flags, result.trace_state)
        if not decision.is_recording():
            return NonRecordingSpan(here)
        span: Any = self._make(self._home, name, here, above, kind=kind, facts=dict(result.attributes or {}))
        self._home.tracer.span_processor.on_start(span, context)  # typed for the SDK's own class of span
        return cast("Span", span)
