"""Single flight: one call for all who ask the same at the same time."""

import asyncio
import gc
import tracemalloc

import pytest
from cache_asking import turns

from orchestrator.core.caching.flights import Flights
from orchestrator.errors import ServerError
from orchestrator.testing import FakeClock


class Work:
    """Counts its calls and waits until it may end."""

    def __init__(self, *, error=None):
        self.calls, self.error, self.gate = 0, error, asyncio.Event()

    async def __call__(self):
        self.calls += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return "done"


async def test_ten_thousand_equal_calls_are_one_within_20_mb():
    """One call upstream; each waiting caller costs a task and a future."""
    flights, work = Flights(), Work()
    tracemalloc.start()
    try:
        tasks = [asyncio.ensure_future(flights.run("k", work)) for _ in range(10_000)]
        await turns()
        grown, _ = tracemalloc.get_traced_memory()
        work.gate.set()
        landed = await asyncio.gather(*tasks)
    finally:
        tracemalloc.stop()
    assert work.calls == 1
    assert [one.shared for one in landed].count(False) == 1
    assert {one.value for one in landed} == {"done"}
    assert grown < 20 * 1024 * 1024
    assert len(flights) == 0


async def test_a_leader_s_failure_reaches_all():
    """Nobody asks again on the spot, and the next caller starts afresh."""
    flights, work = Flights(), Work(error=ServerError("down"))
    tasks = [asyncio.ensure_future(flights.run("k", work)) for _ in range(50)]
    await turns()
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert work.calls == 1
    assert all(isinstance(result, ServerError) for result in results)
    with pytest.raises(ServerError):
        await flights.run("k", work)
    assert work.calls == 2


async def test_a_shared_failure_does_not_grow_a_traceback_with_each_caller():
    """The frames of ten thousand callers are not kept alive by one error."""
    flights, work = Flights(), Work(error=ServerError("down"))
    tasks = [asyncio.ensure_future(flights.run("k", work)) for _ in range(200)]
    await turns()
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    depth, trace = 0, results[0].__traceback__
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    assert depth < 20


async def test_a_cancelled_leader_hands_over_to_one():
    """One more call, whoever is left gets its result."""
    flights, work = Flights(), Work()
    tasks = [asyncio.ensure_future(flights.run("k", work)) for _ in range(20)]
    await turns()
    tasks[0].cancel()
    await turns()
    assert work.calls == 2
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert {result.value for result in results[1:]} == {"done"}


async def test_a_heir_who_is_cancelled_in_the_same_turn_hands_on():
    """Cancelling the leader and the next in line together leaves nobody waiting."""
    flights, work = Flights(), Work()
    tasks = [asyncio.ensure_future(flights.run("k", work)) for _ in range(4)]
    await turns()
    tasks[0].cancel()
    await asyncio.sleep(0)
    tasks[1].cancel()
    await turns()
    work.gate.set()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(result).__name__ for result in results] == ["CancelledError", "CancelledError", "Landed", "Landed"]
    assert len(flights) == 0


async def test_a_cancelled_follower_disturbs_nobody():
    """Each waits for itself."""
    flights, work = Flights(), Work()
    tasks = [asyncio.ensure_future(flights.run("k", work)) for _ in range(3)]
    await turns()
    tasks[1].cancel()
    await turns()
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert (work.calls, results[0].value, results[2].value) == (1, "done", "done")


async def test_who_cannot_wait_leaves_alone():
    """A caller's own deadline ends its own wait, and nobody else's."""
    clock = FakeClock()
    flights, work = Flights(clock), Work()
    leader = asyncio.ensure_future(flights.run("k", work))
    await turns()
    hurried = asyncio.ensure_future(flights.run("k", work, patience_s=1.0))
    patient = asyncio.ensure_future(flights.run("k", work, patience_s=10.0))
    await turns()
    await clock.advance(2)
    work.gate.set()
    with pytest.raises(TimeoutError):
        await hurried
    assert [(await task).value for task in (leader, patient)] == ["done", "done"]
    assert work.calls == 1


async def test_when_all_are_cancelled_nothing_is_left():
    """No flight without a passenger."""
    flights, work = Flights(), Work()
    tasks = [asyncio.ensure_future(flights.run("k", work)) for _ in range(5)]
    await turns()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gc.collect()
    assert len(flights) == 0


def test_two_event_loops_never_mix():
    """A future belongs to one loop: equal calls of two loops are two flights."""
    flights = Flights()

    async def alone():
        async def work():
            return asyncio.get_running_loop()

        return (await flights.run("k", work)).value is asyncio.get_running_loop()

    assert asyncio.run(alone())
    assert asyncio.run(alone())
