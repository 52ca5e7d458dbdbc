"""However much a server sends, what is kept of it is bounded: measured in an interpreter of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from inspect import signature

import pytest
from faults_of_content import CONTENT

from orchestrator.errors import MalformedResponseError
from orchestrator.integrations import HTTPModel, OpenAIModel, close_sessions
from orchestrator.integrations.frames import MAX_LINE, MAX_STREAM
from orchestrator.integrations.strict_json import MAX_NESTING, loads
from orchestrator.integrations.transport import MAX_BODY, MAX_ERROR_BODY, Limits
from orchestrator.testing import FaultServer, Head, Send

MIB = 2**20
SLACK = 8 * MIB  # what an interpreter and its buffers sway by
# the smallest first: a high-water mark does not fall again
BOUNDS = {
    "error body without end": MAX_ERROR_BODY,
    "a line of 5 MB": MAX_LINE,
    "endless stream": MAX_LINE,
    "gzip bomb as a stream": MAX_LINE,
    "endless body": MAX_BODY,
    "gzip bomb": MAX_BODY,
}
ASK = """
import asyncio, json, resource, sys
from orchestrator.errors import ProviderAPIError
from orchestrator.integrations import OpenAIModel, close_sessions

def high_water():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

async def ask(url, streamed):
    model = OpenAIModel(name="m", api_key="any", base_url=url)
    try:
        if streamed:
            async for _ in model.stream_response("Hello"):
                pass
        else:
            await model.generate_response("Hello")
    except ProviderAPIError as error:
        return error.error_type

async def main():
    warm_up, *asked = json.loads(sys.argv[1])
    for streamed in (False, True):
        await ask(warm_up, streamed)
    found = []
    for url, streamed in asked:
        before = high_water()
        found.append((await ask(url, streamed), high_water() - before))
    await close_sessions()
    print(json.dumps(found))

asyncio.run(main())
"""


def test_the_limits_are_the_documented_ones():
    """16 MiB of body, 64 KiB of an error, 4 MiB of a line, 64 MiB of a stream, 64 levels."""
    assert (MAX_BODY, MAX_ERROR_BODY, MAX_LINE, MAX_STREAM, MAX_NESTING) == (16 * MIB, 2**16, 4 * MIB, 64 * MIB, 64)


def test_the_limits_of_time_are_the_documented_ones():
    """5 s to connect, 60 s to the first byte, 30 s without anything that means something, no total of its own."""
    limits = Limits.of(first_byte_s=60.0, gap_s=30.0)
    assert (limits.timeout.connect, limits.timeout.sock_connect, limits.timeout.total) == (5.0, 5.0, None)
    defaults = {name: given.default for name, given in signature(HTTPModel).parameters.items() if name.endswith("_s")}
    assert defaults == {"connect_s": 5.0, "first_byte_s": 60.0, "gap_s": 30.0}


async def test_memory_grows_by_no_more_than_three_times_the_limit():
    """Bombs and endless replies, one after the other, in one process."""
    rows = {row.fault: row for row in CONTENT if row.fault in BOUNDS}
    servers = {name: FaultServer() for name in BOUNDS}
    async with FaultServer() as well:
        for name, server in servers.items():
            play = rows[name].play
            server.break_with(play("") if callable(play) else play)
            await server.__aenter__()
        asked = [well.base_url(), *((server.base_url(), rows[name].stream) for name, server in servers.items())]
        command = [sys.executable, "-c", ASK, json.dumps(asked)]
        asking = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        said, _ = await asking.communicate()
        for server in servers.values():
            await server.__aexit__()
    found = dict(zip(BOUNDS, json.loads(said), strict=True))
    assert {name: error for name, (error, _) in found.items()} == {name: rows[name].error for name in BOUNDS}
    grown = {name: growth for name, (_, growth) in found.items()}
    assert all(growth <= 3 * BOUNDS[name] + SLACK for name, growth in grown.items()), grown


@pytest.mark.parametrize(("depth", "fine"), [(64, True), (65, False), (100_000, False)])
def test_nesting_is_bounded(depth, fine):
    """64 levels are read, more are not, and very many do no harm."""
    text = b"[" * depth + b"]" * depth
    if fine:
        assert loads(text) is not None
    else:
        with pytest.raises(MalformedResponseError, match="nested"):
            loads(text)


async def test_a_body_at_the_limit_is_read():
    """The limit itself is allowed."""
    head = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    body = head + b" " * (MAX_BODY - len(head))
    async with FaultServer([Head(length=len(body)), Send(body)], [Head(chunked=True), Send(body + b" ")]) as server:
        model = OpenAIModel(name="m", api_key="any", base_url=server.base_url())
        assert (await model.generate_response("Hello")).text == "Hi"
        with pytest.raises(MalformedResponseError, match="longer than"):
            await model.generate_response("Hello")
        await close_sessions()


async def test_a_stream_asks_for_no_compression():
    """What is compressed is held back until its blocks are full."""
    async with FaultServer() as server:
        model = OpenAIModel(name="m", api_key="any", base_url=server.base_url())
        assert "".join([chunk.text async for chunk in model.stream_response("Hello")]) == "All is well."
        await close_sessions()
        assert server.requests[0].headers["accept-encoding"] == "identity"
