"""Where an outcome goes: everything that counts, learns or watches, in one place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from orchestrator.core.clock import Clock
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.models.admission import Admission
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.limits.entrances import FREE, Permit
from orchestrator.models.road.pulls import Pulls
from orchestrator.models.road.ratings import Ratings
from orchestrator.models.road.retry_budget import RetryBudgets
from orchestrator.models.roster.expecting import expectations
from orchestrator.models.usage import UsageService

if TYPE_CHECKING:
    from orchestrator.models.money.purse import Spending
    from orchestrator.models.roster.selection import Selection
    from orchestrator.selectors.selector import ModelSelector

__all__ = ["Settlement", "Subscriber", "Watcher"]

T = TypeVar("T")
Subscriber = Callable[[Model, Outcome], None]
Watcher = Callable[[Model, Request], None]
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
        *,
        admission: Admission,
    ) -> None:
        self.selector = selector
        self.health = health
        self.usage = usage
        self.admission = admission
        self.spending: Spending | None = None
        self.pulls = Pulls(selector, clock)
        self.ratings = Ratings(clock)
        self.retry_budgets = RetryBudgets()
        self.outcomes = 0
        self._newcomers: dict[str, Model] = {}
        self._subscribers: list[Subscriber] = []
        self._watchers: list[Watcher] = []
        self._lock = threading.Lock()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber(model, outcome)` after every attempt; what it raises is logged and goes no further."""
        self._subscribers = [*self._subscribers, subscriber]

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher(model, request)` as every attempt leaves, in the task that makes it."""
        self._watchers = [*self._watchers, watcher]

    def unsubscribe(self, listener: Subscriber | Watcher) -> None:
        """Call this one no more, whether it was told of attempts that end or of those that leave."""
        self._subscribers = [one for one in self._subscribers if one != listener]
        self._watchers = [one for one in self._watchers if one != listener]

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """Who is called after every attempt."""
        return tuple(self._subscribers)

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """Who is called as every attempt leaves."""
        return tuple(self._watchers)

    @property
    def listeners(self) -> tuple[object, ...]:
        """Whoever may have noted something that is not yet written."""
        return (*(() if self.usage is None else (self.usage,)), *self._subscribers)

    def enroll(self, model: Model) -> None:
        """The model may be chosen from now on; told again when its facts have changed.

        The selector hears of it at the next choice or call: many newcomers then cost it one table.
        """
        with self._lock:
            self._newcomers[model.id] = model

    def introduce(self) -> None:
        """Tell the selector about those who came since."""
        if not self._newcomers:
            return
        with self._lock:
            self.selector.enroll_many({model.id: expectations(model) for model in self._newcomers.values()})
            self._newcomers.clear()

    def retire(self, model_id: str) -> None:
        """The model is gone; what still comes of its calls teaches nobody."""
        self.introduce()
        with self._lock:
            self.selector.retire(model_id)
        self.health.forget(model_id)
        self.admission.forget(model_id)
        self.retry_budgets.forget(model_id)

    def reserve(self, model: Model, selection: Selection | None = None) -> None:
        """The model was handed to a caller, who will call it soon."""
        self.introduce()
        with self._lock:
            self.pulls.reserve(model, selection)

    def begin(self, model: Model, request: Request) -> Selection | None:
        """An attempt leaves; BudgetExceededError when it may not. Returns the choice it was reserved for, if any."""
        if self.spending is not None:
            self.spending.begin(model, request)
        if self._newcomers:
            self.introduce()
        with self._lock:
            reserved = self.pulls.begin(model)
        self.health.begin(model)
        for watcher in self._watchers:
            try:
                watcher(model, request)
            except Exception:  # noqa: BLE001 - a watcher's fault must never be the caller's
                _log.exception("a watcher failed on an attempt of %r", model.id)
        return reserved

    def abandon(self, model: Model, request: Request, permit: Permit = FREE) -> None:
        """An attempt came to nothing through no fault of the model: cancelled, or never sent."""
        if self.spending is not None:
            self.spending.abandon(model, request.tenant)
        self.admission.cancel(permit)
        with self._lock:
            model.metrics.in_flight -= 1
            self.selector.release(model.id)
        self.health.end(model)

    def flows(self, model: Model, permit: Permit = FREE) -> None:
        """The first content of a stream has come: from now on it may take as long as it likes."""
        self.admission.flows(permit)
        self.health.end(model)

    def settle(self, model: Model, outcome: Outcome, permit: Permit = FREE) -> None:
        """An attempt ended."""
        if self.spending is not None:
            self.spending.settle(model, outcome)
        self.admission.release(model, permit, outcome)
        with self._lock:
            self.outcomes += 1
            model.metrics.in_flight -= 1
            model.metrics.record(outcome)
            self._teach(model, outcome)
        self.retry_budgets.observe(model, outcome)
        self.health.observe(model, outcome)
        if self.usage is not None and outcome.consumed:
            failed, tags = outcome.error is not None, outcome.tags
            self.usage.add(model.id, outcome.usage, outcome.cost_usd, tenant=outcome.tenant, tags=tags, failed=failed)
        for subscriber in self._subscribers:
            try:
                subscriber(model, outcome)
            except Exception:  # noqa: BLE001 - a subscriber's fault must never be the caller's
                _log.exception("a subscriber failed on an attempt of %r", model.id)
        outcome.decided = None  # outcomes are kept for a while, and requests with their prompts must not be

    def _teach(self, model: Model, outcome: Outcome) -> None:
        error, decided = outcome.error, outcome.decided
        context = None if decided is None else decided.context
        if error is None:
            quality = 1.0 if outcome.quality is None else outcome.quality
            self.selector.settle(
                model.id,
                quality=quality,
                cost_usd=outcome.cost_usd,
                latency_s=outcome.latency_s,
                tokens_per_s=outcome.tokens_per_s,
                context=context,
            )
            self.ratings.expect(outcome.response_id, model.id, assumed=quality, context=context)
        elif error.conduct.lowers:
            self.selector.settle(model.id, quality=0.0, cost_usd=outcome.cost_usd, latency_s=None, context=context)
        else:
            self.selector.release(model.id)

    def study(self, lesson: Callable[[ModelSelector], T]) -> T:
        """Let somebody else read or teach the selector while no call is being settled."""
        self.introduce()
        with self._lock:
            return lesson(self.selector)

    def rate(self, response_id: str, quality: float) -> bool:
        """Replace the assumed quality of an answer; False when nothing changed or nobody remembers it."""
        with self._lock:
            known = self.ratings.take(response_id, quality)
            if known is None:
                return False
            model_id, assumed, context = known
            self.selector.revise(model_id, old_quality=assumed, new_quality=quality, context=context)
            return True
