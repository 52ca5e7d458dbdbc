"""A budget for each call in the mean: the dearer model only when the money for it has been saved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import LARGEST, Arm
from orchestrator.selectors.arms import Column
from orchestrator.selectors.context import Context
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Choice, Slate

__all__ = ["Paced", "mixture", "price_of_money"]

_SAVINGS_ROUNDS: Final = 50.0  # saved money is spent over so many calls,
_DEBT_ROUNDS: Final = 10.0  # and a debt is paid back over so many
_COVER: Final = 2.0  # times the mean cost of a model are saved before it is asked, as answers differ in length
_HAIR: Final = 1e-6  # less than the price of money, so that of two models that are worth the same the dearer is tried


class Paced(ModelSelector):
    """Keeps the mean cost of a call at `budget_usd`, without a step size to tune.

        rate = budget_usd + credit / 50,     credit = budget_usd x calls begun - what they cost  (a debt: / 10)

    Of all mixtures of two models that cost no more than the rate, the one with the best score is found on the upper
    hull of (cost, score), as for a knapsack whose capacity is spent evenly (Badanidiyuru, Kleinberg, Slivkins 2013).
    What its dearer model scores more, by what it costs more, is the price of money; the best score less the cost at
    that price is chosen among the models that cost no more than the rate, or half of the credit. The price is that of a
    usual request, so that a policy which knows what a call costs, or is worth, in each category buys where a dollar
    does most, and saves elsewhere. A debt is paid back with the best model that pays it back, not with the cheapest of
    all. Who is due is asked as soon as the credit covers the call. A call in flight is charged at the model's mean
    cost, and an unknown cost counts as none. Quality and latency are weighed as ever; the objective's weight of cost
    has no say.
    """

    budget_usd: float | None = None

    def set_budget(self, budget_usd: float | None) -> None:
        """USD a call in the mean, or None for no budget."""
        if budget_usd is not None and not 0 < budget_usd < math.inf:
            raise ConfigurationError(f"budget_usd={budget_usd!r}: USD a call above 0, or None")
        self.budget_usd = budget_usd
        self.overrules = self.overrules or budget_usd is not None
        self._keeps_accounts = budget_usd is not None
        self._begun = 0
        self._spent_usd = 0.0

    @property
    def credit_usd(self) -> float:
        """What has been saved so far; below 0 when calls cost more than was expected of them."""
        known = tuple(self._known.values())
        in_flight = sum(self.own_pending(arm) * (arm.cost_usd or 0.0) for arm in known if arm.pending)
        return (self.budget_usd or 0.0) * self._begun - self._spent_usd - in_flight

    def appeal(
        self, slate: Slate, context: Context | None, objective: Objective, rng: np.random.Generator
    ) -> Sequence[float]:
        """Every candidate's score without its cost, in the slate's order."""
        raise NotImplementedError

    def overruled(
        self, own: Choice, slate: Slate, rng: np.random.Generator, objective: Objective, context: Context | None
    ) -> Choice:
        """The policy's choice, or with a budget the one the credit allows."""
        own = super().overruled(own, slate, rng, objective, context)
        if self.budget_usd is None:
            return own
        costs_usd = self._costs_usd(slate, context)
        if not np.isfinite(costs_usd).any():  # all have left by now
            return own
        credit = self.credit_usd + self.budget_usd  # of this very call, too
        rate = self.budget_usd + credit / (_SAVINGS_ROUNDS if credit > 0 else _DEBT_ROUNDS)
        if self.is_due(own.arm) and costs_usd[slate.arms.index(own.arm)] <= max(rate, credit):
            return own
        price = self._usual_price(slate, objective, rng, rate=rate)
        scores = _less_cost(np.array(self.appeal(slate, context, objective, rng)), costs_usd, price)
        within = (costs_usd <= rate) | (_COVER * costs_usd <= credit)
        taken = int(np.where(within, scores, -math.inf).argmax() if within.any() else costs_usd.argmin())
        scores[taken] = scores.max()
        return Choice(slate.arms[taken], float(scores[taken]), scores, own.propensity)

    def _usual_price(self, slate: Slate, objective: Objective, rng: np.random.Generator, *, rate: float) -> float:
        """The price of money for a request of which nothing is known."""
        costs_usd = self._costs_usd(slate, None).tolist()
        if min(costs_usd) == math.inf:  # all have left just now
            return 0.0
        return price_of_money(costs_usd, self.appeal(slate, None, objective, rng), rate=rate) * (1 - _HAIR)

    def _costs_usd(self, slate: Slate, context: Context | None) -> Column:
        return np.array([self._cost_of(name, context) for name in slate.arms])

    def is_due(self, name: str) -> bool:  # noqa: ARG002 - for policies that ask some at set times
        """Whether this candidate's turn has come, so that it is asked as soon as the credit covers a call."""
        return False

    def cost_in(self, arm: Arm, context: Context | None) -> float:  # noqa: ARG002 - for policies that know more of it
        """USD that a call is expected to cost; an unknown cost counts as none."""
        return arm.cost_usd or 0.0

    def _cost_of(self, name: str, context: Context | None) -> float:
        arm = self._known.get(name)
        return math.inf if arm is None or self.refuses(name) else self.cost_in(arm, context)

    def _opened(self) -> None:
        self._begun += 1

    def _withdrawn(self) -> None:
        self._begun -= 1

    def _paid(self, arm: Arm, cost_usd: float | None) -> None:
        true = cost_usd is not None and 0.0 <= cost_usd <= LARGEST
        self._spent_usd += (cost_usd if true else arm.cost_usd) or 0.0


def _less_cost(appeal: Column, costs_usd: Column, price: float) -> Column:
    """What each is worth at this price; -inf for who has left."""
    there = np.isfinite(costs_usd)
    worth = np.full(len(costs_usd), -math.inf)
    worth[there] = appeal[there] - price * costs_usd[there]
    return worth


def price_of_money(costs_usd: Sequence[float], scores: Sequence[float], *, rate: float) -> float:
    """What another USD a call would add to the score of the best mixture at this mean cost; 0 where it adds nothing.

    >>> round(price_of_money([1.0, 2.0, 5.0], [0.5, 0.8, 0.92], rate=1.5), 3)
    0.3
    >>> price_of_money([1.0, 2.0, 5.0], [0.5, 0.8, 0.92], rate=5.0)
    0.0
    """
    low, high = mixture(costs_usd, scores, rate=rate)
    return (scores[high] - scores[low]) / (costs_usd[high] - costs_usd[low]) if high != low else 0.0


def mixture(costs: Sequence[float], scores: Sequence[float], *, rate: float) -> tuple[int, int]:
    """The two places, cheaper first, whose mixture at this mean cost has the best score; twice the same if one will do.

    >>> mixture([1.0, 2.0, 5.0], [0.5, 0.55, 0.9], rate=3.0)
    (0, 2)
    >>> mixture([1.0, 2.0, 5.0], [0.5, 0.8, 0.9], rate=9.0), mixture([1.0, 2.0], [0.5, 0.8], rate=0.5)
    ((2, 2), (0, 0))
    """
    hull = _upper_hull(costs, scores)
    place = 0
    while place < len(hull) and costs[hull[place]] <= rate:
        place += 1
    if place == 0:
        return hull[0], hull[0]
    return hull[place - 1], hull[min(place, len(hull) - 1)]


def _upper_hull(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """The places that no mixture of others beats, by rising cost and rising score (Andrew 1979)."""
    order = sorted((cost, -score, place) for place, (cost, score) in enumerate(zip(costs, scores, strict=True)))
    hull: list[int] = []
    for cost, negative, place in order:
        if cost == math.inf or (hull and -negative <= scores[hull[-1]]):
            continue
        while len(hull) > 1 and _below(costs, scores, hull[-2], hull[-1], place):
            hull.pop()
        hull.append(place)
        if len(hull) > 1 and costs[hull[-2]] == cost:  # the same cost and a better score
            hull.pop(-2)
    return hull


def _below(costs: Sequence[float], scores: Sequence[float], left: int, middle: int, right: int) -> bool:
    """True when the middle is on or below the line from left to right."""
    rise = (scores[right] - scores[left]) * (costs[middle] - costs[left])
    return (scores[middle] - scores[left]) * (costs[right] - costs[left]) <= rise
