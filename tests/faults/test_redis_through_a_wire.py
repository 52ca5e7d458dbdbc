"""A cache whose Redis is behind a bad wire: callers get their answers, and hits come back when the wire does."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess

import pytest

from orchestrator.core.cache import ModelCache
from orchestrator.integrations import OpenAIModel, close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import FaultServer, TcpProxy, closed_port


@pytest.fixture
async def redis_port(tmp_path):
    """A redis-server of the test's own."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        pytest.fail("no redis-server: apt-get install redis-server (or valkey-server), then run again")
    port = closed_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    async with asyncio.timeout(10):
        while not answers(port):  # noqa: ASYNC110 - a foreign process tells nobody when it is ready
            await asyncio.sleep(0.01)
    yield port
    process.kill()
    await process.wait()


def answers(port):
    """Whether Redis is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as wire:
            wire.sendall(b"PING\r\n")
            return wire.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


@pytest.fixture
async def wire(redis_port):
    """The wire between the cache and Redis."""
    async with TcpProxy("127.0.0.1", redis_port) as proxy:
        yield proxy


@pytest.fixture
async def ask(wire):
    """Ask one question of a registry whose only cache level is Redis, at the far end of the wire."""
    async with FaultServer() as server:
        # patient, so that only what the test does to the wire makes a miss on a busy machine
        cache = ModelCache(("redis",), host="127.0.0.1", port=wire.port, read_limit_s=1.0)
        registry = ModelRegistry(cache=cache)
        registry.register_model(OpenAIModel(name="m", id="m", api_key="any", base_url=server.base_url()))

        async def ask(question):
            response = await registry.generate_response(question)
            assert response.text == "All is well."
            await cache.flush()
            return response.cached

        yield ask
        await registry.cleanup()
        await close_sessions()


async def until_hit(ask, question):
    """Ask until the answer comes from Redis."""
    async with asyncio.timeout(10):
        while await ask(question) != "redis":  # noqa: ASYNC110 - the cache finds Redis again in its own time
            await asyncio.sleep(0.02)


async def test_a_sound_wire_brings_hits(ask):
    """The control."""
    assert [bool(await ask("one")), await ask("one")] == [False, "redis"]


@pytest.mark.parametrize("harm", ["cut", "half_close", "stall", "refuse and cut"])
async def test_a_bad_wire_is_a_miss_and_hits_come_back(ask, wire, harm):
    """Nobody sees an error; once the wire is sound, Redis is found again."""
    await ask("one")
    for act in harm.split(" and "):
        getattr(wire, act)()
    assert [bool(await ask(f"other {number}")) for number in range(5)] == [False] * 5
    wire.flow()
    await wire.accept()
    await until_hit(ask, "one")
