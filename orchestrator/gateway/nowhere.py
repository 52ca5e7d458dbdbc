"""What leads to nobody: a path that is not there, or a method that it does not have; the right one is told."""

from __future__ import annotations

import re
from functools import cache

from aiohttp import web

from orchestrator.gateway.dialects import openai_chat
from orchestrator.gateway.openapi import document
from orchestrator.gateway.refusals import Refusal
from orchestrator.gateway.report import plain
from orchestrator.gateway.visit import sent

__all__ = ["nowhere"]


async def nowhere(http: web.Request) -> web.StreamResponse:
    """404 with the path that may have been meant, as base URLs are often wrong by one part; 405 with the methods."""
    allowed = _methods().get(http.path)
    if allowed is None:
        why = f"nothing answers {http.method} {plain(http.path)}; {_meant(http.path) or 'see /openapi.json'}"
        return _refused(Refusal(404, "not_found", why))
    if http.method == "OPTIONS":
        return web.Response(status=204, headers={"Server": "orchestrator", "Allow": allowed})
    why = f"{plain(http.path)} is asked by {allowed}, not by {http.method}"
    return _refused(Refusal(405, "invalid_request", why, "method_not_supported"), Allow=allowed)


def _refused(refusal: Refusal, **headers: str) -> web.Response:
    return sent(openai_chat.error(refusal), status=refusal.status, headers={**refusal.headers, **headers})


@cache
def _methods() -> dict[str, str]:
    """What each path is asked by."""
    paths = document("")["paths"]
    return {path: ", ".join(map(str.upper, methods)).replace("GET", "GET, HEAD") for path, methods in paths.items()}


def _meant(path: str) -> str | None:
    known, path = _methods(), re.sub("/{2,}", "/", path).rstrip("/")
    if path == "/v1":
        return "this is the base URL that clients are told; GET /v1/models lists what may be asked"
    if path in known:
        return f"did you mean {path}?"
    if f"/v1{path}" in known:
        return f"did you mean /v1{path}? the base URL ends in /v1"
    if path.startswith("/v1/v1/") and path[3:] in known:
        return f"did you mean {path[3:]}? the base URL ends before /v1"
    return None
