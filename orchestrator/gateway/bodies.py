"""A request's body: whole, in time, within its bound, and a JSON object."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from orchestrator.errors import MalformedResponseError
from orchestrator.gateway.refusals import RefusedError
from orchestrator.integrations.strict_json import loads

__all__ = ["json_body"]


async def json_body(http: web.Request, *, read_s: float) -> dict[str, Any]:
    """The object in the body; RefusedError says what is wrong with it, without a word of what it said."""
    try:
        raw = await (http.read() if http.content.is_eof() else _read_within(http, read_s))
    except web.HTTPRequestEntityTooLarge:
        raise RefusedError(413, "too_large", f"the body is larger than {http.client_max_size} bytes") from None
    except web.RequestPayloadError:
        raise RefusedError(400, "invalid_request", "the body is not what its Content-Encoding says") from None
    except TimeoutError:
        raise RefusedError(408, "timeout", f"the body was not there within {read_s:g} s") from None
    if not raw:
        raise RefusedError(400, "invalid_request", "the body is empty: send a JSON object")
    try:
        body = loads(raw)
    except MalformedResponseError as wrong:
        raise RefusedError(400, "invalid_request", f"the body is {str(wrong)[:120]}") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "invalid_request", "the body must be a JSON object")
    return body


async def _read_within(http: web.Request, read_s: float) -> bytes:
    """A body that is still on its way; most are there with their head, and need no timer."""
    async with asyncio.timeout(read_s):
        return await http.read()
