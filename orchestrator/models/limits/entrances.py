"""The limits of one model, and of the account it shares, with everyone who is inside or waits outside."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orchestrator.core.info import ModelConstraints
from orchestrator.core.messages import Request
from orchestrator.core.outcome import Outcome
from orchestrator.core.requirements import most_output_tokens, prompt_tokens
from orchestrator.models.limits.buckets import RateLimits
from orchestrator.models.limits.concurrency import AdaptiveLimit, pace_of
from orchestrator.models.limits.waiting import WaitingRoom

if TYPE_CHECKING:
    from orchestrator.errors import ProviderAPIError
    from orchestrator.integrations.rate_headers import Allowances

__all__ = ["FREE", "Bounds", "Entrance", "Permit", "RatesMaker"]

RatesMaker = Callable[[ModelConstraints, float], RateLimits]
_BUSY_S, _LEAST_S, _MOST_S = 1.0, 0.05, 60.0  # how long a place is usually taken; only told, never slept
_LONGEST_S = 3600.0  # that a model is left alone for one refusal, whatever it says
_NEWS = 1 / 8  # weight of one answer's length in the moving mean


class Bounds:
    """What may pass at once and by the minute: of one model, or of all that share an account."""

    __slots__ = (
        "_facts",
        "_make_rates",
        "_pace",
        "concurrency",
        "counts_tokens",
        "in_flight",
        "most_tokens",
        "rates",
        "told",
    )

    def __init__(self, make_rates: RatesMaker) -> None:
        self._make_rates = make_rates
        self._facts: dict[str, object] = {}  # the limits as they were taken over
        self._pace: tuple[float | None, ...] = (None, None, None)
        self.rates: RateLimits | None = None
        self.counts_tokens = False
        self.most_tokens = math.inf
        self.concurrency = AdaptiveLimit()
        self.in_flight = 0
        self.told: object = None  # the headers that were read last

    def follow(self, limits: ModelConstraints, now: float) -> None:
        """Take over limits that were changed, by whatever hand."""
        if limits.__dict__ != self._facts:
            self._facts = dict(limits.__dict__)
            self._take_over(limits, now)

    def _take_over(self, limits: ModelConstraints, now: float) -> None:
        at_once = limits.max_concurrent_requests
        self.concurrency.bound(math.inf if at_once is None else at_once)
        requests, tokens = limits.max_requests_per_minute, limits.max_tokens_per_minute
        if (requests, tokens, limits.burst_s) != self._pace:
            self._pace = (requests, tokens, limits.burst_s)
            self.rates = None if requests is None and tokens is None else self._make_rates(limits, now)
            self.counts_tokens = tokens is not None
            self.most_tokens = math.inf if tokens is None else max(1.0, tokens * limits.burst_s / 60)

    def take(self, tokens: float, now: float) -> float:
        """0 and taken, or the seconds to wait."""
        return 0.0 if self.rates is None else self.rates.take(tokens, now)

    def undo(self, tokens: float, now: float) -> None:
        """It was never sent."""
        if self.rates is not None:
            self.rates.put_back(min(tokens, self.most_tokens), now, requests=1)

    def settle(self, tokens: float, used: float, now: float) -> None:
        """From the reserve to the real count."""
        if self.rates is not None and self.counts_tokens:
            self.rates.put_back(min(tokens, self.most_tokens) - used, now)

    def correct(self, headers: object, told: Allowances, now: float) -> None:
        """What the provider says, once for every reply."""
        self.told = headers
        if self.rates is not None:
            self.rates.correct(told, now)


class Permit:
    """Leave to make one call: where it was given, the tokens set aside for it, and in which epoch of the limit."""

    __slots__ = ("entrance", "epoch", "tokens")

    def __init__(self, entrance: Entrance | None, tokens: float, epoch: int) -> None:
        self.entrance, self.tokens, self.epoch = entrance, tokens, epoch


FREE = Permit(None, 0.0, 0)
"""The permit of a model without limits."""


class Entrance:
    """The way to one model: its own bounds, those of its account if it shares any, and the queue before them."""

    __slots__ = ("account", "bounds", "model_id", "opens_at", "own", "room", "usual_output")

    def __init__(self, model_id: str, own: Bounds, account: Bounds | None, most_waiting: int) -> None:
        self.model_id = model_id
        self.own = own
        self.account = account
        self.bounds = (own,) if account is None else (own, account)
        self.room: WaitingRoom[Any] = WaitingRoom(most_waiting)  # of tickets, which know their entrances
        self.opens_at = 0.0  # the moment until which the model asked to be left alone
        self.usual_output = 0.0  # tokens of an answer, as measured

    @property
    def full(self) -> bool:
        """True until one of the calls inside comes back."""
        own, account = self.own, self.account
        if own.in_flight + 1 > own.concurrency.allowed:
            return True
        return account is not None and account.in_flight + 1 > account.concurrency.allowed

    def reserve(self, request: Request) -> float:
        """Tokens to set aside, where any limit counts them: what is asked, and the longest or else the usual answer."""
        own, account = self.own, self.account
        if not own.counts_tokens and (account is None or not account.counts_tokens):
            return 0.0
        return prompt_tokens(request) + (most_output_tokens(request) or self.usual_output)

    @property
    def forbidden(self) -> bool:
        """True when one more call at once would be more than the user allows, whatever was learned."""
        return any(one.in_flight + 1 > one.concurrency.most for one in self.bounds)

    def enter(self, request: Request, now: float, *, pressing: bool = False) -> Permit | None:
        """A permit, with everything taken that it needs, or None and nothing taken.

        What was learned from refusals does not hold a pressing one.
        """
        if self.forbidden if pressing else (self.full or now < self.opens_at):
            return None
        own, account, tokens = self.own, self.account, self.reserve(request)
        if own.take(tokens, now):
            return None
        if account is not None:
            if account.take(tokens, now):
                own.undo(tokens, now)
                return None
            account.in_flight += 1
        own.in_flight += 1
        return Permit(self, tokens, own.concurrency.epoch)

    def is_free(self, request: Request, now: float) -> bool:
        """True when none of the user's own limits is in the way."""
        return not self.forbidden and not self._rates_s(request, now)

    def flow_s(self, request: Request, now: float) -> float:
        """Seconds until limits by the minute, and the model itself, let this request pass; 0 when they do now."""
        return max(self._rates_s(request, now), self.opens_at - now)

    def _rates_s(self, request: Request, now: float) -> float:
        tokens = self.reserve(request)
        waits_s = [one.take(tokens, now) for one in self.bounds]
        for one, wait_s in zip(self.bounds, waits_s, strict=True):
            if not wait_s:
                one.undo(tokens, now)
        return max(*waits_s, 0.0)

    def told_s(self, request: Request, now: float) -> float:
        """What to tell who asks when to come again: after those who wait, at the pace that places become free."""
        wait_s = self.flow_s(request, now)
        if not self.full and not self.room:
            return wait_s
        pace_s, places = self.own.concurrency.recent_s or _BUSY_S, min(one.concurrency.allowed for one in self.bounds)
        turnover_s = pace_s * (len(self.room) + 1) / places if math.isfinite(places) else 0.0
        return max(wait_s, min(max(turnover_s, _LEAST_S), _MOST_S))

    def undo(self, permit: Permit, now: float) -> None:
        """The call was never sent."""
        for one in self.bounds:
            one.in_flight -= 1
            one.undo(permit.tokens, now)

    def leave(self, permit: Permit, outcome: Outcome | None, now: float, *, plea: ProviderAPIError | None) -> None:
        """The call is back, maybe with a plea for less; without an outcome it counts as all that was set aside."""
        own, account = self.own, self.account
        own.in_flight -= 1
        if account is not None:
            account.in_flight -= 1
        if outcome is None:
            return
        if own.counts_tokens or (account is not None and account.counts_tokens):
            self._count(permit, outcome, now)
        concurrency = own.concurrency
        if plea is not None:
            self.heed(plea, own.in_flight + 1, permit.epoch, now)
        elif outcome.error is None and concurrency.allowed != math.inf:
            concurrency.served(own.in_flight + 1, permit.epoch, pace_of(outcome))

    def heed(self, error: ProviderAPIError, in_flight: int, epoch: int, now: float) -> None:
        """The model asks for less: fewer at once, and nobody before the moment it names, one ahead of the others."""
        self.own.concurrency.refused(in_flight, epoch)
        if error.retry_after_s is not None:
            self.own.concurrency.ajar()
            self.opens_at = max(self.opens_at, now + min(error.retry_after_s, _LONGEST_S))

    def _count(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Settle the reserve, and learn how long answers are."""
        asked, written = outcome.usage.prompt_tokens, outcome.usage.completion_tokens
        used = None if asked is None and written is None else (asked or 0) + (written or 0)
        if used is None and _was_refused(outcome):
            used = 0
        if used is not None:
            for one in self.bounds:
                one.settle(permit.tokens, used, now)
        if written is not None and outcome.error is None:
            self.usual_output += (written - self.usual_output) * (_NEWS if self.usual_output else 1)


def _was_refused(outcome: Outcome) -> bool:
    """True when nothing was written, nor paid for, because the call was turned down or never arrived."""
    error = outcome.error
    return error is not None and (error.status not in (None, 200) or error.error_type == "connection")
