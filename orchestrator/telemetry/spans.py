"""A span for each request, and below it one for each attempt: who was asked, what it took and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Status, StatusCode, set_span_in_context

from orchestrator.core.messages import ChatResponse, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.passage import OUTGOING, PASSAGE, Operation, Passage
from orchestrator.telemetry import content, facts
from orchestrator.telemetry.dropped_span import DroppedSpan
from orchestrator.telemetry.names import ERROR_TYPE, MODEL
from orchestrator.telemetry.traceparent import Traceparent

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.telemetry.opening import Opener

__all__ = ["Spans"]

_FAILED = Status(StatusCode.ERROR)
_CURRENT = next(iter(set_span_in_context(INVALID_SPAN, Context())))  # the key under which a span is the current one


class _Trace:
    """The spans of one request: its own, those of attempts under way, and that of the answer to come."""

    __slots__ = ("answering", "attached", "headers", "open", "recorded", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.recorded = type(span) is not DroppedSpan and span.is_recording()
        self.attached: Any = None  # these two tell how to leave the context as it was
        self.headers: Any = None
        if self.recorded:  # what is not sampled has no spans but this one
            self.open: dict[str, list[Span]] = {}
            self.answering: tuple[str, Span, int] | None = None  # its response id, span and end in ns


class Spans:
    """Writes the spans of one registry.

    With `propagate` a call to a provider carries `traceparent` (W3C Trace Context, nothing but the two ids and the
    flag); with `capture_content` a span holds what was said.
    """

    def __init__(self, registry: ModelRegistry, opener: Opener, *, propagate: bool, capture_content: bool) -> None:
        self._registry = registry
        self._opener = opener
        self._propagate = propagate
        self._capture_content = capture_content
        self._known: WeakKeyDictionary[Model, dict[Operation, facts.Attributes]] = WeakKeyDictionary()

    def start(self) -> None:
        """Watch from now on."""
        self._registry.watch(self.leaving)
        self._registry.subscribe(self.settled)
        self._registry.observe(self)

    def stop(self) -> None:
        """Watch no more."""
        for listener in (self.leaving, self.settled, self):
            self._registry.unsubscribe(listener)

    # the request

    def began(self, passage: Passage) -> None:
        """A request has come in; whatever span is current where it was made becomes the parent."""
        operation = passage.operation
        span = self._opener.request(f"orchestrator {operation}", {"orchestrator.operation": operation})
        trace = passage.notes[self] = _Trace(span)
        if not passage.streamed:  # between the pieces of a stream the context is the reader's
            trace.attached = otel_context.attach(Context({**otel_context.get_current(), _CURRENT: span}))
            trace.headers = OUTGOING.set(None if trace.recorded else self._headers_of(span))

    def ended(self, passage: Passage) -> None:
        """It is answered, or has failed."""
        trace: _Trace | None = passage.notes.pop(self, None)
        if trace is None:
            return
        if trace.attached is not None:
            otel_context.detach(trace.attached)
            OUTGOING.reset(trace.headers)
        if trace.recorded:
            self._close_attempts(trace, passage)
            trace.span.set_attributes(facts.of_passage(passage, type(self._registry.selector).__name__))
            if passage.error is not None:
                trace.span.set_status(_FAILED)
            trace.span.end()

    def _close_attempts(self, trace: _Trace, passage: Passage) -> None:
        """The span of the winning attempt waits for what only the answer knows."""
        if trace.answering is not None:
            response_id, span, ended_ns = trace.answering
            response = passage.response
            if isinstance(response, ChatResponse) and response.id == response_id and span.is_recording():
                span.set_attributes(facts.of_answer(response))
                if self._capture_content:
                    span.set_attributes(content.of_answer(response))
            span.end(ended_ns)
        for spans in trace.open.values():  # abandoned: never sent, and so never settled
            for span in spans:
                span.end()

    # its attempts

    def leaving(self, model: Model, request: Request) -> None:
        """An attempt leaves, in the task that makes it."""
        passage = PASSAGE.get()
        trace: _Trace | None = None if passage is None else passage.notes.get(self)
        if passage is None or trace is None:
            return
        if not trace.recorded:  # nor are its calls
            if passage.streamed:
                OUTGOING.set(self._headers_of(trace.span))
            return
        told = {**self._facts_of(model, passage.operation), **facts.of_request(request, streamed=passage.streamed)}
        span = self._opener.attempt(trace.span, f"{passage.operation} {model.name}", told)
        if self._capture_content:
            span.set_attributes(content.of_request(request))
        trace.open.setdefault(model.id, []).append(span)
        if trace.attached is not None:
            otel_context.attach(set_span_in_context(span))  # undone with that of the request
        OUTGOING.set(self._headers_of(span))

    def _headers_of(self, span: Span) -> Mapping[str, str] | None:
        return Traceparent(span) if self._propagate else None

    def _facts_of(self, model: Model, operation: Operation) -> facts.Attributes:
        known = self._known.setdefault(model, {})
        if operation not in known:
            known[operation] = {**facts.of_model(model, operation), MODEL: model.id}
        return known[operation]

    def settled(self, model: Model, outcome: Outcome) -> None:
        """An attempt has ended."""
        passage = PASSAGE.get()
        trace: _Trace | None = None if passage is None else passage.notes.get(self)
        if trace is None or not trace.recorded or not (spans := trace.open.get(model.id)):
            return
        span = spans.pop()
        told = facts.of_outcome(outcome)
        span.set_attributes(told)
        if ERROR_TYPE in told:
            span.set_status(_FAILED)
        elif trace.answering is None and passage is not None and passage.duration_s is None:
            trace.answering = (outcome.response_id, span, time.time_ns())
            return
        span.end()
