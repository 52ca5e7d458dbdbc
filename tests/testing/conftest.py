"""One plain HTTP client for all tests of the emulator, and a clock that stands still."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from orchestrator.testing import FakeClock


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
