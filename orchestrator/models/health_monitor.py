"""Which models are fit to be asked, learned first of all from the calls themselves."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.errors import Blame, ConfigurationError

if TYPE_CHECKING:
    from orchestrator.errors import ProviderAPIError

__all__ = ["HealthStatus", "ModelHealthMonitor"]

_log = logging.getLogger(__name__)
Status = Literal["unknown", "healthy", "limited", "recovering", "unhealthy"]
_FIRST_LIMIT_S, _MAX_LIMIT_S, _MAX_TOLD_S = 1.0, 60.0, 3600.0
_GONE_S = 300.0


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """How a model is: `status` is unknown, healthy, limited (asked us to wait), recovering or unhealthy.

    `latency` is the median in seconds, `error_rate` a share of recent calls, `cost` mean USD a call,
    `last_check` seconds since 1970, `returns_in_s` the time until the model is tried again.
    """

    model_id: str
    status: Status
    issues: list[str] = field(default_factory=list)
    last_check: float | None = None
    latency: float | None = None
    error_rate: float | None = None
    cost: float | None = None
    returns_in_s: float | None = None

    @property
    def healthy(self) -> bool:
        """True unless the model is out."""
        return self.status not in ("unhealthy", "limited")

    is_healthy = healthy


class _Vitals:
    """What is remembered about one model."""

    __slots__ = ("checked_at", "cool_s", "failures", "issue", "limit_s", "out_until", "status", "successes")

    def __init__(self, cool_s: float) -> None:
        self.status: Status = "unknown"
        self.failures = self.successes = 0
        self.out_until = 0.0
        self.cool_s = cool_s
        self.limit_s = _FIRST_LIMIT_S
        self.issue: str | None = None
        self.checked_at: float | None = None


Listener = Callable[[str, Status, Status], None]


class ModelHealthMonitor:
    """Takes a model out after `failure_threshold` failures in a row and trusts it again after `recovery_threshold`.

    Every call's outcome counts. Out means for `cool_down_s`, doubling up to `max_cool_down_s`, each with +-20 %
    jitter so that several processes do not return together; then one call at a time may try (a circuit breaker,
    half open). Models without traffic are asked every `check_interval` seconds by their own `health_check`.

    >>> ModelHealthMonitor(failure_threshold=0)
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: failure_threshold=0: give a number from 1 up
    """

    def __init__(
        self,
        check_interval: float = 300,
        failure_threshold: int = 3,
        recovery_threshold: int = 2,
        *,
        cool_down_s: float = 5.0,
        max_cool_down_s: float = 300.0,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        for name, value in (("failure_threshold", failure_threshold), ("recovery_threshold", recovery_threshold)):
            if value < 1:
                raise ConfigurationError(f"{name}={value!r}: give a number from 1 up")
        for name, seconds in (("check_interval", check_interval), ("cool_down_s", cool_down_s)):
            if not seconds > 0:
                raise ConfigurationError(f"{name}={seconds!r}: give seconds above 0")
        self.check_interval = check_interval
        self.failure_threshold = failure_threshold
        self.recovery_threshold = recovery_threshold
        self.cool_down_s = cool_down_s
        self.max_cool_down_s = max_cool_down_s
        self.clock = clock
        self._rng = rng if rng is not None else random.Random()
        self._vitals: dict[str, _Vitals] = {}
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Call `listener(model_id, old_status, new_status)` at every change."""
        self._listeners.append(listener)

    # what the calls tell

    def observe(self, model: Model, outcome: Outcome, siblings: Callable[[], Iterable[Model]] = tuple) -> None:
        """Learn from one outcome; `siblings` gives the models that share this model's key."""
        error = outcome.error
        if error is None:
            self._succeeded(model)
        elif error.blame is Blame.LIMIT:
            self._limited(model, error)
        elif error.blame is Blame.KEY:
            for sibling in {model.id: model, **{other.id: other for other in siblings()}}.values():
                self._take_out(sibling, self._of(sibling), _reason(error))
        elif error.blame is Blame.MODEL:
            self._failed(model, error)

    def _succeeded(self, model: Model) -> None:
        vitals = self._of(model)
        vitals.failures = 0
        if vitals.status in ("healthy", "limited"):
            return  # a limit ends by its time, not by calls that left before it
        vitals.successes += 1
        if vitals.status == "unknown" or vitals.successes >= self.recovery_threshold:
            vitals.cool_s, vitals.limit_s, vitals.issue = self.cool_down_s, _FIRST_LIMIT_S, None
            self._become(model, vitals, "healthy")

    def _failed(self, model: Model, error: ProviderAPIError) -> None:
        vitals = self._of(model)
        vitals.failures += 1
        if error.error_type == "not_found":
            self._take_out(model, vitals, _reason(error), at_least_s=_GONE_S)
        elif vitals.status in ("recovering", "unhealthy") or vitals.failures >= self.failure_threshold:
            self._take_out(model, vitals, _reason(error))

    def _limited(self, model: Model, error: ProviderAPIError) -> None:
        vitals = self._of(model)
        told_s = error.retry_after_s
        wait_s = self._jittered(vitals.limit_s) if told_s is None else min(told_s, _MAX_TOLD_S)
        if told_s is None:
            vitals.limit_s = min(vitals.limit_s * 2, _MAX_LIMIT_S)
        vitals.out_until = max(vitals.out_until, self.clock.monotonic() + wait_s)
        vitals.issue = _reason(error)
        if vitals.status != "unhealthy":
            self._become(model, vitals, "limited")

    def _take_out(self, model: Model, vitals: _Vitals, issue: str, *, at_least_s: float = 0.0) -> None:
        now = self.clock.monotonic()
        if vitals.status == "unhealthy" and vitals.out_until > now:
            return  # a late failure of a call that left before: one outage counts once
        vitals.out_until = max(vitals.out_until, now + max(at_least_s, self._jittered(vitals.cool_s)))
        vitals.cool_s = min(vitals.cool_s * 2, self.max_cool_down_s)
        vitals.successes = 0
        vitals.issue = issue
        self._become(model, vitals, "unhealthy")

    def _jittered(self, seconds: float) -> float:
        return seconds * self._rng.uniform(0.8, 1.2)

    def _become(self, model: Model, vitals: _Vitals, status: Status) -> None:
        vitals.checked_at = self.clock.time()
        old, vitals.status = vitals.status, status
        if old != status:
            for listener in self._listeners:
                try:
                    listener(model.id, old, status)
                except Exception:  # noqa: BLE001 - a listener's fault must never be the caller's
                    _log.exception("a listener failed on %r becoming %s", model.id, status)

    def _of(self, model: Model) -> _Vitals:
        vitals = self._vitals.get(model.id)
        if vitals is None:
            vitals = self._vitals[model.id] = _Vitals(self.cool_down_s)
        return vitals

    # what the choice asks

    def blocks(self, model: Model) -> tuple[str, float] | None:
        """Why this model may not be asked now, and until when on the clock; None when it may."""
        vitals = self._vitals.get(model.id)
        if vitals is None or vitals.status not in ("unhealthy", "limited"):
            return None
        if vitals.out_until > self.clock.monotonic():
            left_s = vitals.out_until - self.clock.monotonic()
            return f"{vitals.status}: {vitals.issue}; tried again in {left_s:.0f} s", vitals.out_until
        self._become(model, vitals, "recovering")
        return None

    def probing(self, model: Model) -> bool:
        """True when the model is being tried again and has as many calls in flight as it has earned."""
        vitals = self._vitals.get(model.id)
        return vitals is not None and vitals.status == "recovering" and model.metrics.in_flight > vitals.successes

    def status_of(self, model: Model) -> HealthStatus:
        """Everything known about one model's health."""
        vitals = self._of(model)
        metrics, left_s = model.metrics, vitals.out_until - self.clock.monotonic()
        rate = metrics.success_rate
        return HealthStatus(
            model.id,
            vitals.status,
            [] if vitals.issue is None else [vitals.issue],
            vitals.checked_at,
            metrics.latency_p50,
            None if rate is None else 1 - rate,
            metrics.cost_per_call_usd,
            left_s if vitals.status in ("unhealthy", "limited") and left_s > 0 else None,
        )

    def forget(self, model_id: str) -> None:
        """The model left the registry."""
        self._vitals.pop(model_id, None)

    # what is asked actively

    async def check(self, model: Model) -> bool:
        """Ask the model's own `health_check`; an exception counts as a failure and is named in the issues."""
        vitals = self._of(model)
        try:
            with self.clock.timeout(10):
                fit = bool(await model.health_check())
            issue = "health check says no"
        except Exception as error:  # noqa: BLE001 - the boundary: a user's health check may raise anything
            fit, issue = False, f"health check failed with {type(error).__name__}"
        if fit:
            if vitals.status == "unhealthy":
                self._become(model, vitals, "recovering")
            self._succeeded(model)
        else:
            vitals.failures += 1
            vitals.issue = issue
            if vitals.failures >= self.failure_threshold:
                self._take_out(model, vitals, issue)
        vitals.checked_at = self.clock.time()
        return fit

    async def run(self, models: Callable[[], Iterable[Model]]) -> None:
        """Until cancelled, check every interval the models that had no traffic since the last time."""
        seen: dict[str, int] = {}
        while True:
            await self.clock.sleep(self._jittered(self.check_interval))
            for model in models():
                if seen.get(model.id, 0) == model.metrics.calls:
                    with suppress(asyncio.TimeoutError):
                        await self.check(model)
                seen[model.id] = model.metrics.calls


def _reason(error: ProviderAPIError) -> str:
    return error.error_type + (f" (HTTP {error.status})" if error.status else "")
