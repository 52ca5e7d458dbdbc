"""A server gives the garbage collector nothing to do, and so may leave it in peace."""

import gc

import aiohttp
import pytest
from gateway_stage import KEY, stage

from orchestrator.gateway.serving import sparing_the_collector
from orchestrator.testing import EmulatedModel

ASK = {"model": "m", "messages": [{"role": "user", "content": "What is 2 + 3?"}]}
KEYED = {"Authorization": f"Bearer {KEY}"}
CALLS = 200


@pytest.fixture
def no_collections():
    """The collector runs only when it is told to."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("streamed", [False, True])
async def test_calls_leave_no_cycles_behind(streamed, no_collections):
    """Whole or streamed: what a call has made goes when it ends, without a collector."""
    async with stage(EmulatedModel("m")) as served, aiohttp.ClientSession(headers=KEYED) as http:

        async def call():
            async with http.post(f"{served.url}/v1/chat/completions", json=ASK | {"stream": streamed}) as answer:
                assert await answer.read()

        for _ in range(CALLS // 10):
            await call()
        gc.collect()
        for _ in range(CALLS):
            await call()
        assert gc.collect() < CALLS


def test_the_collector_is_spared_while_a_server_lives_and_then_as_it_was():
    """What is loaded is looked through no more, and new objects less often."""
    before = gc.get_threshold()
    with sparing_the_collector():
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > before[0]
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
