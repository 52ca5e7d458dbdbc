"""A. What happens to the connection."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager

from aiohttp.abc import AbstractResolver
from fault_row import CUT, GONE, NEXT, NOTHING, SAME, STRIKE, Row

from orchestrator.testing import (
    Begin,
    Drip,
    FaultServer,
    HalfClose,
    HangUp,
    Head,
    Hold,
    NeverRead,
    Raw,
    Reset,
    Send,
    closed_port,
    full_port,
)

PAGE = b"<html><body><h1>Welcome to the hotel</h1></body></html>"
JSON = (
    b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "All is well."}, "finish_reason": "stop"}]}'
)


class Nowhere(AbstractResolver):
    """Knows no name."""

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self):
        """Nothing was open."""


class Silent(Nowhere):
    """Never comes back with an answer."""

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        await asyncio.get_running_loop().create_future()


@contextmanager
def refusing(_server: FaultServer):
    """A port at which nobody listens."""
    yield f"http://127.0.0.1:{closed_port()}/v1"


@contextmanager
def unknown_name(_server: FaultServer):
    """A name that nobody knows."""
    yield "https://nosuch.example.org/v1"


@contextmanager
def full(_server: FaultServer):
    """A port whose queue is full."""
    with full_port() as port:
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def tls_to_plain(server: FaultServer):
    """https where plain HTTP is spoken."""
    yield server.base_url().replace("http://", "https://")


def redirect(status: int):
    """A redirect to the good server."""
    return lambda good: Head(status, {"Location": f"{good}/openai/v1/chat/completions"}, length=0)


def _says(text: str):
    return lambda error: text in str(error)


def row(number: int, fault: str, then: str = NEXT, error: str | None = "connection", health=STRIKE, **more) -> Row:
    """A fault of the road: it strikes the model, and the next one answers."""
    return Row(number=number, fault=fault, then=then, error=error, health=health, **more)


# fmt: off
TRANSPORT = [
    row(1, "connection refused", address=refusing, asked=0, alone=0),
    row(2, "the name is not known (NXDOMAIN)", address=unknown_name, resolver=Nowhere, asked=0),
    row(3, "the name server does not answer", error="timeout", address=unknown_name, resolver=Silent, asked=0, limit="connect"),
    row(4, "TLS: self-signed, expired, wrong host", asked=0, proof="faults/test_fault_tls.py::test_no_key_goes_over_a_connection_that_is_not_trusted"),
    row(5, "https to a port that speaks plain HTTP", address=tls_to_plain, asked=0),
    row(5, "http to a port that speaks TLS", asked=0, proof="faults/test_fault_tls.py::test_plain_http_at_a_tls_port_is_no_connection"),
    row(6, "connecting hangs (SYN dropped)", error="timeout", address=full, asked=0, limit="connect"),
    row(7, "no byte of a reply", variant="reset", play=Reset(), alone=3),
    row(7, "no byte of a reply", variant="reset", play=Reset(), stream=True, alone=3),
    row(7, "no byte of a reply", variant="closed", play=HangUp(), alone=3),
    row(7, "no byte of a reply", variant="half-closed", play=HalfClose(), alone=3),
    row(8, "a pooled connection was closed by the server", SAME, None, NOTHING, asked=2, proof="faults/test_fault_pool.py::test_a_stale_connection_is_replaced_without_counting"),
    row(9, "the reply never begins", error="timeout", play=Hold(), limit="first byte", alone=1),
    row(9, "headers drip (slow loris)", error="timeout", play=[Raw(b"HTTP/1.1 200 OK\r\n"), Drip(b"X: y\r\n", 0.02)], limit="first byte"),
    row(9, "headers drip (slow loris)", error="timeout", play=[Raw(b"HTTP/1.1 200 OK\r\n"), Drip(b"X: y\r\n", 0.02)], limit="first byte", stream=True),
    row(10, "the body drips", error="timeout", play=[Head(length=9_999), Drip(b" ", 0.02)], limit="deadline", deadline_s=2.4),
    row(10, "the stream drips without meaning", CUT, "timeout", text="All ", play=[Begin(1), Drip(b": ping\n\n", 0.02)], limit="gap", stream=True),
    row(11, "the request is never read", error="timeout", play=NeverRead(), prompt="x" * 10_000_000, asked=0, limit="first byte"),
    *(row(12, "redirect to another host: not followed, the key stays here", variant=str(status), error="not_found", health=GONE, play=redirect(status), alone=1) for status in (301, 302, 307, 308)),
    row(13, "a proxy wants a password (407)", error="server", play=[Head(407, {"Content-Type": "text/html"}, length=len(PAGE)), Send(PAGE)]),
    row(13, "a captive portal answers 200 with a page", error="server", play=[Head(200, {"Content-Type": "text/html"}, length=len(PAGE)), Send(PAGE)]),
    row(13, "a captive portal answers 200 with a page", error="server", play=[Head(200, {"Content-Type": "text/html"}, length=len(PAGE)), Send(PAGE)], stream=True),
    row(14, "a body that ends with the connection is cut", error="malformed_response", play=[Head(version="1.0"), Send(JSON[:60]), HangUp()]),
    row(15, "the body is shorter than Content-Length", play=[Head(length=len(JSON) + 9), Send(JSON), HangUp()]),
    row(15, "the body is longer than Content-Length", error="malformed_response", play=[Head(length=60), Send(JSON)]),
    row(15, "a chunked body is cut", play=[Head(chunked=True), Send(JSON[:60]), Reset()]),
    row(16, "two different Content-Length", error="malformed_response", play=Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\n{}      ")),
    row(16, "a header that is none", error="malformed_response", play=Raw(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n{}")),
    row(16, "a header of 1 MB", error="malformed_response", play=Raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20 + b"\r\n\r\n{}")),
    row(16, "no HTTP at all", error="malformed_response", play=[Raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), HangUp()]),
    row(17, "100 calls at once to one host: the pool has no limit, admission has", SAME, None, NOTHING, asked=100, proof="faults/test_fault_pool.py::test_a_hundred_calls_at_once_wait_for_nobody"),
    row(18, "no file descriptors left (EMFILE): told as CapacityError, recovers", "caller", None, NOTHING, asked=0, proof="faults/test_fault_pool.py::test_no_descriptors_left_is_told_as_such_and_blames_nobody"),
]
