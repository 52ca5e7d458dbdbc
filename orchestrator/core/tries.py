"""One try among several, as the caller sees it afterwards."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Attempt"]


class Attempt(NamedTuple):
    """One try, as the caller sees it afterwards: who, what came of it, how long it took, what it cost."""

    model_id: str
    error_type: str | None
    latency_s: float
    cost_usd: float | None = None
