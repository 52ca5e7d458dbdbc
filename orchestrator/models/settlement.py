"""Where an outcome goes: everything that counts, learns or watches, in one place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from orchestrator.core.clock import Clock
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.requirements import Requirements, expected_cost
from orchestrator.errors import Blame
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.pulls import Pulls
from orchestrator.models.ratings import Ratings
from orchestrator.models.usage import UsageService

if TYPE_CHECKING:
    from orchestrator.selectors.selector import ModelSelector

__all__ = ["Settlement", "Subscriber"]

Subscriber = Callable[[Model, Outcome], None]
_NO_NEEDS = Requirements()
_log = logging.getLogger(__name__)


class Settlement:
    """Opens and closes the account of every attempt, exactly once each.

    A success stands in for quality 1 until someone rates the answer, a failure of the model for 0; what the caller
    broke, a rate limit or a bad key teach nothing about quality.
    """

    def __init__(
        self,
        selector: ModelSelector,
        health: ModelHealthMonitor,
        usage: UsageService | None,
        clock: Clock,
        siblings: Callable[[Model], Iterable[Model]],
    ) -> None:
        self.selector = selector
        self.health = health
        self.usage = usage
        self.pulls = Pulls(selector, clock)
        self.ratings = Ratings(clock)
        self.outcomes = 0
        self._siblings = siblings
        self._subscribers: list[Subscriber] = []
        self._lock = threading.Lock()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber(model, outcome)` after every attempt; what it raises is logged and goes no further."""
        self._subscribers.append(subscriber)

    def enroll(self, model: Model) -> None:
        """The model may be chosen from now on; told again when its facts have changed."""
        with self._lock:
            self.selector.enroll(
                model.id,
                expected_cost_usd=expected_cost(model, _NO_NEEDS),
                is_local=model.is_local,
                streams=model.capabilities.streaming,
            )

    def retire(self, model_id: str) -> None:
        """The model is gone; what still comes of its calls teaches nobody."""
        with self._lock:
            self.selector.retire(model_id)
        self.health.forget(model_id)

    def reserve(self, model: Model) -> None:
        """The model was handed to a caller, who will call it soon."""
        with self._lock:
            self.pulls.reserve(model)

    def begin(self, model: Model) -> None:
        """An attempt leaves."""
        with self._lock:
            self.pulls.begin(model)

    def abandon(self, model: Model) -> None:
        """An attempt came to nothing through no fault of the model: cancelled, or never sent."""
        with self._lock:
            model.metrics.in_flight -= 1
            self.selector.release(model.id)

    def settle(self, model: Model, outcome: Outcome) -> None:
        """An attempt ended."""
        with self._lock:
            self.outcomes += 1
            model.metrics.in_flight -= 1
            model.metrics.record(outcome)
            self._teach(model, outcome)
        self.health.observe(model, outcome, lambda: self._siblings(model))
        if self.usage is not None and outcome.error is None:
            self.usage.add(model.id, outcome.usage, outcome.cost_usd)
        for subscriber in self._subscribers:
            self._tell(subscriber, model, outcome)

    def _teach(self, model: Model, outcome: Outcome) -> None:
        error = outcome.error
        if error is None:
            quality = 1.0 if outcome.quality is None else outcome.quality
            self.selector.settle(
                model.id,
                quality=quality,
                cost_usd=outcome.cost_usd,
                latency_s=outcome.latency_s,
                tokens_per_s=outcome.tokens_per_s,
            )
            self.ratings.expect(outcome.response_id, model.id, assumed=quality)
        elif error.blame is Blame.MODEL:
            self.selector.settle(model.id, quality=0.0, cost_usd=outcome.cost_usd, latency_s=None)
        else:
            self.selector.release(model.id)

    @staticmethod
    def _tell(subscriber: Subscriber, model: Model, outcome: Outcome) -> None:
        try:
            subscriber(model, outcome)
        except Exception:  # noqa: BLE001 - a watcher's fault must never be the caller's
            _log.exception("a subscriber failed on an outcome of %r", model.id)

    def rate(self, response_id: str, quality: float) -> bool:
        """Replace the assumed quality of an answer; False when nothing changed or nobody remembers it."""
        with self._lock:
            known = self.ratings.take(response_id, quality)
            if known is None:
                return False
            model_id, assumed = known
            self.selector.revise(model_id, old_quality=assumed, new_quality=quality)
            return True
