"""Connections: stale ones, very many, none left."""

from __future__ import annotations

import asyncio
import os
import resource
from contextlib import contextmanager

import pytest

from orchestrator.errors import CapacityError, ProviderConnectionError
from orchestrator.integrations import OpenAIModel, close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import Answer, Drip, FaultServer, HangUp, Head, Reset, Send


@pytest.fixture
async def server():
    """A server that is well until told otherwise."""
    async with FaultServer() as server:
        yield server
        await close_sessions()


@pytest.fixture
def registry(server):
    """One model at that server."""
    registry = ModelRegistry()
    registry.recall.cache = None
    registry.register_model(OpenAIModel(name="m", id="m", api_key="any", base_url=server.base_url()))
    return registry


@pytest.mark.parametrize("parting", [HangUp(), Reset()])
async def test_a_stale_connection_is_replaced_without_counting(server, registry, parting):
    """Closed by the server between two calls: the second goes out once more, and nobody is told."""
    server.script(Answer(), parting, Answer())
    await registry.generate_response("one")
    response = await registry.generate_response("two")
    assert (response.text, len(response.attempts)) == ("All is well.", 1)
    assert (server.connections, len(server.requests)) == (2, 3)
    assert registry["m"].metrics.failures == 0
    assert registry.health.status_of(registry["m"]).healthy


async def test_a_stale_connection_of_a_stream_is_replaced_too(server, registry):
    """The same, where the second answer is a stream."""
    server.script(Answer(), HangUp(), Answer())
    await registry.generate_response("one")
    assert "".join([chunk.text async for chunk in registry.stream_response("two")]) == "All is well."
    assert len(server.requests) == 3


@pytest.mark.parametrize("streamed", [False, True])
async def test_ten_stale_connections_at_once_are_all_replaced(server, registry, streamed):
    """Whoever meets one goes out on a new connection, not on the next stale one; nobody is told."""

    async def text():
        if streamed:
            return "".join([chunk.text async for chunk in registry.stream_response("again")])
        return (await registry.generate_response("again")).text

    first = [registry.generate_response(f"question {number}") for number in range(10)]
    await asyncio.gather(*first)
    assert server.connections == 10
    server.script(*[Reset()] * 10)
    assert await asyncio.gather(*(text() for _ in range(10))) == ["All is well."] * 10
    assert registry["m"].metrics.failures == 0
    assert len(server.requests) == 30


async def test_a_server_that_hangs_up_on_everybody_is_asked_twice_and_then_once(server, registry):
    """The first time the connection may have been stale; after a new one too, it is the server's doing."""
    await registry.generate_response("one")
    server.break_with(HangUp())
    for _ in range(3):
        with pytest.raises(ProviderConnectionError):
            await registry["m"].generate_response("two", max_attempts=1)
    assert len(server.requests) == 1 + 2 + 1 + 1


async def test_a_connection_that_broke_is_not_used_again(server, registry):
    """What is left of a reply that was longer than it said belongs to no other call."""
    server.script([Head(length=2), Send(b"{}"), Send(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"x')], Answer())
    with pytest.raises(Exception, match=r"not JSON|choices"):
        await registry.generate_response("one", max_attempts=1)
    assert (await registry.generate_response("two")).text == "All is well."


async def test_a_hundred_calls_at_once_wait_for_nobody(server, registry):
    """Each has a connection: how many may run is for the limits of the model to say, not for a pool."""
    calls = (registry.generate_response(f"question {number}") for number in range(100))
    assert {response.text for response in await asyncio.gather(*calls)} == {"All is well."}
    assert server.connections == 100


@contextmanager
def no_descriptors():
    """No file can be opened while this lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open(os.devnull, os.O_RDONLY)
    os.close(spare)  # the lowest number that is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_no_descriptors_left_is_told_as_such_and_blames_nobody(server, registry):
    """A fault of this process: told at once, no model's failure, and over when it is over."""
    await registry.generate_response("everything that loads late is loaded")
    await close_sessions()
    calls = registry["m"].metrics.calls
    with no_descriptors(), pytest.raises(CapacityError, match="ulimit"):
        await registry.generate_response("one")
    assert registry["m"].metrics.calls == calls
    assert registry.health.status_of(registry["m"]).healthy
    assert (await registry.generate_response("two")).text == "All is well."


async def test_a_call_that_is_given_up_closes_its_connection(server, registry):
    """Cancelled while the body drips: the server sees the client leave, nothing stays in flight."""
    server.break_with([Head(length=999), Drip(b" ", 0.001)])
    call = asyncio.create_task(registry.generate_response("one"))
    await server.until(lambda server: server.requests)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        await server.until(lambda server: server.abandoned)
    assert registry["m"].metrics.in_flight == 0
