"""Budgets on the road of a request: who can be paid for, and what is set aside while a call is out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.requirements import Requirements, most_output_tokens, prompt_tokens
from orchestrator.errors import BudgetExceededError
from orchestrator.models.budgets import Budgets, Reservation

if TYPE_CHECKING:
    from orchestrator.core.messages import Request

__all__ = ["Purse", "Spending", "estimate_usd"]

_USUAL_OUTPUT_TOKENS = 500


class Purse:
    """The budgets as one request meets them; `spent_usd` is what its earlier attempts have cost."""

    __slots__ = ("_budgets", "_request", "spent_usd")

    def __init__(self, budgets: Budgets, request: Request) -> None:
        self._budgets = budgets
        self._request = request
        self.spent_usd = 0.0

    def refusal(self, model: Model) -> BudgetExceededError | None:
        """Why this model cannot be paid for now, or None."""
        usd = estimate_usd(model, self._request, self._budgets.now_s())
        return self._budgets.refusal(model.id, usd, tenant=self._request.tenant, before_usd=self.spent_usd)

    def narrowed(self, wanted: Requirements) -> Requirements:
        """The requirements, and that the model can be paid for."""
        return replace(wanted, custom_filter=_Affordable(self, wanted.custom_filter))


class _Affordable:
    """True of a model that passes the caller's own filter, if there is one, and can be paid for."""

    __slots__ = ("_others", "_purse", "refusal")

    def __init__(self, purse: Purse, others: Callable[[Model], bool] | None) -> None:
        self._purse = purse
        self._others = others
        self.refusal = f"{'refused by custom_filter, or ' if others else ''}more than is left of the budget"

    def __call__(self, model: Model) -> bool:
        return (self._others is None or self._others(model)) and self._purse.refusal(model) is None


class Spending:
    """The reservations of the calls that are out.

    Calls of one model and tenant touch the same accounts, so whichever ends first takes the oldest of theirs.
    """

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self._lock = threading.Lock()
        self._out: dict[tuple[str, str | None], deque[Reservation]] = {}

    def begin(self, model: Model, request: Request) -> None:
        """Set aside what the call may cost, or raise BudgetExceededError."""
        usd = estimate_usd(model, request, self.budgets.now_s())
        held = self.budgets.reserve(model.id, usd, tenant=request.tenant)
        with self._lock:
            self._out.setdefault((model.id, request.tenant), deque()).append(held)

    def settle(self, model: Model, outcome: Outcome) -> None:
        """Book what it did cost; a failure without a bill is free."""
        held = self._take(model.id, outcome.tenant)
        if held is None:
            return
        if outcome.error is None or outcome.consumed:
            held.settle(outcome.cost_usd)
        else:
            held.release()

    def abandon(self, model: Model, tenant: str | None) -> None:
        """Nothing was sent."""
        held = self._take(model.id, tenant)
        if held is not None:
            held.release()

    def _take(self, model_id: str, tenant: str | None) -> Reservation | None:
        with self._lock:
            waiting = self._out.get((model_id, tenant))
            if waiting is None:
                return None
            held = waiting.popleft()
            if not waiting:
                del self._out[model_id, tenant]
            return held


def estimate_usd(model: Model, request: Request, at_s: float) -> float | None:
    """What an attempt may cost at a moment: the prompt as estimated, and the whole of `max_tokens`.

    Without `max_tokens` it is the larger of 500 tokens of output and what this model's calls have cost on average.
    """
    cost = model.cost
    if cost is None:
        return 0.0 if model.is_local else None
    most = most_output_tokens(request)
    usd = cost.at(at_s).estimate(prompt_tokens(request), most or _USUAL_OUTPUT_TOKENS)
    if most is None and usd is not None:
        return max(usd, model.metrics.cost_per_call_usd or 0.0)
    return usd
