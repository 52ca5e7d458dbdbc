"""The gateway's reference from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.gateway.openapi import document

__all__ = ["headers", "paths", "statuses"]

Rows = tuple[Sequence[str], Iterator[Sequence[str]]]
_DOCUMENT = document("")


def paths() -> Rows:
    """Every path with what it takes and is for."""
    return ("method", "path", "body", "for"), (
        (method.upper(), f"`{path}`", _body(operation), operation["summary"])
        for path, methods in _DOCUMENT["paths"].items()
        for method, operation in methods.items()
    )


def _body(operation: dict[str, Any]) -> str:
    """The members a body must have."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return ""
    schema = _DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    return ", ".join(f"`{name}`" for name in schema["required"])


def statuses() -> Rows:
    """What each status means."""
    responses = _DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]
    return ("status", "meaning"), ((f"{status}", answer["description"]) for status, answer in responses.items())


def headers() -> Rows:
    """What the headers of a reply tell."""
    told = _DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["headers"]
    return ("header", "tells"), ((f"`{name}`", header["description"]) for name, header in told.items())
