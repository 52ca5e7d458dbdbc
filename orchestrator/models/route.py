"""One request's way through the models: who was tried, and how much time and how many attempts are left."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.core.clock import Clock
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Attempt, Outcome
from orchestrator.core.requirements import Requirements
from orchestrator.errors import Blame, CapacityError, NoEligibleModelsError, ProviderAPIError, ProviderTimeoutError

if TYPE_CHECKING:
    from orchestrator.models.admission import Admission
    from orchestrator.models.health_monitor import ModelHealthMonitor

__all__ = ["Route"]

_BACK_OFF_S, _MAX_BACK_OFF_S = 0.5, 8.0


class Route:
    """Names the next model to try until one answers, the attempts are used up or the deadline is reached.

    `choose` picks among the models that meet the requirements, and every failed model is left out of the next
    choice. Where there is only one, `only` or the only one that fits, its passing failures are retried after a pause.
    """

    __slots__ = (
        "_admission",
        "_choose",
        "_clock",
        "_failed",
        "_health",
        "_left",
        "_only",
        "_request",
        "_rng",
        "attempts",
        "ends_at",
        "error",
        "strict",
        "wait_s",
        "wanted",
    )

    def __init__(
        self,
        request: Request,
        wanted: Requirements,
        *,
        choose: Callable[[Requirements], Model],
        only: Model | None,
        admission: Admission,
        health: ModelHealthMonitor,
        clock: Clock,
        rng: random.Random,
        deadline_s: float,
        strict: bool,
        max_attempts: int,
    ) -> None:
        self.wanted = wanted
        self.attempts: tuple[Attempt, ...] = ()
        self.error: ProviderAPIError | None = None
        self.wait_s = 0.0  # how long to pause before the model that was named last is asked
        self.strict = strict  # the caller set the deadline: it bounds a flowing stream too
        self._request = request
        self._failed: Model | None = None
        self._choose = choose
        self._only = only
        self._admission = admission
        self._health = health
        self._clock = clock
        self._rng = rng
        self.ends_at = clock.monotonic() + deadline_s
        self._left = max_attempts

    def next_model(self) -> Model:
        """The model to ask now; raises what stopped the request when there is none."""
        self.wait_s = 0.0
        return self._next_choice() if self._only is None else self._same(self._only)

    def _same(self, model: Model) -> Model:
        """The only model there is, again after a pause if it has failed before."""
        if self.error is not None:
            self.wait_s = self._pause(self.error)
        wait_s = self._admission.wait_s(model, self._request)
        if wait_s:
            raise CapacityError(f"{model.id!r} is at its limits; retry in {wait_s:.1f} s", retry_after_s=wait_s)
        return model

    def _next_choice(self) -> Model:
        waits: list[float] = []
        probed: Model | None = None
        while True:
            try:
                model = self._choose(self.wanted)
            except NoEligibleModelsError:
                if probed is not None:
                    return probed  # one more call to a model that is coming back is better than no answer
                if waits:
                    soonest = min(waits)
                    message = f"all {len(waits)} fitting models are at their limits; retry in {soonest:.1f} s"
                    raise CapacityError(message, retry_after_s=soonest) from self.error
                if self._failed is not None and self.wanted.tried == {self._failed.id}:
                    return self._same(self._failed)
                if self.error is not None:
                    raise self._exhausted() from self.error.__cause__
                raise
            wait_s = self._admission.wait_s(model, self._request)
            if wait_s:
                waits.append(wait_s)
            elif self._health.probing(model):
                probed = probed or model
            else:
                return model
            self._leave_out(model)

    @property
    def left_s(self) -> float:
        """Seconds until the deadline of the whole request."""
        return max(0.0, self.ends_at - self._clock.monotonic())

    @property
    def limit_s(self) -> float:
        """Seconds for this attempt: an equal share of what is left, so that a hanging model leaves time for others."""
        left_s = self.left_s
        return left_s if self._only is not None or self._left <= 1 else left_s / self._left

    def failed(self, model: Model, outcome: Outcome) -> None:
        """Take note of a failure; raises it when nobody else should be asked."""
        self._failed = model
        error = self.error = outcome.error
        assert error is not None
        self.attempts = (*self.attempts, outcome.attempt)
        self._left -= 1
        if error.blame is Blame.CALLER or self._left <= 0 or self._clock.monotonic() >= self.ends_at:
            raise self._exhausted() from error.__cause__
        if self._only is None:
            self._leave_out(model)
        if error.error_type == "context_length" and model.context_size is not None:
            room = max(int(self.wanted.context_length or 0), model.context_size + 1)
            self.wanted = replace(self.wanted, context_length=room)

    def _pause(self, error: ProviderAPIError) -> float:
        """How long to wait before the same model is asked again, or the error if it should not be."""
        made = len(self.attempts)
        pause_s: float = self._rng.random() * min(_MAX_BACK_OFF_S, _BACK_OFF_S * 2**made)  # full jitter
        if error.blame is Blame.LIMIT and error.retry_after_s is not None:
            pause_s = error.retry_after_s
        elif not error.again:
            raise self._exhausted() from error.__cause__
        if self._clock.monotonic() + pause_s >= self.ends_at:
            raise self._exhausted() from error.__cause__
        return pause_s

    def _leave_out(self, model: Model) -> None:
        self.wanted = replace(self.wanted, tried=self.wanted.tried | {model.id})

    def _exhausted(self) -> ProviderAPIError:
        """The last error, with every attempt on it."""
        error = self.error if self.error is not None else ProviderTimeoutError("the deadline was reached")
        error.attempts = self.attempts
        return error
