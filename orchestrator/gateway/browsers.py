"""What a browser is made to ask by a page of somebody else: refused where no key would tell it apart."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from orchestrator.gateway.refusals import RefusedError

__all__ = ["refuse_foreign_page"]


def refuse_foreign_page(headers: Mapping[str, str]) -> None:
    """RefusedError for a request from a web page that this gateway has not served.

    Browsers say with `Origin` whose page asks (Fetch standard, 3.2); programs send none. Any page may have a browser
    post to an address on its user's machine, without being able to read the answer, which would be paid for all the
    same. A page whose own name has been made to mean this machine is no better: only addresses and `localhost` are.

    >>> refuse_foreign_page({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"})
    >>> refuse_foreign_page({"Host": "127.0.0.1:8000", "Origin": "https://news.example"})
    Traceback (most recent call last):
    orchestrator.gateway.refusals.RefusedError: a web page from elsewhere may not use a gateway without keys: set keys
    """
    origin = headers.get("Origin", "")
    if origin != "null" and not origin.startswith(("http://", "https://")):
        return  # programs, also those that are made of pages
    if _host_in(origin) != _host_in(f"//{headers.get('Host', '')}") or not _is_address(_host_in(origin)):
        raise RefusedError(403, "permission", "a web page from elsewhere may not use a gateway without keys: set keys")


def _host_in(address: str) -> tuple[str, str]:
    """Name and port; what cannot be read is nobody's."""
    try:
        found = urlsplit(address)
        return found.hostname or "", str(found.port or "")
    except ValueError:
        return "", ""


def _is_address(host: tuple[str, str]) -> bool:
    name, _ = host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return bool(ip_address(name))
    except ValueError:
        return False
