"""The wire in the middle passes everything on until it is told otherwise."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from orchestrator.testing import FakeClock, TcpProxy, closed_port


@pytest.fixture
async def echo():
    """A server that says everything again."""
    clients = set()

    async def repeat(reader, writer):
        clients.add(asyncio.current_task())
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(repeat, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*clients)


@asynccontextmanager
async def through(proxy):
    """A client's connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_what_goes_in_comes_out(echo):
    """Both ways, any size."""
    data = bytes(range(256)) * 2_000
    async with TcpProxy("127.0.0.1", echo) as proxy, through(proxy) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == data
        assert proxy.connections == 1


async def test_a_delay_follows_the_clock(echo):
    """Each way."""
    clock = FakeClock()
    async with TcpProxy("127.0.0.1", echo, clock=clock) as proxy, through(proxy) as (reader, writer):
        proxy.delay_s = 5
        writer.write(b"hello")
        for _ in range(2):
            await clock.wait_for_sleepers()
            await clock.advance(5)
        assert await reader.read(99) == b"hello"
        assert clock.monotonic() == 10


async def test_a_narrow_wire_takes_its_time(echo):
    """Bytes a second."""
    clock = FakeClock()
    async with TcpProxy("127.0.0.1", echo, clock=clock) as proxy:
        proxy.bytes_per_s = 100
        async with through(proxy) as (reader, writer):
            writer.write(b"x" * 30)
            reading = asyncio.create_task(reader.readexactly(30))
            while not reading.done():
                await clock.advance(0.05)
            assert clock.monotonic() >= 0.3


async def test_a_cut_breaks_every_connection(echo):
    """RST on both sides; a new connection works."""
    async with TcpProxy("127.0.0.1", echo) as proxy:
        async with through(proxy) as (reader, writer):
            writer.write(b"a")
            await reader.read(1)
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                await reader.read()
        async with through(proxy) as (reader, writer):
            writer.write(b"b")
            assert await reader.read(1) == b"b"


async def test_a_half_close_is_an_end_on_one_side(echo):
    """The client hears the end."""
    async with TcpProxy("127.0.0.1", echo) as proxy, through(proxy) as (reader, writer):
        writer.write(b"a")
        await reader.read(1)
        proxy.half_close()
        assert await reader.read() == b""


async def test_refused_until_it_accepts_again(echo):
    """At the same port."""
    async with TcpProxy("127.0.0.1", echo) as proxy:
        port = proxy.port
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await proxy.accept()
        assert proxy.port == port
        async with through(proxy) as (reader, writer):
            writer.write(b"a")
            assert await reader.read(1) == b"a"


async def test_a_stalled_wire_keeps_what_was_sent(echo):
    """Nothing comes while it stalls, everything afterwards."""
    async with TcpProxy("127.0.0.1", echo) as proxy, through(proxy) as (reader, writer):
        proxy.stall()
        writer.write(b"a")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
        proxy.flow()
        assert await reader.read(1) == b"a"


async def test_a_server_that_is_gone_closes_the_connection():
    """As the client would have seen it without the proxy."""
    async with TcpProxy("127.0.0.1", closed_port()) as proxy, through(proxy) as (reader, _):
        assert await reader.read() == b""
