"""Which new traces are kept, told by their numbers alone where the sampler goes by those."""

from __future__ import annotations

from opentelemetry.sdk.trace.sampling import ParentBased, ParentBasedTraceIdRatio, Sampler, TraceIdRatioBased

__all__ = ["kept_below"]


def kept_below(sampler: Sampler) -> int:
    """The number which the low 64 bits of a new trace's id must stay below to be kept; the sampler is asked for those.

    Of a sampler that goes by something else it is beyond all of them.

    >>> kept_below(TraceIdRatioBased(0)), kept_below(ParentBased(TraceIdRatioBased(0.5))) == 2**63
    (0, True)
    """
    is_split = type(sampler) in (ParentBased, ParentBasedTraceIdRatio)
    root = getattr(sampler, "_root", None) if is_split else sampler
    return root.bound if type(root) is TraceIdRatioBased else TraceIdRatioBased.TRACE_ID_LIMIT + 1
