"""Bytes to a provider and back: one pooled aiohttp session an event loop, no redirects, no cookies, bounded bodies."""

from __future__ import annotations

import asyncio
import errno
import io
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.errors import (
    CapacityError,
    MalformedResponseError,
    OrchestratorError,
    ProviderAPIError,
    ProviderConnectionError,
    ProviderTimeoutError,
)

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
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
_CONNECT_S = 5.0
_LAST_BYTES_S = 0.1  # after the end marker, the end of the body follows at once or never
_LARGE = 2**20  # aiohttp wants larger bodies as files, so that writing them does not hold up the loop

_keepers: dict[asyncio.AbstractEventLoop, AsyncGenerator[ClientSession, None]] = {}
_sessions: dict[asyncio.AbstractEventLoop, ClientSession] = {}


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

    @classmethod
    def of(cls, *, first_byte_s: float, gap_s: float) -> Limits:
        """Connecting takes at most 5 s; there is no total, deadlines belong to the caller."""
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, connect=None, sock_connect=_CONNECT_S, sock_read=first_byte_s)
        return cls(timeout, first_byte_s, gap_s)


async def _session() -> ClientSession:
    """The session of the running loop; it closes when the loop shuts its generators down, if not before."""
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None or session.closed:
        for old in [known for known in _sessions if known.is_closed()]:
            _sessions.pop(old)
            _keepers.pop(old, None)
        keeper = _keepers[loop] = _kept_session()
        session = _sessions[loop] = await anext(keeper)
    return session


async def _kept_session() -> AsyncGenerator[ClientSession, None]:
    import aiohttp

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        raise_for_status=False,
    )
    try:
        yield session
    finally:
        await session.close()


async def close_sessions() -> None:
    """Close the running loop's connections; the next call opens new ones."""
    loop = asyncio.get_running_loop()
    _sessions.pop(loop, None)
    keeper = _keepers.pop(loop, None)
    if keeper is not None:
        await keeper.aclose()


async def exchange(
    url: URL, headers: Mapping[str, str], body: bytes | None, limits: Limits, *, provider: str
) -> Answer:
    """One request, one reply read whole: POST with a body, GET without."""
    loop_session = _sessions.get(asyncio.get_running_loop())
    session = loop_session if loop_session is not None and not loop_session.closed else await _session()
    try:
        async with session.request(
            "GET" if body is None else "POST",
            url,
            data=_payload(body),
            headers=headers,
            allow_redirects=False,
            timeout=limits.timeout,
        ) as response:
            if response.status == 200:
                return Answer(200, response.headers, await _whole_body(response, MAX_BODY, provider))
            return Answer(response.status, response.headers, await _head_of_body(response))
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, url.host or "") from _shown_cause(fault)


async def open_reply(
    url: URL, headers: Mapping[str, str], body: bytes, limits: Limits, *, provider: str
) -> ClientResponse:
    """A reply whose headers are there and whose body is still coming; give it back with `let_go`."""
    session = await _session()
    try:
        return await session.post(
            url, data=_payload(body), headers=headers, allow_redirects=False, timeout=limits.timeout
        )
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, url.host or "") from _shown_cause(fault)


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


async def body_of(response: ClientResponse, provider: str) -> Answer:
    """The rest of an opened reply, read whole."""
    try:
        if response.status == 200:
            return Answer(200, response.headers, await _whole_body(response, MAX_BODY, provider))
        return Answer(response.status, response.headers, await _head_of_body(response))
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, response.url.host or "", began=True) from _shown_cause(fault)


async def next_bytes(response: ClientResponse, limit_s: float, provider: str) -> bytes:
    """What has arrived by now, or arrives within the limit; empty at the end.

    A cut that TCP reported raises `ProviderConnectionError`.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await response.content.readany()
    except TimeoutError:
        raise ProviderTimeoutError(f"{provider} went silent in the middle of a stream") from None
    except Exception as fault:  # noqa: BLE001 - every failure of the road, in our terms
        raise _explained(fault, provider, response.url.host or "", began=True) from _shown_cause(fault)


def _payload(body: bytes | None) -> Any:
    return body if body is None or len(body) < _LARGE else io.BytesIO(body)


async def _whole_body(response: ClientResponse, limit: int, provider: str) -> bytes:
    """The body, in one read where its length is known beforehand, else counted while it unfolds."""
    length = response.content_length
    if length is not None and length <= limit and "Content-Encoding" not in response.headers:
        return await response.read()
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > limit:
            response.close()
            raise MalformedResponseError(f"the reply of {provider} is longer than {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _head_of_body(response: ClientResponse) -> bytes:
    """The first 64 KiB of an error's body: more is no explanation."""
    pieces = bytearray()
    async for piece in response.content.iter_any():
        pieces += piece
        if len(pieces) >= MAX_ERROR_BODY:
            response.close()
            break
    return bytes(pieces[:MAX_ERROR_BODY])


def _shown_cause(fault: Exception) -> Exception | None:
    """The cause to keep: not one whose repr shows the request's headers, the key among them."""
    import aiohttp

    return None if isinstance(fault, aiohttp.ClientResponseError) else fault


def _explained(fault: Exception, provider: str, host: str, *, began: bool = False) -> Exception:
    """A fault of the network as the error class that says what to do."""
    import aiohttp

    if isinstance(fault, OrchestratorError):
        return fault
    if isinstance(fault, aiohttp.ServerDisconnectedError) and not began:
        return StaleConnection()
    if isinstance(fault, OSError) and fault.errno in (errno.EMFILE, errno.ENFILE):
        return CapacityError("this process has no file descriptors left: close some, or raise `ulimit -n`")
    for kind, error, what in _faults():
        if isinstance(fault, kind):
            return error(f"{provider} ({host}): {what} ({type(fault).__name__})")
    return fault


@cache
def _faults() -> tuple[tuple[type[Exception], type[ProviderAPIError], str], ...]:
    """What can happen on the road, read downwards."""
    import aiohttp

    return (
        (aiohttp.ConnectionTimeoutError, ProviderTimeoutError, f"no connection within {_CONNECT_S:g} s"),
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
