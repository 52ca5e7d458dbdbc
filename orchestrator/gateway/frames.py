"""Server-sent events on their way out (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Any

from orchestrator.integrations.strict_json import dumps

__all__ = ["DONE", "HEADERS", "event"]

DONE = b"data: [DONE]\n\n"
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "Server": "orchestrator",
    "X-Accel-Buffering": "no",  # a proxy in between would hold the pieces back
}


def event(data: Any, name: str | None = None) -> bytes:
    r"""One event.

    >>> event({"a": 1}, "ping")
    b'event: ping\ndata: {"a":1}\n\n'
    """
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + dumps(data) + b"\n\n"
