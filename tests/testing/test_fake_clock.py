"""The clock that stands still."""

import asyncio

import pytest

from orchestrator.testing import FakeClock


async def test_sleepers_wake_at_their_own_moments_in_order(clock: FakeClock):
    """Whoever sleeps sees the clock at its own wake-up time, whatever the size of the step."""
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, delay_s in (("late", 5), ("early", 1), ("also early", 1)):
            group.create_task(sleeper(name, delay_s))
        await clock.advance(10)
    assert woken == [("early", 1.0), ("also early", 1.0), ("late", 5.0)]
    assert clock.monotonic() == 10


async def test_a_sleeper_may_sleep_again_within_one_step(clock: FakeClock):
    """Time stops at each wake-up, so that a loop of short sleeps runs as often as it would for real."""
    ticks = []

    async def tick() -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(tick())
    await clock.advance(3.5)
    task.cancel()
    assert ticks == [1, 2, 3]


async def test_nothing_happens_before_the_clock_moves(clock: FakeClock):
    """A fake second is never a real one."""
    task = asyncio.create_task(clock.sleep(0.001))
    await clock.wait_for_sleepers()
    await asyncio.sleep(0)
    assert not task.done()
    await clock.advance(0.001)
    assert task.done()


async def test_a_time_limit_ends_its_block(clock: FakeClock):
    """`timeout` raises TimeoutError once the clock has passed it."""

    async def limited() -> None:
        with clock.timeout(2):
            await clock.sleep(3)

    task = asyncio.create_task(limited())
    await clock.advance(2)
    with pytest.raises(TimeoutError):
        await task
    assert clock.sleepers == 0


@pytest.mark.parametrize("limit_s", [None, 5])
async def test_a_time_limit_that_is_kept_leaves_no_trace(clock: FakeClock, limit_s: float | None):
    """A block that ends in time is not disturbed later, and None is no limit."""

    async def limited() -> str:
        with clock.timeout(limit_s):
            await clock.sleep(3)
        await clock.sleep(10)
        return "done"

    task = asyncio.create_task(limited())
    await clock.advance(20)
    assert await task == "done"


async def test_a_limit_of_nothing_ends_at_once(clock: FakeClock):
    """Zero seconds are over before the first wait."""
    with pytest.raises(TimeoutError), clock.timeout(0):
        await clock.sleep(1)


async def test_a_cancelled_sleeper_is_forgotten(clock: FakeClock):
    """Cancellation passes through and frees the place."""
    task = asyncio.create_task(clock.sleep(5))
    await clock.wait_for_sleepers()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0
    await clock.advance(5)


def test_the_date_moves_with_the_clock():
    """`jump` moves both times by as much, without an event loop."""
    clock = FakeClock(start_s=100, date_s=1_000_000)
    clock.jump(60)
    assert (clock.monotonic(), clock.time()) == (160, 1_000_060)
