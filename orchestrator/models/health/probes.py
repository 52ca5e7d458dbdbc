"""Asking a model how it is, by the cheapest means there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import NamedTuple

from orchestrator.core.clock import Clock
from orchestrator.core.model import Model
from orchestrator.core.requirements import Requirements, expected_cost
from orchestrator.errors import ProviderAPIError, Toll

__all__ = ["Finding", "Purse", "ask", "groups_of", "idle_since"]

_NO_NEEDS = Requirements()
_ALIVE = (Toll.NOTHING, Toll.PAUSE)  # who refuses us politely is there, and knows the key


class Finding(NamedTuple):
    """What a probe has found: fit or not, and then the provider's error, or in words what else went wrong."""

    fit: bool
    error: ProviderAPIError | None = None
    issue: str = ""


async def ask(model: Model, clock: Clock, limit_s: float) -> Finding:
    """Ask the provider for its list of models where that is how the model's class checks, else its `health_check`.

    Free of charge as far as providers go; an exception is named by its class, since its text may hold anything.
    """
    listing = _listing_of(model)
    try:
        with clock.timeout(limit_s):
            if listing is None:
                return Finding(bool(await model.health_check()), issue="health check says no")
            await listing()
    except ProviderAPIError as error:
        return Finding(error.conduct.health in _ALIVE, error)
    except Exception as error:  # noqa: BLE001 - the boundary: a user's health check may raise anything
        return Finding(fit=False, issue=model.setup_issue() or f"health check failed with {type(error).__name__}")
    return Finding(fit=True)


def groups_of(models: Iterable[Model]) -> Iterator[list[Model]]:
    """Models for which one answer speaks: those that would ask the same provider for its list with the same key."""
    groups: dict[object, list[Model]] = {}
    for model in models:
        shared = _listing_of(model) is not None
        groups.setdefault((model.provider, model.key_id) if shared else model.id, []).append(model)
    yield from groups.values()


def idle_since(models: Iterable[Model], seen: dict[str, int]) -> list[Model]:
    """The models without a call since this was asked last, and set up; `seen` remembers for the next time."""
    found = []
    for model in models:
        calls = model.metrics.calls
        if seen.get(model.id, 0) == calls and not model.metrics.in_flight and model.setup_issue() is None:
            found.append(model)
        seen[model.id] = calls
    return found


def _listing_of(model: Model) -> Callable[[], Awaitable[None]] | None:
    """The model's `probe`, unless a subclass has put a health check of its own before it."""
    for kind in type(model).__mro__:
        if "health_check" in vars(kind):
            return getattr(model, "probe", None) if "probe" in vars(kind) else None
    return None


class Purse:
    """What paid probes may cost: at most one per cent of what the calls themselves have cost.

    >>> purse = Purse()
    >>> purse.earn(1.0)
    >>> purse.allows(0.008), purse.allows(None)
    (True, False)
    >>> purse.pay(0.008)
    >>> purse.allows(0.008)
    False
    """

    __slots__ = ("paid_usd", "spent_usd")

    SHARE = 0.01

    def __init__(self) -> None:
        self.spent_usd = 0.0  # by everybody, probes included
        self.paid_usd = 0.0  # by probes

    def earn(self, cost_usd: float) -> None:
        """A call cost so much."""
        self.spent_usd += cost_usd

    def pay(self, cost_usd: float) -> None:
        """A probe cost so much."""
        self.paid_usd += cost_usd

    def allows(self, cost_usd: float | None) -> bool:
        """May a probe that is expected to cost so much be made? Never when its price is not known."""
        return cost_usd is not None and self.paid_usd + cost_usd <= self.SHARE * self.spent_usd

    async def try_out(self, model: Model, limit_s: float) -> None:
        """One token by a call like any other and accounted as one, if there is money for it; its outcome tells."""
        expected_usd = expected_cost(model, _NO_NEEDS)
        if not self.allows(expected_usd):
            return
        self.pay(expected_usd or 0.0)
        try:
            await model.generate_response("ping", max_tokens=1, max_attempts=1, deadline_s=limit_s, cache=False)
        except ProviderAPIError:
            return  # health has learned of it by its outcome
