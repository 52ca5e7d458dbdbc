"""Models, and the engine that asks them: its parts by their names, and a word to everybody who watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.core.clock import Clock
from orchestrator.core.model import Model
from orchestrator.models.admission import Admission
from orchestrator.models.budgets import Budgets
from orchestrator.models.dispatcher import Dispatcher
from orchestrator.models.draining import Gate
from orchestrator.models.engine import Engine
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_map import ModelMap
from orchestrator.models.road.observing import Observer
from orchestrator.models.road.recall import Recall
from orchestrator.models.road.settlement import Settlement, Subscriber, Watcher
from orchestrator.models.roster.choosing import Roster
from orchestrator.models.roster.pricing import price_of
from orchestrator.models.roster.selection import Selection
from orchestrator.models.usage import UsageService
from orchestrator.selectors.selector import ModelSelector

if TYPE_CHECKING:
    from orchestrator.models.journal import Journal
    from orchestrator.settings import Settings
    from orchestrator.state.sharing import Sharing

__all__ = ["Fleet"]


class Fleet(ModelMap):
    """The half of the registry that knows the engine: who comes in is enrolled there, who leaves is forgotten there."""

    engine: Engine
    service: Dispatcher  # who has requests answered
    settings: Settings | None = None  # those it was made from, if it was
    sharing: Sharing | None = None  # what is shared with other processes

    def _roster(self) -> Roster:
        return self._version, self._models  # in this order: a verdict may be too old, never too young

    def _joined(self, model: Model, replaced: Model | None) -> None:
        if model.cost is None or "cost" in model.info.discovered:
            model.cost = price_of(model.info)
        model._caller = self.service  # noqa: SLF001 - the registry and its models are one
        if replaced is not None:
            replaced._caller = None  # noqa: SLF001 - likewise
            self.health.begin_anew(model.id)
        self.settlement.enroll(model)

    def _left(self, model: Model) -> None:
        model._caller = None  # noqa: SLF001 - likewise
        self.settlement.retire(model.id)

    def _health_changed(self, *_: object) -> None:
        self._changed()  # who fits is found out anew

    # the parts of the engine

    @property
    def selector(self) -> ModelSelector:
        """The policy, with every registered model enrolled."""
        self.settlement.introduce()
        return self.engine.selector

    @property
    def clock(self) -> Clock:
        """By what everything here tells the time."""
        return self.engine.clock

    @property
    def health(self) -> ModelHealthMonitor:
        """Who is fit to be asked."""
        return self.engine.health

    @property
    def admission(self) -> Admission:
        """Limits and queues."""
        return self.engine.admission

    @property
    def usage(self) -> UsageService:
        """What the calls have consumed."""
        return self.engine.usage

    @property
    def budgets(self) -> Budgets | None:
        """What may be spent; None where nobody has set a limit."""
        return self.engine.budgets

    @property
    def recall(self) -> Recall:
        """What is remembered of earlier answers; its `cache` may be None."""
        return self.engine.recall

    @property
    def journal(self) -> Journal | None:
        """Where decisions are written down."""
        return self.engine.journal

    @property
    def settlement(self) -> Settlement:
        """Where every attempt is accounted for."""
        return self.engine.settlement

    @property
    def gate(self) -> Gate:
        """Who counts the calls under way."""
        return self.engine.gate

    # those who watch

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber(model, outcome)` after every attempt."""
        self.settlement.subscribe(subscriber)

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher(model, request)` before every attempt, in the task that makes it."""
        self.settlement.watch(watcher)

    def watch_choices(self, watcher: Callable[[Selection], object]) -> None:
        """Call `watcher(selection)` after every choice made for a request; it is on the request's path, so be quick."""
        self.engine.choices.watchers.append(watcher)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of every request: when it has come in, and when it is answered or has failed."""
        observers = self.engine.observers
        if not observers:
            self.settlement.subscribe(observers.settled)
        observers.add(observer)

    def unsubscribe(self, listener: Subscriber | Watcher | Observer) -> None:
        """Tell this subscriber, watcher or observer nothing any more."""
        observers = self.engine.observers
        self.settlement.unsubscribe(listener)  # type: ignore[arg-type]  # compared only: of another kind, it is not there
        observers.remove(listener)  # type: ignore[arg-type]  # likewise
        if not observers:
            self.settlement.unsubscribe(observers.settled)

    def keep_listeners(self, before: Engine) -> None:
        """Whoever was told of that engine is told of the one that has taken its place."""
        own = (before.journal, before.observers.settled)
        for subscriber in before.settlement.subscribers:
            if subscriber not in own:
                self.subscribe(subscriber)
        for watcher in before.settlement.watchers:
            self.watch(watcher)
        for observer in before.observers:
            self.observe(observer)
        self.engine.choices.watchers += before.choices.watchers
        for listener in before.health.listeners:
            if listener not in self.health.listeners:
                self.health.subscribe(listener)
