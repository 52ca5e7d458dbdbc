"""Answers in pieces: another model may take over before the first content, none after it unless it is asked to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from orchestrator.core.attempt import StreamTally, called_off, is_set_up_fault, response_of, until
from orchestrator.core.messages import Chunk, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.requirements import prompt_tokens
from orchestrator.core.usage import UsageStats
from orchestrator.models.road.calling import pause
from orchestrator.models.road.hedging import Leg, Race
from orchestrator.models.road.resuming import Continuation, may_resume
from orchestrator.models.road.route import Route

if TYPE_CHECKING:
    from orchestrator.errors import ProviderAPIError

__all__ = ["stream"]


async def stream(route: Route) -> AsyncGenerator[Chunk, None]:
    """The pieces of one answer, the last with the whole of it; raises what broke it, with the text so far."""
    engine = route.engine
    with engine.gate, route.seats:
        search, last = _Search(route), None
        while last is None:
            source = await search.speaking()
            try:
                for chunk in source.head:
                    yield chunk
                tally, pieces = source.tally, source.pieces
                # what flows may go on as long as it flows, or until the deadline that the caller has set
                async for chunk in until(pieces, engine.clock, route.ends_at) if route.strict else pieces:
                    if (shown := tally.take(chunk)) is not None:
                        yield shown
                last = source.ended(route)
            except Exception as error:  # noqa: BLE001 - the boundary: a provider of the user's may raise anything
                search.broke(source, error)  # raises it, unless somebody goes on
            finally:
                await source.close()
        yield last


class _Source:
    """One model's stream: opened, settled once and closed, whatever happens in between."""

    __slots__ = ("_open", "_permit", "_route", "_told", "head", "model", "pieces", "tally")

    def __init__(self, route: Route, model: Model, request: Request, told: Continuation | None) -> None:
        engine = route.engine
        route.reserved(engine.settlement.begin(model, request))
        self._permit = route.seats.begun(model)
        self._route = route
        self._told = told
        self._open = True
        self.model = model
        self.head: list[Chunk] = []
        self.tally = StreamTally(request, engine.clock)
        try:
            pieces = model.open_stream(request)
        except BaseException:
            self._abandon()
            raise
        self.pieces = pieces if told is None else told.spliced(pieces, by=model)

    async def start(self, limit_s: float) -> None:
        """Wait for the first content; what comes before it is held back, since it may never come."""
        tally = self.tally
        with self._route.engine.clock.timeout(limit_s):
            async for chunk in self.pieces:
                if (shown := tally.take(chunk)) is not None:
                    self.head.append(shown if self.head else shown._replace(model_id=self.model.id))
                if tally.ttft_s is not None:
                    self._route.engine.settlement.flows(self.model, self._permit)
                    return
                if tally.last is not None:
                    return
        tally.reply()  # raises: an empty stream is a truncated one

    def ended(self, route: Route) -> Chunk:
        """The closing chunk of a whole answer; raises where the end marker is missing."""
        reply = self.tally.reply()
        outcome = self.tally.outcome(self.model, reply=reply)
        self._settle(outcome)
        attempts, rater = route.attempts_and(outcome), self._route.engine.rate
        if self._told is not None:
            reply, outcome = self._told.whole(reply, outcome)
        response = response_of(self.model, reply, outcome, attempts=attempts, rater=rater)
        last = Chunk.closing(response)
        return last if self._told is None else last._replace(resumed_by=self.model.id)

    def broke(self, error: Exception) -> Outcome:
        """The account of a broken stream; what the engine itself refuses is raised as it is."""
        if is_set_up_fault(error):
            self._abandon()
            raise error
        outcome = self.tally.outcome(self.model, error=error)
        if self._told is not None and outcome.error is not None:
            outcome.error.text_so_far = self._told.said + self.tally.text
        self._settle(outcome)
        return outcome

    def called_off(self, usage: UsageStats | None = None) -> Outcome:
        """The account of a stream that nobody reads any more."""
        tally = self.tally
        latency_s = tally.clock.monotonic() - tally.started
        outcome = called_off(self.model, tally.request, latency_s, tally.usage or usage)
        outcome.ttft_s, outcome.streamed = tally.ttft_s, True
        self._settle(outcome)
        return outcome

    async def close(self) -> None:
        """Give the connection back, and settle what nobody has settled."""
        if self._open:
            self.called_off()
        await self.pieces.aclose()

    def _settle(self, outcome: Outcome) -> None:
        if self._open:
            self._open = False
            self._route.engine.settlement.settle(self.model, self._route.labelled(outcome), self._permit)

    def _abandon(self) -> None:
        if self._open:
            self._open = False
            self._route.engine.settlement.abandon(self.model, self.tally.request, self._permit)


class _Search:
    """Looks for a model that speaks: at first, and again when the caller wants a broken stream to be gone on with."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._told: Continuation | None = None

    async def speaking(self) -> _Source:
        """A stream that has come to its first content, of the first model that gets so far."""
        route = self._route
        while True:
            model = route.next_model()
            if route.error is not None:
                await pause(route)
            if route.full:
                model = await route.place()
            after_s = route.hedge_after_s(model, streamed=True)
            leg = await (self._opened(model) if after_s is None else self._hedged(model, after_s))
            if leg.result is not None:
                return leg.result
            assert leg.outcome is not None
            route.failed(leg.model, leg.outcome)

    async def _opened(self, model: Model, race: Race[_Source] | None = None) -> Leg[_Source]:
        """One model's stream up to its first content, or what became of it."""
        told = self._told
        request = self._route.request_for(model, self._route.request if told is None else told.request)
        source = _Source(self._route, model, request, told)
        leg: Leg[_Source] | None = None
        try:
            await source.start(self._route.limit_s(model, streamed=True))
            leg = Leg(model, source, None)
            return leg
        except Exception as error:  # noqa: BLE001 - the boundary: a provider of the user's may raise anything
            return Leg(model, None, source.broke(error))
        except BaseException:
            self._called_off(source, race)
            raise
        finally:
            if leg is None:
                await source.close()

    @staticmethod
    def _called_off(source: _Source, race: Race[_Source] | None) -> None:
        """Of a race that another one has won, the prompt may be on the bill: an estimate."""
        if race is not None and race.winner is not None:
            prompt_alone = UsageStats(prompt_tokens(source.tally.request), 0, estimated=True)
            race.lost.append(source.called_off(prompt_alone))

    async def _hedged(self, first: Model, after_s: float) -> Leg[_Source]:
        """The stream of the first model, or of the next best where that one takes too long to begin."""
        race = Race(self._opened, drop=_dropped)
        *failed, last = await race.run(first, self._route.hedge_model, after_s=after_s, clock=self._route.engine.clock)
        self._route.raced(failed, race)
        return last

    def broke(self, source: _Source, error: Exception) -> None:
        """Raise the failure of a stream in the middle, or get ready to go on with what was said."""
        route, outcome = self._route, source.broke(error)
        if not may_resume(route, outcome):
            raise _complete(outcome, route) from _cause(outcome)
        route.begin_anew()
        route.failed(source.model, outcome)
        self._told = Continuation.after(self._told, route.request, source.tally, outcome)


async def _dropped(leg: Leg[_Source]) -> None:
    assert leg.result is not None
    await leg.result.close()


def _complete(outcome: Outcome, route: Route) -> ProviderAPIError:
    """The error of a stream that broke, with every attempt on it."""
    assert outcome.error is not None
    outcome.error.attempts = (*route.attempts, outcome.attempt)
    return outcome.error


def _cause(outcome: Outcome) -> BaseException | None:
    return None if outcome.error is None else outcome.error.__cause__
