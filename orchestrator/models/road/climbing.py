"""The cascade on the road: an answer is judged, and where it does not stand, a dearer model is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.errors import OrchestratorError
from orchestrator.models.road.calling import answer
from orchestrator.models.road.judging import Judge, Rungs
from orchestrator.models.road.route import Route

__all__ = ["climb", "whole"]


async def climb(route: Route, judge: Judge) -> ChatResponse:
    """The first answer that the judge lets stand, else the best there was.

    Each verdict is the rating of its answer. A rung that fails, or that limits forbid, leaves the answer from below.
    """
    best, best_verdict = await answer(route), 0.0
    latest: ChatResponse | None = best
    failed = frozenset[str]()
    while True:
        if latest is not None:
            verdict = await judge.verdict(route.request, latest, route.engine.clock)
            if verdict is None:
                return latest
            latest.rate(verdict)
            if verdict >= best_verdict:
                best, best_verdict = latest, verdict
            route.fell_short(latest)
        rung = _above(route, best, best_verdict, without=failed)
        if rung is None or not route.climb(rung):
            return best if best is latest else best.with_attempts(route.attempts)
        try:
            latest = await answer(route)
        except OrchestratorError:
            latest, failed = None, failed | {rung}


def _above(route: Route, response: ChatResponse, verdict: float, *, without: frozenset[str]) -> str | None:
    """The next rung among those that fit this request and have not failed it."""
    engine, model_id = route.engine, response.model_id
    engine.settlement.introduce()
    assert model_id is not None
    selector = engine.selector
    assert isinstance(selector, Rungs)
    fit = [one for one in engine.choices.candidates(route.open_needs) if one not in without]
    return selector.next_rung(selector.slate(tuple(dict.fromkeys((model_id, *fit)))), model_id, verdict=verdict)


async def whole(answered: Callable[[], Awaitable[ChatResponse]]) -> AsyncGenerator[Chunk, None]:
    """A judged answer as a stream: it cannot be taken back once it was shown, so it comes whole, when it stands."""
    response = await answered()
    if response.text or response.reasoning:
        yield Chunk(response.text, response.reasoning, model_id=response.model_id)
    yield Chunk.closing(response)
