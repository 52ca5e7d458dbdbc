"""How a model is, as people and dashboards read it."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.core.circuit import Status

__all__ = ["HealthStatus"]


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """How a model is: `status` is unknown, healthy, limited (asked us to wait), recovering, unhealthy or drained.

    `latency` is the median in seconds, `error_rate` a share of recent calls, `cost` mean USD a call,
    `last_check` seconds since 1970, `returns_in_s` the time until the model is tried again, `reason` what took it
    out, `failures` how many calls in a row have failed, `waiting` how many are out without an answer.
    """

    model_id: str
    status: Status
    issues: list[str] = field(default_factory=list)
    last_check: float | None = None
    latency: float | None = None
    error_rate: float | None = None
    cost: float | None = None
    returns_in_s: float | None = None
    reason: str | None = None
    failures: int = 0
    waiting: int = 0

    @property
    def healthy(self) -> bool:
        """True unless the model is out."""
        return self.status not in ("unhealthy", "limited", "drained")

    is_healthy = healthy
