"""Time is an argument, and the machine's own clock is one of them."""

import asyncio
import time

import pytest

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.testing.clock import FakeClock


@pytest.mark.parametrize("clock", [SYSTEM_CLOCK, FakeClock()])
def test_both_clocks_have_the_four_verbs(clock):
    """Whatever asks for time can be given either."""
    verbs = [name for name in vars(Clock) if not name.startswith("_")]
    assert sorted(verbs) == ["monotonic", "sleep", "time", "timeout"]
    assert all(callable(getattr(clock, verb)) for verb in verbs)


def test_the_system_clock_never_goes_back_and_knows_the_date():
    """Intervals come from the monotonic clock, dates from the wall."""
    assert SYSTEM_CLOCK.monotonic() <= SYSTEM_CLOCK.monotonic()
    assert SYSTEM_CLOCK.time() == pytest.approx(time.time(), abs=60)


async def test_a_scope_without_a_limit_never_ends_the_work():
    """None sets no limit."""
    with SYSTEM_CLOCK.timeout(None):
        await SYSTEM_CLOCK.sleep(0)


@pytest.mark.parametrize("make", [lambda: SYSTEM_CLOCK, FakeClock])
async def test_a_scope_of_no_time_ends_at_the_first_wait(make):
    """A limit of zero is a TimeoutError at the first wait, on either clock."""
    with pytest.raises(TimeoutError), make().timeout(0):
        await asyncio.get_running_loop().create_future()
