"""Bytes to a provider and back: over pooled connections, without redirects, within limits of time and size."""

from __future__ import annotations

import asyncio
import errno
import io
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.core.clock import SYSTEM_CLOCK
from orchestrator.core.passage import OUTGOING
from orchestrator.errors import (
    CapacityError,
    MalformedResponseError,
    OrchestratorError,
    ProviderAPIError,
    ProviderConnectionError,
    ProviderTimeoutError,
)
from orchestrator.integrations.addresses import RefusedAddressError
from orchestrator.integrations.sessions import close_sessions, session_of

if TYPE_CHECKING:
    from aiohttp import ClientResponse, StreamReader
    from yarl import URL

__all__ = [
    "MAX_BODY",
    "MAX_ERROR_BODY",
    "Answer",
    "Limits",
    "StaleConnection",
    "body_of",
    "close_sessions",
    "exchange",
    "let_go",
    "next_bytes",
    "open_reply",
]

MAX_BODY = 16 * 2**20  # bytes, after decompression
MAX_ERROR_BODY = 64 * 2**10
_LAST_BYTES_S = 0.1  # after the end marker, the end of the body follows at once or never
_LARGE = 2**20  # aiohttp wants larger bodies as files, so that writing them does not hold up the loop


class StaleConnection(Exception):  # noqa: N818 - no error yet: the call goes out once more on a fresh connection
    """The server hung up without a byte of reply, as it does on a pooled connection it has grown tired of."""


class Answer(NamedTuple):
    """A reply read to its end; `headers` is empty where nobody needs it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Limits(NamedTuple):
    """How long and how much: prepared once a model, since making it costs more than using it."""

    timeout: Any  # aiohttp.ClientTimeout
    first_byte_s: float
    gap_s: float
    private: bool = False  # may a public name lead into a private network?

    @classmethod
    def of(cls, *, first_byte_s: float, gap_s: float, connect_s: float = 5.0, private: bool = False) -> Limits:
        """There is no total, deadlines belong to the caller; `connect_s` includes finding the name and TLS.

        Silence is watched here and not by aiohttp, which sets a timer of its own for every read.
        """
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s, sock_read=None)
        return cls(timeout, first_byte_s, gap_s, private)


async def exchange(
    url: URL, headers: Mapping[str, str], body: bytes | None, limits: Limits, *, provider: str, fresh: bool = False
) -> Answer:
    """One request, one reply read whole: POST with a body, GET without; `fresh` on a new connection."""
    try:
        response = await _asked(url, headers, body, limits, fresh=fresh)
        try:
            return await _answer(response, limits, provider)
        finally:
            response.release()
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, url.host or "") from _shown_cause(fault)


async def open_reply(
    url: URL, headers: Mapping[str, str], body: bytes, limits: Limits, *, provider: str, fresh: bool = False
) -> ClientResponse:
    """A reply whose headers are there and whose body is still coming; give it back with `let_go`."""
    try:
        return await _asked(url, headers, body, limits, fresh=fresh)
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, url.host or "") from _shown_cause(fault)


async def _asked(
    url: URL, headers: Mapping[str, str], body: bytes | None, limits: Limits, *, fresh: bool
) -> ClientResponse:
    """The reply up to its headers, however slowly they drip."""
    session = await session_of(private=limits.private, fresh=fresh)
    if (extra := OUTGOING.get()) is not None:
        headers = {**headers, **extra}
    with SYSTEM_CLOCK.timeout(limits.first_byte_s):
        return await session.request(
            "GET" if body is None else "POST",
            url,
            data=_payload(body),
            headers=headers,
            allow_redirects=False,
            timeout=limits.timeout,
        )


async def let_go(response: ClientResponse, *, over: bool) -> None:
    """Give the connection back to the pool when the answer is `over` and the body ends too, else close it at once."""
    if over and not response.content.at_eof() and response.content.exception() is None:
        with suppress(Exception):
            async with asyncio.timeout(_LAST_BYTES_S):
                await response.content.readany()
    if response.content.at_eof():
        response.release()
    else:
        response.close()


async def body_of(response: ClientResponse, limits: Limits, provider: str) -> Answer:
    """The rest of an opened reply, read whole."""
    try:
        return await _answer(response, limits, provider)
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, response.url.host or "", began=True) from _shown_cause(fault)


async def next_bytes(response: ClientResponse, limit_s: float, provider: str) -> bytes:
    """What has arrived by now, or arrives within the limit; empty at the end.

    A cut that TCP reported raises `ProviderConnectionError`.
    """
    try:
        return await _within(limit_s, response.content)
    except TimeoutError:
        raise ProviderTimeoutError(f"{provider} went silent in the middle of a stream") from None
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, response.url.host or "", began=True) from _shown_cause(fault)


def _payload(body: bytes | None) -> Any:
    return body if body is None or len(body) < _LARGE else io.BytesIO(body)


async def _answer(response: ClientResponse, limits: Limits, provider: str) -> Answer:
    read = _whole_body(response, limits, provider) if response.status == 200 else _head_of_body(response, limits)
    return Answer(response.status, response.headers, await read)


async def _whole_body(response: ClientResponse, limits: Limits, provider: str) -> bytes:
    """The body, counted while it unfolds."""
    pieces: list[bytes] = []
    size = 0
    while not response.content.at_eof():
        piece = await _within(limits.first_byte_s, response.content)
        size += len(piece)
        if size > MAX_BODY:
            response.close()
            raise MalformedResponseError(f"the reply of {provider} is longer than {MAX_BODY} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _head_of_body(response: ClientResponse, limits: Limits) -> bytes:
    """The first 64 KiB of an error's body: more is no explanation."""
    pieces = bytearray()
    while not response.content.at_eof():
        pieces += await _within(limits.first_byte_s, response.content)
        if len(pieces) >= MAX_ERROR_BODY:
            response.close()
            break
    return bytes(pieces[:MAX_ERROR_BODY])


async def _within(limit_s: float, content: StreamReader) -> bytes:
    """What has come of a body, or comes next; TimeoutError when nothing does. One that is all there needs no timer."""
    if content.is_eof():
        return content.read_nowait()
    with SYSTEM_CLOCK.timeout(limit_s):
        return await content.readany()


def _shown_cause(fault: Exception) -> Exception | None:
    """The cause to keep: not one whose repr shows the request's headers, the key among them."""
    import aiohttp

    return None if isinstance(fault, aiohttp.ClientResponseError) else fault


def _explained(fault: Exception, provider: str, host: str, *, began: bool = False) -> Exception:
    """A fault of the network as the error class that says what to do."""
    if isinstance(fault, OrchestratorError):
        return fault
    if not began and _was_stale(fault):
        return StaleConnection()
    if isinstance(fault, OSError) and fault.errno in (errno.EMFILE, errno.ENFILE):
        return CapacityError("this process has no file descriptors left: close some, or raise `ulimit -n`")
    if isinstance(fault.__cause__, RefusedAddressError):
        return ProviderConnectionError(f"{provider} ({host}): {fault.__cause__}")
    for kind, error, what in _faults():
        if isinstance(fault, kind):
            return error(f"{provider} ({host}): {what} ({type(fault).__name__})")
    return fault


def _was_stale(fault: Exception) -> bool:
    """True for a connection that was made and broke before the first byte of a reply."""
    import aiohttp

    if isinstance(fault, aiohttp.ClientConnectorError):
        return False
    reset = isinstance(fault, aiohttp.ClientOSError) and fault.errno in (errno.ECONNRESET, errno.EPIPE)
    return reset or isinstance(fault, aiohttp.ServerDisconnectedError)


@cache
def _faults() -> tuple[tuple[type[Exception], type[ProviderAPIError], str], ...]:
    """What can happen on the road, read downwards."""
    import aiohttp

    return (
        (aiohttp.ConnectionTimeoutError, ProviderTimeoutError, "no connection in time"),
        (TimeoutError, ProviderTimeoutError, "no answer in time"),
        (aiohttp.ClientConnectorDNSError, ProviderConnectionError, "the name was not found, check base_url"),
        (aiohttp.ClientSSLError, ProviderConnectionError, "no trusted TLS connection"),
        (aiohttp.ClientPayloadError, ProviderConnectionError, "the connection broke in the middle of the reply"),
        (aiohttp.ClientConnectionError, ProviderConnectionError, "no connection"),
        (aiohttp.ClientResponseError, MalformedResponseError, "the reply is no HTTP"),
        (aiohttp.http_exceptions.HttpProcessingError, MalformedResponseError, "the reply is no HTTP"),
        (aiohttp.ClientError, ProviderConnectionError, "the exchange failed"),
        (OSError, ProviderConnectionError, "no connection"),
    )
