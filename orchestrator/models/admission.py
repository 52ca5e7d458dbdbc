"""May this call leave now, and if not, when? The door that every call passes, and the order in front of it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core.clock import Clock
from orchestrator.core.info import PROVIDER_ALIASES, ModelConstraints
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.errors import ConfigurationError
from orchestrator.models.limits.buckets import CoupledBuckets
from orchestrator.models.limits.concurrency import asks_for_less
from orchestrator.models.limits.entrances import FREE, Bounds, Entrance, Permit, RatesMaker
from orchestrator.models.limits.queues import Queues
from orchestrator.models.limits.tickets import Ticket
from orchestrator.models.limits.waiting import priority_named

if TYPE_CHECKING:
    from orchestrator.core.outcome import Outcome
    from orchestrator.errors import ProviderAPIError

__all__ = ["FREE", "Admission", "Permit", "Traffic"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passes one model's door: calls inside, how many may be at present, who waits, what is left this minute.

    `waiting` counts by priority; None stands for "no limit".
    """

    model_id: str
    in_flight: int
    limit: int | None
    waiting: Mapping[str, int]
    requests_left: float | None
    tokens_left: float | None


class Admission:
    """Enforces `ModelConstraints`, keeps the queue in order, and closes the door a little when a model asks for less.

    `limits` by provider hold for all its models that share a key. `max_queue` bounds how many wait before each model;
    `wait_for_capacity` lets requests wait that do not say themselves. `rates` makes the limits by the minute.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        limits: Mapping[str, ModelConstraints | Mapping[str, Any]] | None = None,
        max_queue: int = 1_000,
        wait_for_capacity: bool = False,
        rates: RatesMaker = CoupledBuckets,
    ) -> None:
        if type(max_queue) is not int or max_queue < 0:
            raise ConfigurationError(f"max_queue={max_queue!r}: give a whole number from 0 up")
        self.wait_for_capacity = wait_for_capacity
        self.max_queue = max_queue
        self._clock = clock
        self.rates_of: Callable[[str], RatesMaker] = lambda _: rates  # by name, for who shares them
        self._limits = {
            PROVIDER_ALIASES.get(name.lower(), name.lower()): ModelConstraints.model_validate(limit)
            for name, limit in (limits or {}).items()
        }
        self._entrances: dict[str, Entrance] = {}
        self._accounts: dict[tuple[str, str], Bounds] = {}
        self._queues = Queues()
        self._lock = threading.Lock()

    def share_rates(self, rates_of: Callable[[str], RatesMaker]) -> None:
        """Keep limits by the minute together with other processes, from before the first call; each by its name."""
        self.rates_of = rates_of

    # on the road

    def admit(self, model: Model, request: Request, *, pressing: bool = False) -> Permit | None:
        """Leave for one call now, with its share of every limit taken, or None; never waits, overtakes nobody.

        A `pressing` request has nowhere else to go and cannot wait: only the user's own limits hold it.
        """
        entrance = self._entrances.get(model.id)
        if entrance is None and not self._is_limited(model):
            return FREE
        with self._lock:
            now = self._clock.monotonic()
            if entrance is None:
                entrance = self._entrance(model, now)
            else:
                entrance.own.follow(model.info.constraints, now)
            queued = self._queues.busy and entrance.room
            return None if queued else entrance.enter(request, now, pressing=pressing)

    def queues_alone_hold(self, models: Iterable[Model], request: Request) -> bool:
        """True when one of these models would take this request if nobody waited before it, whatever was learned."""
        with self._lock:
            now = self._clock.monotonic()
            return any(self._entrance(model, now).is_free(request, now) for model in models)

    def retry_after_s(self, model: Model, request: Request) -> float:
        """Seconds after which it is worth asking again."""
        with self._lock:
            now = self._clock.monotonic()
            return self._entrance(model, now).told_s(request, now)

    async def wait(
        self, models: Iterable[Model], request: Request, *, priority: int = 0, ends_at: float
    ) -> tuple[Model, Permit]:
        """The first of these models that has a place, and the permit for it; `CapacityError` when that takes too long.

        `ends_at` is a moment on the clock's `monotonic`. Cancelled, it leaves no trace.
        """
        with self._lock:
            now = self._clock.monotonic()
            ticket = Ticket(request, priority, {self._entrance(model, now): model for model in models})
            self._queues.join(ticket, now)
        try:
            while not await self._has_turn(ticket, ends_at):
                pass
        except BaseException:
            if ticket.permit is not None:  # its turn came while it was cancelled
                self.cancel(ticket.permit)
            raise
        finally:
            with self._lock:
                self._queues.leave(ticket, self._clock.monotonic())
        assert ticket.model is not None
        assert ticket.permit is not None
        return ticket.model, ticket.permit

    def flows(self, permit: Permit) -> None:
        """The first content of a stream has come: if others wait for its answer, this is it."""
        entrance = permit.entrance
        if entrance is None or not entrance.own.concurrency.is_ajar:
            return
        with self._lock:
            entrance.own.concurrency.taken(permit.epoch)
            self._queues.freed(entrance, self._clock.monotonic())

    def release(self, model: Model, permit: Permit, outcome: Outcome | None = None) -> None:
        """The call is over: settle its share to what was used, and let the next one in.

        Without an outcome, what it has used is unknown and stays counted.
        """
        entrance = permit.entrance
        plea = outcome.error if outcome is not None and asks_for_less(outcome, model.metrics) else None
        if entrance is None:
            if plea is not None:
                self._narrow(model, plea)
            return
        with self._lock:
            now = self._clock.monotonic()
            entrance.leave(permit, outcome, now, plea=plea)
            if (headers := model.rate_headers) is not None:
                _heed(headers, entrance, now)
            if self._queues.busy:
                self._queues.freed(entrance, now)

    def cancel(self, permit: Permit) -> None:
        """The call was never sent: everything goes back."""
        entrance = permit.entrance
        if entrance is None:
            return
        with self._lock:
            now = self._clock.monotonic()
            entrance.undo(permit, now)
            if self._queues.busy:
                self._queues.freed(entrance, now)

    async def _has_turn(self, ticket: Ticket, ends_at: float) -> bool:
        """Wait until something happens to this ticket, or until it is worth trying again."""
        with self._lock:
            if ticket.permit is not None:
                return True
            if ticket.refusal is not None:
                raise ticket.refusal
            wait_s = self._queues.alarm_s(ticket, ends_at, self._clock.monotonic())
            called = ticket.next_call()
        try:
            with self._clock.timeout(wait_s):
                await called
        except TimeoutError:
            with self._lock:
                self._queues.advance(ticket.models, self._clock.monotonic(), awake=ticket)
        return False

    # what others ask

    def snapshot(self) -> list[Traffic]:
        """Every model that has limits, of its owner's or by experience, as of now."""
        with self._lock:
            now = self._clock.monotonic()
            return [_traffic(entrance, now) for entrance in self._entrances.values()]

    def forget(self, model_id: str) -> None:
        """The model left the registry; who waited for it alone is sent away."""
        with self._lock:
            entrance = self._entrances.pop(model_id, None)
            if entrance is not None:
                self._queues.close(entrance, f"{model_id!r} has left the registry")

    # inside, under the lock

    def _is_limited(self, model: Model) -> bool:
        limits = model.info.constraints
        return (
            limits.max_concurrent_requests is not None
            or limits.max_requests_per_minute is not None
            or limits.max_tokens_per_minute is not None
            or (bool(self._limits) and model.provider in self._limits)
        )

    def _entrance(self, model: Model, now: float) -> Entrance:
        """The way to this model, built at first use, with its limits as they are now."""
        entrance = self._entrances.get(model.id)
        if entrance is None:
            own = Bounds(self.rates_of(f"model {model.id}"))
            entrance = Entrance(model.id, own, self._account(model, now), self.max_queue)
            self._entrances[model.id] = entrance
        entrance.own.follow(model.info.constraints, now)
        return entrance

    def _account(self, model: Model, now: float) -> Bounds | None:
        """The bounds of all models that share this one's provider and key, where the user has limited them."""
        limits = self._limits.get(model.provider)
        if limits is None:
            return None
        bounds = self._accounts.get((model.provider, model.key_id))
        if bounds is None:
            rates = self.rates_of(f"account {model.provider} {model.key_id}")
            bounds = self._accounts[model.provider, model.key_id] = Bounds(rates)
            bounds.follow(limits, now)
        return bounds

    def _narrow(self, model: Model, error: ProviderAPIError) -> None:
        """A model without limits asks for less: from now on it has one."""
        with self._lock:
            now = self._clock.monotonic()
            self._entrance(model, now).heed(error, max(1, model.metrics.in_flight), 0, now)


def _heed(headers: Mapping[str, str], entrance: Entrance, now: float) -> None:
    """Take the provider's word for what is left, once for every reply."""
    if all(bounds.rates is None or bounds.told is headers for bounds in entrance.bounds):
        return
    from orchestrator.integrations.rate_headers import allowances

    told = allowances(headers)
    for bounds in entrance.bounds:
        bounds.correct(headers, told, now)


def _traffic(entrance: Entrance, now: float) -> Traffic:
    left = [bounds.rates.left(now) for bounds in entrance.bounds if bounds.rates is not None]
    allowed = min(bounds.concurrency.allowed for bounds in entrance.bounds)
    return Traffic(
        entrance.model_id,
        entrance.own.in_flight,
        int(allowed) if math.isfinite(allowed) else None,
        {priority_named(number): length for number, length in entrance.room.lengths.items()},
        min((requests for requests, _ in left if requests is not None), default=None),
        min((tokens for _, tokens in left if tokens is not None), default=None),
    )
