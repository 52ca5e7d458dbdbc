"""What is current for OpenTelemetry: its own context variable, without the calls that stand before it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

__all__ = ["CURRENT", "kept", "with_span"]

_SPAN_KEY = next(iter(set_span_in_context(INVALID_SPAN, Context())))  # the key under which a span is the current one


class _Variable(Protocol):
    """As much of a context variable as we need."""

    def get(self) -> Context: ...

    def set(self, context: Context, /) -> Any: ...

    def reset(self, token: Any, /) -> None: ...


class _Interface:
    """The same through the interface, for a context that is kept in another way."""

    get = staticmethod(otel_context.get_current)
    set = staticmethod(otel_context.attach)
    reset = staticmethod(otel_context.detach)


def kept() -> _Variable:
    """The context variable itself, where there is one."""
    variable = getattr(getattr(otel_context, "_RUNTIME_CONTEXT", None), "_current_context", None)
    return variable if isinstance(variable, ContextVar) else _Interface()


CURRENT: _Variable = kept()
"""Baggage, the current span, and whatever else goes along with the running task."""


def with_span(context: Context, span: Span) -> Context:
    """The same context in which this span is the current one."""
    made = Context(context)
    dict.__setitem__(made, _SPAN_KEY, span)  # a context changes for nobody; this one nobody has seen yet
    return made
