"""The parts that answer requests, made in one place: a registry owns them, and the road of a request is given them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING

from orchestrator.core.clock import Clock
from orchestrator.core.model import Model
from orchestrator.models.admission import Admission
from orchestrator.models.budgets import Budgets
from orchestrator.models.draining import Gate
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.money.purse import Spending
from orchestrator.models.road.contexts import Contexts
from orchestrator.models.road.hedging import Hedges
from orchestrator.models.road.judging import Judge
from orchestrator.models.road.observing import Observers
from orchestrator.models.road.recall import Recall
from orchestrator.models.road.settlement import Settlement
from orchestrator.models.roster.choosing import Choosing, Roster
from orchestrator.models.roster.eligibility import Eligibility
from orchestrator.models.usage import UsageService
from orchestrator.selectors.selector import ModelSelector

if TYPE_CHECKING:
    from orchestrator.core.cache import ModelCache
    from orchestrator.models.journal import Journal

__all__ = ["Engine"]


@dataclass(slots=True, eq=False, kw_only=True)
class Engine:
    """Everything that a request meets between its question and its answer.

    The parts know nothing of the whole. Whoever carries a request reads it; nobody puts another part in the place of
    one, but for the budgets, which may come later. `roster` tells who is there at this moment.
    """

    roster: Callable[[], Roster]
    selector: ModelSelector
    clock: Clock
    health: ModelHealthMonitor
    admission: Admission
    usage: UsageService
    contexts: Contexts
    judge: Judge | None = None
    journal: Journal | None = None
    cache: InitVar[ModelCache | None] = None
    seed: InitVar[int | None] = None
    budgets: Budgets | None = field(default=None, init=False)
    settlement: Settlement = field(init=False)
    choices: Choosing = field(init=False)
    recall: Recall = field(init=False)
    observers: Observers = field(init=False)
    gate: Gate = field(default_factory=Gate, init=False)
    hedges: Hedges = field(default_factory=Hedges, init=False)
    rng: random.Random = field(init=False)

    def __post_init__(self, cache: ModelCache | None, seed: int | None) -> None:
        import numpy as np

        self.rng, draws = random.Random(seed), np.random.default_rng(seed)
        self.health.clock = self.clock
        self.health.models = lambda: self.models.values()  # noqa: PLW0108 - every change puts another mapping in place
        self.settlement = Settlement(self.selector, self.health, self.usage, self.clock, admission=self.admission)
        eligibility = Eligibility(self.selector, self.health)
        self.choices = Choosing(self.roster, self.selector, eligibility, self.settlement, draws)
        self.recall = Recall(cache, self.rate, lambda: self.models)
        self.observers = Observers(self.clock)
        if self.journal is not None:
            self.journal.contexts = self.contexts
            self.settlement.subscribe(self.journal)

    @property
    def models(self) -> Mapping[str, Model]:
        """The models of this moment, by their ids."""
        return self.roster()[1]

    def keep_to(self, budgets: Budgets) -> None:
        """Spend within these budgets from now on."""
        self.budgets, self.settlement.spending = budgets, Spending(budgets)

    def rate(self, response_id: str, quality: float) -> bool:
        """Rate an answer from 0 to 1, also late or again; False when nothing changed or nobody remembers it."""
        changed = self.settlement.rate(response_id, quality)
        if self.journal is not None:
            self.journal.rate(response_id, quality)
        return changed
