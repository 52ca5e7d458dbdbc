"""A request that comes in with a trace goes on with it: the other end of `traceparent`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["joining"]


@contextmanager
def joining(headers: Mapping[str, str]) -> Iterator[None]:
    """Within it the caller's span is the current one (W3C Trace Context), where OpenTelemetry is in use at all.

    >>> with joining({"traceparent": "nonsense"}):
    ...     pass
    """
    if "opentelemetry.trace" not in sys.modules or "traceparent" not in headers:
        yield
        return
    from opentelemetry.context import attach, detach
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    token = attach(TraceContextTextMapPropagator().extract({"traceparent": headers["traceparent"]}))
    try:
        yield
    finally:
        detach(token)
