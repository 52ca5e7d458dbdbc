"""One request's way through the models: who was tried, and how much time and how many attempts are left."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.core.clock import Clock
from orchestrator.core.messages import STATE_PARAMS, ChatResponse, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Attempt, Outcome
from orchestrator.core.requirements import Requirements
from orchestrator.errors import (
    BudgetExceededError,
    CapacityError,
    NoEligibleModelsError,
    ProviderAPIError,
    ProviderTimeoutError,
)
from orchestrator.models.road.retrying import pause_s, was_told

if TYPE_CHECKING:
    from orchestrator.models.health_monitor import ModelHealthMonitor
    from orchestrator.models.limits.seats import Seats
    from orchestrator.models.money.purse import Purse
    from orchestrator.models.road.deciding import Deciding
    from orchestrator.models.road.hedging import Hedges, Leg, Race
    from orchestrator.models.road.retry_budget import RetryBudgets
    from orchestrator.models.roster.selection import Selection

__all__ = ["Route"]

_ROOM = 1.25  # times what a model usually takes, to be sure that it can
_AMPLE_S = 10.0  # for one attempt: from here on nobody looks how long the model usually takes


class Route:
    """Names the next model to try until one answers, the attempts are used up or the deadline is reached.

    `choose` picks among the models that meet the requirements, and every failed model is left out of the next
    choice. Where there is only one, `only` or the only one that fits, its passing failures are retried after a pause.
    Whatever follows the first attempt is within the retry budgets. With `hedges`, a slow first attempt may get company.
    """

    __slots__ = (
        "_bound",
        "_budgets",
        "_choose",
        "_clock",
        "_deadline_s",
        "_deciding",
        "_failed",
        "_health",
        "_hedges",
        "_left",
        "_only",
        "_pool",
        "_population",
        "_purse",
        "_request",
        "_rng",
        "_unpaid",
        "attempts",
        "ends_at",
        "error",
        "full",
        "resume",
        "seats",
        "strict",
        "wait_s",
        "wanted",
    )

    def __init__(
        self,
        request: Request,
        wanted: Requirements,
        *,
        choose: Callable[[Requirements], Model],
        only: Model | None,
        seats: Seats,
        health: ModelHealthMonitor,
        budgets: RetryBudgets,
        clock: Clock,
        rng: random.Random,
        deadline_s: float,
        strict: bool,
        max_attempts: int,
        population: int,
        deciding: Deciding | None = None,
        hedges: Hedges | None = None,
        purse: Purse | None = None,
        resume: bool = False,
    ) -> None:
        self.wanted = wanted
        self.attempts: tuple[Attempt, ...] = ()
        self.error: ProviderAPIError | None = None
        self.wait_s = 0.0  # how long to pause before the model that was named last is asked
        self.seats = seats
        self.full: Sequence[Model] = ()  # those of whom the first with room is to be asked, instead of the one named
        self.strict = strict  # the caller set the deadline: it bounds a flowing stream too
        self.resume = resume
        self._request = request
        self._bound = STATE_PARAMS.intersection(request.params) if request.params else frozenset[str]()
        self._failed: Model | None = None
        self._choose = choose
        self._deciding = deciding
        self._only = only
        self._population = population
        self._pool = wanted.models
        self._health = health
        self._budgets = budgets
        self._hedges = hedges
        self._purse = purse
        self._unpaid: BudgetExceededError | None = None
        self._clock = clock
        self._rng = rng
        self._deadline_s = deadline_s
        self.ends_at = clock.monotonic() + deadline_s
        self._left = max_attempts

    # who is next

    def next_model(self) -> Model:
        """The model to ask now; raises what stopped the request when there is none. Where it is `full`, `place` it."""
        self.wait_s, self.full = 0.0, ()
        return self._next_choice() if self._only is None else self._same(self._only)

    def _same(self, model: Model) -> Model:
        """The only model there is, again after a pause if it has failed before."""
        if self.error is not None:
            self.wait_s = self._pause(self.error)
            # who was told when to come again pays for it then, if by then nobody was answered
            may = self._budgets.has_one_for if was_told(self.error) else self._budgets.allow
            if not may(model):
                raise self._exhausted() from self.error.__cause__
        if self._is_too_dear(model):
            assert self._unpaid is not None
            raise self._unpaid from self.error
        if self.wait_s or not self.seats.take(model):  # nobody holds a place through a pause
            self.full = (model,)
        return model

    async def place(self) -> Model:
        """One of those that were full, as soon as it has room; CapacityError where this does not wait so long."""
        if self.error is not None and self.full == (self._failed,) and was_told(self.error):
            return await self._return(self.error)
        return await self.seats.wait(self.full, ends_at=self.ends_at, cause=self.error)

    async def _return(self, error: ProviderAPIError) -> Model:
        """The model that has said when to come again, in turn: one call ahead, the others when that is answered."""
        try:
            model = await self.seats.wait(self.full, ends_at=self.ends_at, cause=error, in_turn=True)
        except CapacityError:
            raise self._exhausted() from error.__cause__
        if self._budgets.allow(model):
            return model
        self.seats.give_back(model)
        raise self._exhausted() from error.__cause__

    def _next_choice(self) -> Model:
        full: list[Model] = []
        probed: Model | None = None
        passed: set[str] = set()  # over, for this choice: after the next failure they may have room again
        while True:
            try:
                model = self._choose(self._wanted_beside(passed) if passed else self.wanted)
            except NoEligibleModelsError as nobody:
                return self._last_resort(nobody, full, probed, alone=not passed)
            if self._is_too_dear(model):
                continue
            if self._bound and not self._bound.isdisjoint(model.foreign_params):
                pass  # it could not read what the provider of the others keeps
            elif self._health.probing(model):
                probed = probed or model
            elif not self.seats.take(model):
                full.append(model)
            elif self.error is None or self._budgets.allow(model):
                return model
            else:
                self.seats.give_back(model)
            passed.add(model.id)

    def _wanted_beside(self, passed: Iterable[str]) -> Requirements:
        return replace(self.wanted, tried=self.wanted.tried.union(passed))

    def _last_resort(
        self, nobody: NoEligibleModelsError, full: list[Model], probed: Model | None, *, alone: bool
    ) -> Model:
        """Whom to ask when every fitting model was tried, is full or may not be retried; raises what is to be told.

        With nobody passed over, one that failed is `alone`: it is asked again.
        """
        error = self.error
        if probed is not None and (error is None or self._budgets.allow(probed)):
            if self.seats.take(probed):
                return probed  # one more call to a model that is coming back is better than no answer
            full.append(probed)
        if full and error is not None:
            full = [] if error.text_so_far else self._budgets.allowed(full)
        if full:
            self.full = full
            return full[0]
        if alone and self._failed is not None and self.wanted.tried == {self._failed.id}:
            return self._same(self._failed)
        if self._unpaid is not None:
            raise self._unpaid from error
        if error is not None:
            raise self._exhausted() from error.__cause__
        if self._bound:
            held = ", ".join(sorted(self._bound))
            raise NoEligibleModelsError(f"no fitting model can read {held}, which one provider keeps") from nobody
        raise nobody

    def request_for(self, model: Model, request: Request) -> Request:
        """The request as this model gets it: without what only other providers understand, if we chose the model."""
        params = request.params
        if not params or self._only is not None or model.foreign_params.isdisjoint(params):
            return request
        kept = {name: value for name, value in params.items() if name not in model.foreign_params}
        return Request(
            request.prompt,
            request.messages,
            kept,
            tools=request.tools,
            tool_choice=request.tool_choice,
            response_format=request.response_format,
            tenant=request.tenant,
            usage_tags=request.usage_tags,
        )

    def _is_too_dear(self, model: Model) -> bool:
        """True when no budget has room for this model; from then on only those that can be paid for are offered."""
        if self._purse is None:
            return False
        refusal = self._purse.refusal(model)
        if refusal is None:
            return False
        if self._unpaid is None:
            self.wanted = self._purse.narrowed(self.wanted)
        else:
            self._leave_out(model)
        self._unpaid = refusal
        return True

    # a second one beside a slow first

    def hedge_after_s(self, model: Model, *, streamed: bool) -> float | None:
        """Seconds after which the next best model is asked as well; None for never."""
        hedges = self._hedges
        if hedges is None or self._only is not None:
            return None
        if self.error is None:
            hedges.earn()
        return hedges.after_s(model, streamed=streamed) if self._left > 1 else None

    def hedge_model(self, beside: Model) -> Model | None:
        """The next best model that is fit and free, if one more request may be spent."""
        assert self._hedges is not None
        try:
            model = self._choose(self._wanted_beside((beside.id,)))
        except NoEligibleModelsError:
            return None
        if self._health.blocks(model) is not None or self._health.probing(model):
            return None
        if self._purse is not None and self._purse.refusal(model) is not None:
            return None
        if not self.seats.take(model):
            return None
        if self._hedges.spend():
            if self._budgets.allow(model):  # last, since a retry that was taken does not come back
                return model
            self._hedges.give_back()
        self.seats.give_back(model)
        return None

    def raced(self, failed: Iterable[Leg[Any]], race: Race[Any]) -> None:
        """Take note of those who did not win a race; raises the failure that should end the request."""
        for leg in failed:
            assert leg.outcome is not None
            if race.winner is None:
                self.failed(leg.model, leg.outcome)
            else:
                self.attempts = (*self.attempts, leg.outcome.attempt)
        self.attempts += tuple(outcome.attempt for outcome in race.lost)

    # how much is left

    @property
    def left_s(self) -> float:
        """Seconds until the deadline of the whole request."""
        return max(0.0, self.ends_at - self._clock.monotonic())

    def limit_s(self, model: Model, *, streamed: bool = False) -> float:
        """Seconds for this attempt: an equal share of what is left, so that a hanging model leaves time for others.

        All of it where there is no other; and where a share is less than the model usually takes, which would be too
        little for anybody, as long as that.
        """
        left_s = self.left_s
        if self._only is not None or self._left <= 1 or self._population - len(self.wanted.tried) <= 1:
            return left_s
        share_s = left_s / self._left
        if share_s >= _AMPLE_S:
            return share_s
        usual_s = model.metrics.ttft_p95 if streamed else model.metrics.latency_p95
        return share_s if usual_s is None else min(left_s, max(share_s, _ROOM * usual_s))

    def may_go_on(self) -> bool:
        """True when one more attempt is left for a stream that broke in the middle."""
        return self._left > 1 and not (self.strict and self._clock.monotonic() >= self.ends_at)

    def begin_anew(self) -> None:
        """Give a stream that is gone on with as long to speak again as it had at first, unless the caller said when."""
        if not self.strict:
            self.ends_at = self._clock.monotonic() + self._deadline_s

    def attempts_and(self, outcome: Outcome) -> tuple[Attempt, ...]:
        """All attempts of a request that ended so; empty for one that was answered at once."""
        return (*self.attempts, outcome.attempt) if self.attempts else ()

    # up a cascade

    @property
    def open_needs(self) -> Requirements:
        """What is wanted of whoever has not been asked yet, whichever rung was picked out last."""
        return self.wanted if self.wanted.models is self._pool else replace(self.wanted, models=self._pool)

    def fell_short(self, response: ChatResponse) -> None:
        """Take note of an answer that may not stand: it was an attempt and has cost something."""
        self.attempts = response.attempts
        if self._purse is not None:
            self._purse.spent_usd += response.cost_usd or 0.0
        self._left -= 1
        assert response.model_id is not None
        self.wanted = replace(self.open_needs, tried=self.wanted.tried | {response.model_id})

    def climb(self, rung: str) -> bool:
        """Ask this model next, and nobody else; False when no attempt or no time is left for it."""
        if self._only is not None or self._left <= 0 or self._clock.monotonic() >= self.ends_at:
            return False
        self.error = self._failed = self._unpaid = None
        self.wanted = replace(self.open_needs, models=frozenset({rung}))
        return True

    # what came of it

    def reserved(self, selection: Selection | None) -> None:
        """The attempt that leaves is the one for which this was chosen, before the request came."""
        if selection is not None and self._deciding is not None:
            self._deciding.keep(selection)

    def labelled(self, outcome: Outcome) -> Outcome:
        """The outcome, which now says on what its attempt rests, if anybody wants to know."""
        outcome.decided = self._deciding
        return outcome

    def failed(self, model: Model, outcome: Outcome) -> None:
        """Take note of a failure; raises it when nobody else should be asked."""
        self._failed = model
        error = self.error = outcome.error
        assert error is not None
        self.attempts = (*self.attempts, outcome.attempt)
        if self._purse is not None:
            self._purse.spent_usd += outcome.cost_usd or 0.0
        self._left -= 1
        if not error.conduct.elsewhere or self._left <= 0 or self._clock.monotonic() >= self.ends_at:
            raise self._exhausted() from error.__cause__
        if self._only is None:
            self._leave_out(model)
        if error.error_type == "context_length" and model.context_size is not None:
            room = max(int(self.wanted.context_length or 0), model.context_size + 1)
            self.wanted = replace(self.wanted, context_length=room)

    def _pause(self, error: ProviderAPIError) -> float:
        """How long to wait before the same model is asked again, or the error if it should not be."""
        wait_s = pause_s(error, len(self.attempts), self._rng)
        if wait_s is None or self._clock.monotonic() + wait_s >= self.ends_at:
            raise self._exhausted() from error.__cause__
        return wait_s

    def _leave_out(self, model: Model) -> None:
        self.wanted = replace(self.wanted, tried=self.wanted.tried | {model.id})

    def _exhausted(self) -> ProviderAPIError:
        """The last error, with every attempt on it."""
        error = self.error if self.error is not None else ProviderTimeoutError("the deadline was reached")
        error.attempts = self.attempts
        return error
