"""The header that a call to a provider carries, written when it is sent (W3C Trace Context)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opentelemetry.trace import Span

__all__ = ["Traceparent"]


class Traceparent(Mapping[str, str]):
    """One header: version, trace, parent and whether it is recorded; none where there is no trace to join.

    >>> from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags
    >>> span = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
    >>> dict(Traceparent(span)), dict(Traceparent(INVALID_SPAN))
    ({'traceparent': '00-00000000000000000000000000000001-0000000000000002-01'}, {})
    """

    __slots__ = ("span",)

    def __init__(self, span: Span) -> None:
        self.span = span

    def __getitem__(self, name: str) -> str:
        context = self.span.get_span_context()
        if name != "traceparent" or not context.is_valid:
            raise KeyError(name)
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def __iter__(self) -> Iterator[str]:
        return iter(("traceparent",) if self.span.get_span_context().is_valid else ())

    def __len__(self) -> int:
        return sum(1 for _ in self)
