"""Whole answers: ask one model, settle what became of it, and on failure ask the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from orchestrator.core.attempt import attempt, called_off, response_of
from orchestrator.core.messages import ChatResponse, Embeddings, Reply, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.models.road.hedging import Leg, Race
from orchestrator.models.road.route import Route

__all__ = ["answer", "embeddings", "pause"]


async def answer(route: Route) -> ChatResponse:
    """The answer of the first model that gives one; raises the last error when none does."""
    engine, request = route.engine, route.request
    with engine.gate, route.seats:
        while True:
            model = route.next_model()
            if route.error is not None:
                await pause(route)
            if route.full:
                model = await route.place()
            after_s = route.hedge_after_s(model, streamed=False)
            if after_s is None:
                reply, outcome = await _ask(route, model, route.request_for(model, request))
            else:
                model, reply, outcome = await _hedged(route, model, after_s)
            if reply is not None:
                attempts, rater = route.attempts_and(outcome), engine.rate
                return response_of(model, reply, outcome, attempts=attempts, rater=rater)
            route.failed(model, outcome)


async def embeddings(route: Route, model: Model, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
    """The vectors of this very model: those of another one would mean something else."""
    with route.engine.gate, route.seats:
        while True:
            route.next_model()
            if route.error is not None:
                await pause(route)
            if route.full:
                await route.place()
            vectors, outcome = await _ask(
                route, model, route.request, send=lambda: model.send_embeddings(texts, dict(params))
            )
            if vectors is not None:
                found: Embeddings = vectors
                found.usage, found.model_id = found.usage.with_cost(outcome.cost_usd), model.id
                return found
            route.failed(model, outcome)


async def pause(route: Route) -> None:
    """Wait before a further attempt as long as the route says; none is made once the registry was drained."""
    if route.wait_s:
        await route.engine.clock.sleep(route.wait_s)
    route.engine.gate.check()


async def _ask(
    route: Route,
    model: Model,
    request: Request,
    *,
    send: Callable[[], Awaitable[Any]] | None = None,
    race: Race[Reply] | None = None,
) -> tuple[Any, Outcome]:
    """One attempt, from its beginning to its account."""
    settlement, clock = route.engine.settlement, route.engine.clock
    route.reserved(settlement.begin(model, request))
    permit = route.seats.begun(model)
    started = clock.monotonic()
    try:
        reply, outcome = await attempt(model, request, clock=clock, limit_s=route.limit_s(model), send=send)
    except asyncio.CancelledError:
        outcome = called_off(model, request, clock.monotonic() - started, _as_much_as_the_winner(race))
        settlement.settle(model, route.labelled(outcome), permit)
        if race is not None:
            race.lost.append(outcome)
        raise
    except BaseException:
        settlement.abandon(model, request, permit)
        raise
    settlement.settle(model, route.labelled(outcome), permit)
    return reply, outcome


async def _hedged(route: Route, first: Model, after_s: float) -> tuple[Model, Reply | None, Outcome]:
    """The answer of the first model, or of the next best where that one takes too long."""

    async def leg(model: Model, race: Race[Reply]) -> Leg[Reply]:
        return Leg(model, *await _ask(route, model, route.request_for(model, route.request), race=race))

    race = Race(leg)
    *failed, last = await race.run(first, route.hedge_model, after_s=after_s, clock=route.engine.clock)
    route.raced(failed, race)
    assert last.outcome is not None
    return last.model, last.result, last.outcome


def _as_much_as_the_winner(race: Race[Reply] | None) -> UsageStats | None:
    """What a call may have cost that lost a race: at most about as much as the answer that won."""
    if race is None or race.winner is None or race.winner.result is None:
        return None
    won = race.winner.result.usage
    return UsageStats(won.prompt_tokens, won.completion_tokens, estimated=True)
