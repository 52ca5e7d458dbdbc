"""How many requests may be sent on top of those that callers make, so that nobody multiplies an outage."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome

__all__ = ["RetryBudget", "RetryBudgets"]

_COST, _RESERVE, _MOST = 10, 30, 500  # in tenths of a retry, so that ten answers make exactly one


class RetryBudget:
    """What one provider may still be retried: three times to begin with, and once for every ten answers.

    Fifty retries at most are saved up, so that a good day does not pay for a storm (gRPC's retry throttling, proposal
    A6; "Handling Overload" in Google's SRE book).

    >>> budget = RetryBudget()
    >>> [budget.spend() for _ in range(4)]
    [True, True, True, False]
    >>> for _ in range(10):
    ...     budget.earn()
    >>> budget.spend(), budget.spend()
    (True, False)
    """

    __slots__ = ("_lock", "_tenths", "full")

    def __init__(self) -> None:
        self._tenths = _RESERVE
        self.full = False
        self._lock = threading.Lock()

    @property
    def retries(self) -> int:
        """How many are left."""
        return self._tenths // _COST

    def earn(self) -> None:
        """A request was answered."""
        self._add(1)

    def spend(self) -> bool:
        """Take one retry; False when none is left."""
        with self._lock:
            if self._tenths < _COST:
                return False
            self._tenths -= _COST
            self.full = False
            return True

    def give_back(self) -> None:
        """A retry was answered, so it did no harm."""
        self._add(_COST)

    def _add(self, tenths: int) -> None:
        with self._lock:
            self._tenths = min(_MOST, self._tenths + tenths)
            self.full = self._tenths == _MOST


class RetryBudgets:
    """One budget a provider, and which models failed last: only asking those again can make an outage worse.

    Failover to a model whose last call was answered, or that nobody has asked yet, is free: it takes the load of
    the one that fails.
    """

    def __init__(self) -> None:
        self._budgets: dict[str, RetryBudget] = {}
        self._by_model: dict[str, RetryBudget] = {}  # the same, found sooner
        self._failing: set[str] = set()

    def of(self, provider: str) -> RetryBudget:
        """The provider's budget."""
        return self._budgets.get(provider) or self._budgets.setdefault(provider, RetryBudget())

    def has_one_for(self, model: Model) -> bool:
        """Might this model be asked now? Takes nothing."""
        return model.id not in self._failing or self.of(model.provider).retries > 0

    def allow(self, model: Model) -> bool:
        """May this model be asked now, on top of what callers asked for? Takes the retry it costs."""
        return model.id not in self._failing or self.of(model.provider).spend()

    def allowed(self, models: Sequence[Model]) -> list[Model]:
        """Those of them that may be asked now: all that do not fail, else one for which a retry is left (and taken)."""
        answering = [model for model in models if model.id not in self._failing]
        return answering or next(([model] for model in models if self.allow(model)), [])

    def observe(self, model: Model, outcome: Outcome) -> None:
        """Learn from one outcome."""
        error = outcome.error
        if error is not None:
            if error.conduct.counts:
                self._failing.add(model.id)
            return
        budget = self._by_model.get(model.id)
        if budget is None or not budget.full or self._failing:  # else it is a good day
            self._answered(model)

    def _answered(self, model: Model) -> None:
        budget = self._by_model[model.id] = self.of(model.provider)
        budget.earn()
        if model.id in self._failing:
            self._failing.discard(model.id)
            budget.give_back()

    def forget(self, model_id: str) -> None:
        """The model left the registry."""
        self._failing.discard(model_id)
        self._by_model.pop(model_id, None)
