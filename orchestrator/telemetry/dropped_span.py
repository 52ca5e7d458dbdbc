"""The span of a request whose trace is not kept: a number, and the rest of its context only where somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.trace import NonRecordingSpan, SpanContext

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import TraceFlags

__all__ = ["DroppedSpan", "Dropping"]


class Dropping(NamedTuple):
    """What all dropped spans of one tracer have in common."""

    ids: IdGenerator
    flags: TraceFlags


class DroppedSpan(NonRecordingSpan):
    """Records nothing, and is the parent of what is called below, so that this is dropped as well."""

    def __init__(self, trace_id: int, home: Dropping) -> None:
        self._trace_id = trace_id
        self._home = home

    def get_span_context(self) -> SpanContext:
        """Where it stands, the same whoever asks first."""
        known: SpanContext | None = self.__dict__.get("_known")
        if known is None:
            drawn = SpanContext(self._trace_id, self._home.ids.generate_span_id(), False, self._home.flags)
            known = self.__dict__.setdefault("_known", drawn)
        return known

    def __repr__(self) -> str:
        """By its context, as its kind does."""
        return f"DroppedSpan({self.get_span_context()!r})"
