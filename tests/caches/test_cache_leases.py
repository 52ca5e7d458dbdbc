"""One flight over all processes: whatever happens to its holder, a lease is given back."""

import asyncio

import pytest
from cache_asking import turns

from orchestrator.core.caching.leases import Leases


class Lessor:
    """One lease, and who has it."""

    def __init__(self):
        self.holder, self.granted = None, 0

    async def lease(self, key, lease_s):
        if self.holder is not None:
            return None
        self.granted += 1
        self.holder = f"token {self.granted}"
        return self.holder

    async def renew(self, key, token, lease_s):
        assert token == self.holder

    async def release(self, key, token):
        if token == self.holder:
            self.holder = None


@pytest.fixture
def lessor():
    """A lease that nobody has."""
    return Lessor()


@pytest.fixture
def leases(lessor, fake_clock):
    """It, held for a minute at a time."""
    return Leases(lessor, 60, fake_clock)


async def forever():
    """An answer that does not come."""
    await asyncio.Event().wait()


async def nothing():
    """No answer is there."""


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_holder_that_is_called_off_gives_it_back(lessor, leases, times):
    """However often it is told."""
    call = asyncio.create_task(leases.alone("k", forever, nothing))
    await turns()
    assert lessor.holder
    for _ in range(times):
        call.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(call, return_exceptions=True)
    assert lessor.holder is None


@pytest.mark.parametrize("ending", ["called off", "broken"])
async def test_one_that_looks_again_before_it_asks_gives_it_back(lessor, leases, fake_clock, ending):
    """It has the lease already while it looks whether the last holder has left the answer."""
    looks = []

    async def look():
        looks.append(lessor.holder)
        if ending == "broken":
            raise OSError
        await forever()

    lessor.holder = "another's"
    call = asyncio.create_task(leases.alone("k", forever, look))
    await turns()
    lessor.holder = None
    await fake_clock.advance(0.01)
    assert looks == ["token 1"]
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert lessor.holder is None


async def test_what_the_last_holder_left_is_taken(lessor, leases, fake_clock):
    """Nobody asks again, and the lease is free."""

    async def look():
        return "there"

    lessor.holder = "another's"
    call = asyncio.create_task(leases.alone("k", forever, look))
    await turns()
    lessor.holder = None
    await fake_clock.advance(0.01)
    assert await call == "there"
    assert lessor.holder is None
