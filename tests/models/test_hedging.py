"""A slow call gets company: the first answer counts, the other is called off, and it stays rare."""

import asyncio

import pytest

from orchestrator.core.info import ModelConstraints
from orchestrator.core.messages import Chunk, Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.errors import InvalidRequestError, ServerError
from orchestrator.models.road.hedging import Hedges, Leg, Race

USAGE = UsageStats(1_000_000, 1_000_000)
DONE = Chunk(finish_reason="stop", usage=UsageStats(1, 1))


class Timed(Model):
    """Answers, or begins to speak, after as many seconds as its list says, and then after one."""

    def __init__(self, name, clock):
        super().__init__(id=name, provider="custom", cost={"input": 1, "output": 2})
        self.clock, self.plan, self.asked, self.closed, self.error = clock, [], 0, 0, None

    async def send(self, request):
        self.asked += 1
        try:
            await self.clock.sleep(self.plan.pop(0) if self.plan else 1)
        except asyncio.CancelledError:
            self.closed += 1
            raise
        if self.error is not None:
            raise self.error
        return Reply(f"{self.id} says hello", usage=USAGE)

    async def open_stream(self, request):
        reply = await self.send(request)
        yield Chunk(reply.text)
        yield DONE

    def setup_issue(self):
        return None


@pytest.fixture
async def pair(registry):
    """Two models with a history of one-second answers; a is preferred, for it alone has been rated well."""
    models = [registry.register_model(Timed(name, registry.clock)) for name in "ab"]
    for model in models:
        for _ in range(30):
            call = asyncio.create_task(model.generate_response("hi"))
            await registry.clock.advance(1)
            await call
            await spoken(model.stream_response("hi"), registry.clock, 1)
    for model in models:
        model.asked = 0
    return models


async def spoken(stream, clock, *steps_s):
    """All chunks of a stream, while the clock moves on."""

    async def read():
        return [chunk async for chunk in stream]

    task = asyncio.create_task(read())
    for step_s in steps_s:
        await clock.advance(step_s)
    return await task


def saved(registry, hedges=1):
    """Let the share of calls that may be hedged have built up."""
    for _ in range(20 * hedges):
        registry.engine.hedges.earn()


async def hedged(registry, pair, plan, **options):
    """A call whose first model takes that long; returns the response and who was first and second."""
    saved(registry)
    for model in pair:
        model.plan = [plan]
    call = asyncio.create_task(registry.generate_response("hi", hedge=True, **options))
    await registry.clock.advance(0)
    first, second = sorted(pair, key=lambda m: -m.asked)
    second.plan = []
    return call, first, second


async def test_the_next_best_model_is_asked_after_the_firsts_own_95th_percentile(registry, pair):
    """Not before, and the quicker answer is the answer."""
    call, first, second = await hedged(registry, pair, 60)
    await registry.clock.advance(0.95)
    assert second.asked == 0
    await registry.clock.advance(0.1)
    assert second.asked == 1
    await registry.clock.advance(1)
    answer = await call
    assert answer.model_id == second.id
    assert [(a.model_id, a.error_type) for a in answer.attempts] == [(first.id, "cancelled"), (second.id, None)]
    assert first.closed == 1


async def test_both_are_paid_for_and_the_loser_is_not_to_blame(registry, pair):
    """The loser is estimated at what the winner consumed, at its own price; no figure and no health suffers."""
    before = {m.id: (m.metrics.calls, registry.get_usage_summary(m.id).cost_usd) for m in pair}
    call, first, second = await hedged(registry, pair, 60)
    await registry.clock.advance(3)
    answer = await call
    for model in (first, second):
        assert registry.get_usage_summary(model.id).cost_usd - before[model.id][1] == pytest.approx(3.0)
    assert [a.cost_usd for a in answer.attempts] == pytest.approx([3.0, 3.0])
    assert first.metrics.calls == before[first.id][0]
    assert registry.health.status_of(first).healthy
    assert [m.metrics.in_flight for m in pair] == [0, 0]
    assert {s["pending"] for s in registry.selector.statistics().values()} == {0}


async def test_the_first_may_still_win(registry, pair):
    """Then the second is called off."""
    call, first, second = await hedged(registry, pair, 1.5)
    second.plan = [60]
    await registry.clock.advance(2)
    answer = await call
    assert (answer.model_id, second.closed) == (first.id, 1)


@pytest.mark.parametrize("error", [ServerError, InvalidRequestError])
async def test_a_failure_of_one_leaves_it_to_the_other(registry, pair, error):
    """Nobody gives up while somebody may still answer."""
    call, first, second = await hedged(registry, pair, 1.5)
    first.error, second.plan = error("x"), [2]
    await registry.clock.advance(4)
    answer = await call
    assert (answer.model_id, [a.error_type for a in answer.attempts]) == (second.id, [error.error_type, None])


async def test_when_both_fail_the_caller_sees_both(registry, pair):
    """One error with two attempts."""
    call, first, second = await hedged(registry, pair, 1.5)
    first.error, second.error = ServerError("first"), ServerError("second")
    await registry.clock.advance(4)
    with pytest.raises(ServerError) as caught:
        await call
    assert [a.model_id for a in caught.value.attempts] == [first.id, second.id]


async def test_a_cancelled_call_calls_both_off(registry, pair):
    """No task is left, no slot is taken."""
    call, first, second = await hedged(registry, pair, 60)
    second.plan = [60]
    await registry.clock.advance(2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (first.closed, second.closed) == (1, 1)
    assert [m.metrics.in_flight for m in pair] == [0, 0]
    assert [task for task in asyncio.all_tasks() if "attempt of" in task.get_name()] == []


async def test_a_stream_is_hedged_until_it_speaks(registry, pair):
    """The one that begins first is heard to its end, the other one closed."""
    saved(registry)
    for model in pair:
        model.plan = [60]
    task = asyncio.create_task(spoken(registry.stream_response("hi", hedge=True), registry.clock))
    await registry.clock.advance(0)
    first, second = sorted(pair, key=lambda m: -m.asked)
    second.plan = []
    await registry.clock.advance(2.2)
    chunks = await task
    assert chunks[-1].model_id == second.id
    assert "".join(chunk.text for chunk in chunks) == f"{second.id} says hello"
    assert [a.error_type for a in chunks[-1].response.attempts] == ["cancelled", None]
    assert (first.closed, first.metrics.in_flight) == (1, 0)


async def test_a_winner_nobody_waits_for_any_more_is_closed(scripted, fake_clock):
    """The caller leaves while the loser is still being closed."""
    slow, quick, closing, closed = scripted("slow"), scripted("quick"), asyncio.Event(), []

    async def attempt(model, race):
        if model is slow:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                closing.set()
                await asyncio.sleep(0)
        return Leg(model, "an open stream", None)

    async def close(leg):
        closed.append(leg.result)

    race = Race(attempt, drop=close)
    run = asyncio.create_task(race.run(slow, lambda _: quick, after_s=0, clock=fake_clock))
    await closing.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert closed == ["an open stream"]


async def test_without_being_asked_nobody_hedges(registry, pair):
    """Off by default, and never for a model that was named."""
    saved(registry)
    for ask in (registry.generate_response, pair[0].generate_response):
        options = {} if ask == registry.generate_response else {"hedge": True}
        pair[0].plan, pair[1].plan = [30], [30]
        call = asyncio.create_task(ask("hi", **options))
        await registry.clock.advance(31)
        assert (await call).attempts[0].error_type is None
    assert sum(m.asked for m in pair) == 2


async def test_a_hedge_that_finds_no_place_costs_no_retry_and_no_hedge(registry, pair):
    """The second model is full and its last call failed: what was not sent is not counted."""
    budget = registry.settlement.retry_budgets.of("custom")
    for model in pair:
        registry.settlement.retry_budgets._failing.add(model.id)
        model.info = model.info.model_copy(update={"constraints": ModelConstraints(max_concurrent_requests=1)})
    call, first, second = await hedged(registry, pair, 1.5)
    busy = asyncio.create_task(registry.invoke_model_async(second.id, "hi"))
    second.plan = [9]
    await registry.clock.advance(0)
    retries = budget.retries
    await registry.clock.advance(1.2)
    assert (second.asked, budget.retries) == (1, retries)
    assert registry.engine.hedges.spend()
    await registry.clock.advance(9)
    assert (await call).model_id == first.id
    await busy


def test_at_most_one_call_in_twenty_is_hedged():
    """However they come: after n calls no more than n/20 were granted."""
    hedges, granted = Hedges(), 0
    for calls in range(1, 2_001):
        hedges.earn()
        granted += hedges.spend()
        assert granted <= calls / 20
    assert granted == 100


async def test_a_model_without_history_is_not_hedged(registry, three):
    """Nobody knows what is slow for it."""
    saved(registry)
    gate = asyncio.Event()

    async def slow():
        await gate.wait()
        return "late"

    three[0].steps.append(slow)
    call = asyncio.create_task(registry.generate_response("hi", hedge=True))
    await registry.clock.advance(30)
    gate.set()
    assert (await call).text == "late"
    assert three[1].asked == 0


@pytest.mark.parametrize("option", ["hedge", "resume"])
async def test_the_options_are_on_or_off(registry, three, option):
    """A value that is neither is refused before anything is asked."""
    with pytest.raises(ValueError, match=f"{option}='yes'"):
        await registry.generate_response("hi", **{option: "yes"})
    assert three[0].asked == 0
