"""The fault server does below HTTP what it is told, to any client."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from orchestrator.testing import (
    Answer,
    Begin,
    Drip,
    Fail,
    FakeClock,
    FaultServer,
    Finish,
    HalfClose,
    HangUp,
    Head,
    Hold,
    NeverRead,
    Raw,
    Refuse,
    Reset,
    Send,
    closed_port,
    full_port,
)


async def talk(server, request=b"GET /openai/v1/models HTTP/1.1\r\n\r\n"):
    """A plain connection on which a request was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    await writer.drain()
    return reader, writer


async def said(server):
    """All that the server says before it hangs up."""
    reader, writer = await talk(server)
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_bytes_go_out_as_they_are():
    """Nothing is added to them."""
    async with FaultServer([Raw(b"no HTTP"), HangUp()]) as server:
        assert await said(server) == b"no HTTP"


async def test_a_reset_is_a_reset():
    """RST, and no orderly end."""
    async with FaultServer(Reset()) as server:
        with pytest.raises(ConnectionResetError):
            await said(server)


async def test_a_half_closed_connection_still_listens():
    """The client sees the end and can go on writing."""
    async with FaultServer([Raw(b"bye"), HalfClose()]) as server:
        reader, writer = await talk(server)
        assert await reader.read() == b"bye"
        for _ in range(3):
            writer.write(b"still here")
            await writer.drain()
        writer.close()
        await writer.wait_closed()


async def test_a_head_says_how_its_body_ends():
    """By length, by chunks, or by the end of the connection."""
    async with FaultServer(
        [Head(length=2), Send(b"{}"), HangUp()],
        [Head(chunked=True), Send(b"{}"), Send(b""), HangUp()],
        [Head(), Send(b"{}"), HangUp()],
    ) as server:
        by_length, by_chunks, by_end = [await said(server) for _ in range(3)]
    assert b"Content-Length: 2\r\n" in by_length
    assert by_chunks.endswith(b"2\r\n{}\r\n0\r\n\r\n")
    assert b"Connection: close\r\n" in by_end


async def test_the_script_is_used_up_and_then_all_is_well():
    """One fault a request; `break_with` lasts until `mend`."""
    async with FaultServer(Refuse(Fail(503))) as server, aiohttp.ClientSession() as http:

        async def status():
            async with http.get(server.base_url() + "/models") as reply:
                return reply.status

        server.script(Refuse(Fail(429)))
        assert [await status() for _ in range(3)] == [503, 429, 200]
        server.break_with(Refuse(Fail(500)))
        assert [await status() for _ in range(2)] == [500, 500]
        server.mend()
        assert await status() == 200
        assert len(server.requests) == 6


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "ollama"])
async def test_a_refusal_is_in_the_dialect_with_its_headers(provider):
    """The provider's own words, and what else is told to be in the head."""
    async with FaultServer(Refuse(Fail(429), {"X-Told": "yes"})) as server, aiohttp.ClientSession() as http:
        reply = await http.post(server.base_url(provider) + "/anything", json={})
        assert (reply.status, reply.headers["X-Told"]) == (429, "yes")
        assert "error" in await reply.json()


async def test_a_request_is_kept_as_it_came():
    """Method, target, headers and body, chunked or not."""

    async def body():
        yield b"ab"
        yield b"cd"

    async with FaultServer() as server, aiohttp.ClientSession() as http:
        await http.post(server.url + "/x?y=1", data=b"abcd", headers={"X-One": "1"})
        await http.post(server.url + "/z", data=body())
    first, second = server.requests
    assert (first.method, first.target, first.headers["x-one"], first.body) == ("POST", "/x?y=1", "1", b"abcd")
    assert second.body == b"abcd"


async def test_drips_follow_the_clock():
    """One byte a turn of the clock."""
    clock = FakeClock()
    async with FaultServer([Head(length=3), Drip(b"abc", 10)], clock=clock) as server:
        reader, writer = await talk(server)
        await reader.readuntil(b"\r\n\r\n")
        for byte in (b"a", b"b", b"c"):
            assert await reader.readexactly(1) == byte
            await clock.wait_for_sleepers()
            await clock.advance(10)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("fault", [Hold(), [Begin(1), Hold()], [Head(chunked=True), Send(b"x" * 65_536, times=None)]])
async def test_a_client_that_leaves_is_noticed(fault):
    """Whether the server was silent or talking."""
    async with FaultServer(fault) as server:
        _, writer = await talk(server)
        await server.until(lambda server: server.requests)
        writer.transport.abort()
        async with asyncio.timeout(5):
            await server.until(lambda server: server.abandoned)


async def test_what_is_never_read_gets_stuck():
    """The buffers fill, and the client cannot go on."""
    async with FaultServer(NeverRead()) as server:
        _, writer = await talk(server, b"POST / HTTP/1.1\r\n")
        writer.write(b"x" * 20_000_000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await writer.drain()
        writer.transport.abort()
        assert not server.requests


async def test_a_stream_can_be_put_together():
    """A beginning, anything, and a proper end."""
    whole = [Begin(None, "One two."), Send(b": comment\n\n"), Finish("One two.")]
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    async with FaultServer(whole) as server, aiohttp.ClientSession() as http:
        reply = await http.post(server.base_url() + "/chat/completions", json=body)
        text = await reply.text()
    assert ": comment" in text
    assert text.endswith("data: [DONE]\n\n")


async def test_an_act_of_your_own():
    """Anything with `play`."""

    class Teapot:
        async def play(self, line):
            await line.raw(b"HTTP/1.1 418 Said\r\nContent-Length: 0\r\n\r\n")

    async with FaultServer([Teapot()], Answer()) as server, aiohttp.ClientSession() as http:
        assert (await http.get(server.url)).status == 418


async def test_nobody_listens_at_a_closed_port_and_a_full_one_hangs():
    """Refused at once; never decided."""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", closed_port())
    with full_port() as port, socket.socket() as client:
        client.setblocking(False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))


def test_code_without_a_loop_has_it_in_a_thread():
    """For as long as the block lasts."""
    with FaultServer.in_thread(Refuse(Fail(503))) as server:
        for expected in (b"503", b"200"):
            with socket.create_connection(("127.0.0.1", server.port), 5) as wire:
                wire.sendall(b"GET /openai/v1/models HTTP/1.1\r\n\r\n")
                assert expected in wire.recv(20)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 5)


async def test_closing_leaves_nothing_behind():
    """Connections that were still open are closed with the server."""
    async with FaultServer(Hold()) as server:
        reader, writer = await talk(server)
        await server.until(lambda server: server.requests)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
