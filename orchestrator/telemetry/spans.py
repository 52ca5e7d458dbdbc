"""A span for each request, and below it one for each attempt: who was asked, what it took and what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from opentelemetry.trace import INVALID_SPAN, Status, StatusCode

from orchestrator.core.messages import ChatResponse, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.passage import OUTGOING, PASSAGE, Operation, Passage
from orchestrator.telemetry import content, facts
from orchestrator.telemetry.current import CURRENT, with_span
from orchestrator.telemetry.dropped_span import DroppedSpan
from orchestrator.telemetry.names import ERROR_TYPE, MODEL
from orchestrator.telemetry.traceparent import Traceparent

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.telemetry.opening import Opener

__all__ = ["Spans"]

_FAILED = Status(StatusCode.ERROR)


class _Trace(Traceparent):
    """The spans of one request: its own, those of attempts under way, and that of the answer to come.

    It is the header of its own span as well: where nothing is recorded, all of its calls carry that one.
    """

    __slots__ = ("answering", "attached", "headers", "open", "recorded")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.recorded = type(span) is not DroppedSpan and span.is_recording()
        self.attached: Any = None  # these two tell how to leave the context as it was
        self.headers: Any = None
        if self.recorded:  # what is not sampled has no spans but this one
            self.open: dict[str, list[Span]] = {}
            self.answering: tuple[str, Span, int] | None = None  # its response id, span and end in ns

    def settled(self, passage: Passage, model: Model, outcome: Outcome) -> None:
        """An attempt has ended."""
        if passage.duration_s is not None or not (spans := self.open.get(model.id)):
            return
        span = spans.pop()
        told = facts.of_outcome(outcome)
        span.set_attributes(told)
        if ERROR_TYPE in told:
            span.set_status(_FAILED)
        elif self.answering is None:
            self.answering = (outcome.response_id, span, time.time_ns())
            return
        span.end()


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
        self._registry.observe(self)

    def stop(self) -> None:
        """Watch no more."""
        for listener in (self.leaving, self):
            self._registry.unsubscribe(listener)

    # the request

    def began(self, passage: Passage) -> None:
        """A request has come in; whatever span is current where it was made becomes the parent."""
        context = CURRENT.get()
        span = self._opener.request(passage.operation, context)
        if span is INVALID_SPAN:  # nobody writes, and there is no trace to go on with
            return
        trace = passage.notes[self] = _Trace(span)
        outgoing = trace if self._propagate and not trace.recorded else None
        if trace.recorded:
            passage.followers = (*passage.followers, trace.settled)
        if passage.streamed:  # between its pieces the context is the reader's
            passage.outgoing = outgoing
        else:
            trace.attached, trace.headers = CURRENT.set(with_span(context, span)), OUTGOING.set(outgoing)

    def ended(self, passage: Passage) -> None:
        """It is answered, or has failed."""
        trace: _Trace | None = passage.notes.pop(self, None)
        if trace is None:
            return
        if trace.attached is not None:
            CURRENT.reset(trace.attached)
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
        if passage is None or not passage.followers:  # what is not recorded has no recorded calls
            return
        trace: _Trace | None = passage.notes.get(self)
        if trace is None or not trace.recorded:
            return
        told = {**self._facts_of(model, passage.operation), **facts.of_request(request, streamed=passage.streamed)}
        span = self._opener.attempt(trace.span, f"{passage.operation} {model.name}", told)
        if self._capture_content:
            span.set_attributes(content.of_request(request))
        trace.open.setdefault(model.id, []).append(span)
        if trace.attached is not None:
            CURRENT.set(with_span(CURRENT.get(), span))  # undone with that of the request
        OUTGOING.set(Traceparent(span) if self._propagate else None)

    def _facts_of(self, model: Model, operation: Operation) -> facts.Attributes:
        known = self._known.setdefault(model, {})
        if operation not in known:
            known[operation] = {**facts.of_model(model, operation), MODEL: model.id}
        return known[operation]
