"""A span whose facts are checked and frozen when an exporter reads them, in the exporter's thread."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import Attributes as OTelAttributes

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Tracer
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from orchestrator.telemetry.facts import Attributes

__all__ = ["Home", "LateSpan"]


class Home:
    """What all spans of one tracer have in common."""

    def __init__(self, tracer: Tracer, scope: InstrumentationScope) -> None:
        self.tracer = tracer
        self.scope = scope
        self.limits: SpanLimits = getattr(tracer, "_span_limits", None) or SpanLimits()

    def bounded(self, of: Literal["event", "link"], attributes: OTelAttributes) -> BoundedAttributes:
        """What is said of an event or a link, checked at once: an exporter fails on what is no value."""
        most = self.limits.max_event_attributes if of == "event" else self.limits.max_link_attributes
        return BoundedAttributes(most, attributes, max_value_len=self.limits.max_attribute_length)


class LateSpan(Span, ReadableSpan):
    """A recording span for the SDK's processors and exporters.

    The SDK's own takes a lock and checks every fact as it is set, on the caller's time; what the engine sets is in
    order, and facts that others add are checked as late as those. After its end nothing is added any more.
    """

    def __init__(
        self,
        home: Home,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        *,
        kind: SpanKind,
        facts: Attributes,
    ) -> None:
        self._home = home
        self._facts = facts
        self._frozen: BoundedAttributes | None = None
        self._added: BoundedList[Event] | None = None
        self._linked: BoundedList[Link] | None = None
        ReadableSpan.__init__(
            self,
            name,
            context,
            parent,
            home.tracer.resource,
            kind=kind,
            start_time=time.time_ns(),
            instrumentation_scope=home.scope,
        )

    # while it is written

    def get_span_context(self) -> SpanContext:
        """Where it stands in its trace."""
        context: SpanContext = self.context
        return context

    def is_recording(self) -> bool:
        """True until its end."""
        return self.end_time is None

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add facts; a later one replaces one of the same name."""
        if self.end_time is None:
            self._facts.update(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        """Add one fact."""
        self.set_attributes({key: value})

    def add_event(self, name: str, attributes: OTelAttributes = None, timestamp: int | None = None) -> None:
        """Something that happened meanwhile; `timestamp` in ns since 1970."""
        if self.end_time is None:
            if self._added is None:
                self._events = self._added = BoundedList(self._home.limits.max_events)
            self._added.append(Event(name, self._home.bounded("event", attributes), timestamp))

    def add_link(self, context: SpanContext, attributes: OTelAttributes = None) -> None:
        """Another span that has to do with this one."""
        if self.end_time is None:
            if self._linked is None:
                self._links = self._linked = BoundedList(self._home.limits.max_links)
            self._linked.append(Link(context, self._home.bounded("link", attributes)))

    def record_exception(
        self,
        exception: BaseException,
        attributes: OTelAttributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the interface's signature
    ) -> None:
        """An error, by the names of the conventions."""
        told = {
            "exception.type": type(exception).__qualname__,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """How it went; what has been called well is not called ill afterwards."""
        told = status if isinstance(status, Status) else Status(status, description)
        settled = self.status.status_code is StatusCode.OK
        if self.end_time is None and not settled and told.status_code is not StatusCode.UNSET:
            self._status = told

    def update_name(self, name: str) -> None:
        """Another name."""
        self._name = name

    def end(self, end_time: int | None = None) -> None:
        """Hand it to the processors, once; `end_time` in ns since 1970."""
        if self.end_time is None:
            self._end_time = time.time_ns() if end_time is None else end_time
            self._home.tracer.span_processor.on_end(self)

    # when it is read

    @property
    def attributes(self) -> OTelAttributes:
        """The facts, checked and within the tracer's limits."""
        return self._checked()

    @property
    def dropped_attributes(self) -> int:
        """How many were too many."""
        return self._checked().dropped

    def to_json(self, indent: int | None = 4) -> str:
        """As the console exporter writes it."""
        self._attributes = self._checked()
        written: str = super().to_json(indent)
        return written

    def _checked(self) -> BoundedAttributes:
        if self._frozen is not None:
            return self._frozen
        limits = self._home.limits
        checked = BoundedAttributes(
            limits.max_span_attributes, self._facts, max_value_len=limits.max_span_attribute_length
        )
        if self.end_time is not None:
            self._frozen = checked
        return checked
