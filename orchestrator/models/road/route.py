"""One request's way through the models: who is asked next, and what was tried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from orchestrator.core.messages import STATE_PARAMS, ChatResponse, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Attempt, Outcome
from orchestrator.core.requirements import Requirements
from orchestrator.errors import (
    Blame,
    BudgetExceededError,
    CapacityError,
    NoEligibleModelsError,
    ProviderAPIError,
    ProviderTimeoutError,
)
from orchestrator.models.limits.seats import Seats
from orchestrator.models.money.purse import Purse
from orchestrator.models.road.leeway import Leeway
from orchestrator.models.road.retrying import pause_s, was_told

if TYPE_CHECKING:
    from orchestrator.models.engine import Engine
    from orchestrator.models.road.deciding import Deciding
    from orchestrator.models.road.hedging import Leg, Race
    from orchestrator.models.road.question import Question
    from orchestrator.models.road.retry_budget import RetryBudgets
    from orchestrator.models.roster.selection import Selection

__all__ = ["Route"]


class Route(Leeway):
    """Names the next model to try until one answers, the attempts are used up or the deadline is reached.

    `choose` picks among the models that meet the requirements, and every failed model is left out of the next
    choice. Where there is only one, `only` or the only one that fits, its passing failures are retried after a pause.
    Of several that have all failed, those that have said when to come again are waited for.
    Whatever follows the first attempt is within the retry budgets. With `hedge`, a slow first attempt may get company.
    """

    __slots__ = (
        "_bound",
        "_choose",
        "_deciding",
        "_failed",
        "_hedges",
        "_only",
        "_pool",
        "_purse",
        "_returns",
        "_told",
        "_unpaid",
        "attempts",
        "engine",
        "error",
        "full",
        "request",
        "resume",
        "seats",
        "wait_s",
        "wanted",
    )

    def __init__(
        self,
        engine: Engine,
        question: Question,
        wanted: Requirements,
        *,
        choose: Callable[[Requirements], Model],
        deciding: Deciding | None,
        deadline_s: float,
        max_attempts: int,
        hedge: bool,
        resume: bool,
    ) -> None:
        strict = question.deadline_s is not None
        super().__init__(engine.clock, deadline_s=deadline_s, strict=strict, max_attempts=max_attempts)
        request = question.request
        self.wanted = wanted
        self.attempts: tuple[Attempt, ...] = ()
        self.error: ProviderAPIError | None = None
        self.wait_s = 0.0  # how long to pause before the model that was named last is asked
        self.seats = Seats(engine.admission, request, waits=question.wait_for_capacity, priority=question.priority)
        self.full: Sequence[Model] = ()  # those of whom the first with room is to be asked, instead of the one named
        self.resume = resume
        self.engine = engine
        self.request = request
        self._bound = STATE_PARAMS.intersection(request.params) if request.params else frozenset[str]()
        self._failed: Model | None = None
        self._choose = choose
        self._deciding = deciding
        self._only = question.only
        self._pool = wanted.models
        self._hedges = engine.hedges if hedge else None
        self._purse = None if engine.budgets is None else Purse(engine.budgets, request)
        self._unpaid: BudgetExceededError | None = None
        self._returns = False  # those who are `full` have said when to come again
        self._told: dict[Model, float] = {}  # the moments that they have named

    # who is next

    def next_model(self) -> Model:
        """The model to ask now; raises what stopped the request when there is none. Where it is `full`, `place` it."""
        self.wait_s, self.full, self._returns = 0.0, (), False
        return self._next_choice() if self._only is None else self._same(self._only)

    def _same(self, model: Model) -> Model:
        """The only model there is, again after a pause if it has failed before."""
        if self.error is not None:
            self.wait_s = self._pause(self.error)
            # who was told when to come again pays for it then, if by then nobody was answered
            self._returns = was_told(self.error)
            may = self._retries.has_one_for if self._returns else self._retries.allow
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
        if self._returns and self.error is not None:
            model = await self._return(self.error)
        else:
            model = await self.seats.wait(self.full, ends_at=self.ends_at, cause=self.error)
        self.engine.gate.check()  # in all that time the registry may have been drained
        return model

    async def _return(self, error: ProviderAPIError) -> Model:
        """A model that has said when to come again, in turn: one call ahead, the others when that is answered."""
        try:
            model = await self.seats.wait(self.full, ends_at=self.ends_at, cause=error, in_turn=True)
        except CapacityError:
            raise self._exhausted() from error.__cause__
        if self._retries.allow(model):
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
            elif self.engine.health.probing(model):
                probed = probed or model
            elif not self.seats.take(model):
                full.append(model)
            elif self.error is None or self._retries.allow(model):
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
        if probed is not None:
            if not self.seats.take(probed):
                full.append(probed)
            elif error is None or self._retries.allow(probed):
                return probed  # one more call to a model that is coming back is better than no answer
            else:
                self.seats.give_back(probed)
        if alone and self._failed is not None and self.wanted.tried == {self._failed.id}:
            return self._same(self._failed)
        if self._told and (told := self._in_time()):
            self.full, self._returns = [*told, *filter(self._retries.has_one_for, full)], True  # whoever has room first
            return told[0]
        if full and error is not None:
            full = [] if error.text_so_far else self._retries.allowed(full)
        if full:
            self.full = full
            return full[0]
        return self._give_up(nobody)

    def _give_up(self, nobody: NoEligibleModelsError) -> NoReturn:
        """Raise what is to be told: no money, the last failure, or that nobody fits."""
        if self._unpaid is not None:
            raise self._unpaid from self.error
        if self.error is not None:
            raise self._exhausted() from self.error.__cause__
        if self._bound:
            held = ", ".join(sorted(self._bound))
            raise NoEligibleModelsError(f"no fitting model can read {held}, which one provider keeps") from nobody
        raise nobody

    def _in_time(self) -> list[Model]:
        """Those who have named a moment, in time for this request, at which they may be asked again."""
        assert self.error is not None
        if self.error.text_so_far:
            return []
        there, drained = self.engine.models, self.engine.health.drained
        return [
            model
            for model, moment in self._told.items()
            if moment < self.ends_at
            and model.id in there
            and model.id not in drained
            and self._retries.has_one_for(model)
            and (self._purse is None or self._purse.refusal(model) is None)
        ]

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
        if self.engine.health.blocks(model) is not None or self.engine.health.probing(model):
            return None
        if self._purse is not None and self._purse.refusal(model) is not None:
            return None
        if not self.seats.take(model):
            return None
        if self._hedges.spend():
            if self._retries.allow(model):  # last, since a retry that was taken does not come back
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

    @property
    def _retries(self) -> RetryBudgets:
        return self.engine.settlement.retry_budgets

    # how much is left

    def limit_s(self, model: Model, *, streamed: bool = False) -> float:
        """Seconds for this attempt: all that is left where there is no other model, else its share."""
        if self._only is not None or len(self.engine.models) - len(self.wanted.tried) <= 1:
            return self.left_s
        return self.share_s(model, streamed=streamed)

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
        if self._only is not None or self.is_over:
            return False
        self.error = self._failed = self._unpaid = None
        self._told.clear()
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
        if not error.conduct.elsewhere or self.is_over:
            raise self._exhausted() from error.__cause__
        self._told.pop(model, None)
        if error.blame is Blame.LIMIT and error.retry_after_s is not None:
            self._told[model] = self._clock.monotonic() + error.retry_after_s
        if self._only is None:
            self._leave_out(model)
        if error.error_type == "context_length" and model.context_size is not None:
            room = max(int(self.wanted.context_length or 0), model.context_size + 1)
            self.wanted = replace(self.wanted, context_length=room)

    def _pause(self, error: ProviderAPIError) -> float:
        """How long to wait before the same model is asked again, or the error if it should not be."""
        wait_s = pause_s(error, len(self.attempts), self.engine.rng)
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
