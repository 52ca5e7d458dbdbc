"""The guard against the network."""

import contextlib
import socket

import aiohttp
import pytest

from orchestrator.testing import NetworkUsedError, no_network


def test_a_connection_to_another_machine_is_refused():
    """The error names the host and the remedy."""
    with pytest.raises(NetworkUsedError, match=r"192\.0\.2\.1.*emulator"), no_network():
        socket.create_connection(("192.0.2.1", 443))


def test_a_refusal_that_was_swallowed_still_fails():
    """Code under test cannot hide that it tried."""

    def swallow() -> None:
        with no_network(), contextlib.suppress(AssertionError):
            socket.create_connection(("api.example.com", 443))

    with pytest.raises(NetworkUsedError, match=r"api\.example\.com"):
        swallow()


async def test_an_aiohttp_client_is_held_back_too():
    """Names are not even looked up."""
    with pytest.raises(NetworkUsedError), no_network():
        async with aiohttp.ClientSession() as http:
            await http.get("http://api.example.com/")


def test_loopback_stays_open():
    """Addresses and names of this machine pass."""
    with socket.create_server(("127.0.0.1", 0)) as server, no_network():
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, server.getsockname()[1])).close()


def test_the_sockets_are_as_before_afterwards():
    """The guard leaves nothing behind."""
    before = socket.getaddrinfo, socket.socket.connect
    with no_network():
        assert socket.getaddrinfo is not before[0]
    assert (socket.getaddrinfo, socket.socket.connect) == before
