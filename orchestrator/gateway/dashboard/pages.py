"""The files of the page, read once; nothing else in the folder or elsewhere can be asked for."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

__all__ = ["HEADERS", "Pages"]

_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {
    "Server": "orchestrator",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"  # no text ever becomes markup
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class _File(NamedTuple):
    body: bytes
    kind: str
    tag: str


class Pages:
    """Answers with one of the page's files by its name, or None."""

    def __init__(self) -> None:
        folder = files("orchestrator.gateway.dashboard") / "page"
        self._files = {one.name: _read(one.name, one.read_bytes()) for one in folder.iterdir() if one.is_file()}

    def answer(self, http: web.Request, name: str) -> web.StreamResponse | None:
        """The file, or 304 when the browser has it already."""
        found = self._files.get(name)
        if found is None:
            return None
        headers = {**HEADERS, "ETag": found.tag}
        if http.headers.get("If-None-Match") == found.tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=found.body, content_type=found.kind, charset="utf-8", headers=headers)


def _read(name: str, body: bytes) -> _File:
    suffix = name[name.rfind(".") :]
    return _File(body, _KINDS.get(suffix, "application/octet-stream"), f'"{sha256(body).hexdigest()[:16]}"')
