"""Which base URLs may be used: a key and a prompt go there."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from orchestrator.errors import ProviderConfigError

__all__ = ["checked_base_url", "is_local_host"]

_METADATA = ("169.254.169.254", "fd00:ec2::254", "metadata.google.internal")
_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan")


def checked_base_url(url: str, *, allow_http: bool = False) -> str:
    """The URL without a closing slash; `ProviderConfigError` for one that must not see a key.

    https anywhere; http on this machine, on a private network, or where `allow_http` says so. No user name or
    password, no query, no fragment, no link-local address (cloud metadata answers there).

    >>> checked_base_url("http://localhost:11434/")
    'http://localhost:11434'
    >>> checked_base_url("http://example.org/v1")
    Traceback (most recent call last):
        ...
    orchestrator.errors.ProviderConfigError: base_url for host 'example.org' is http: use https, or pass allow_http=True
    """
    parts = _parts(url)
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None:
        raise ProviderConfigError(f"base_url for host {host!r} holds a user name or password: pass api_key= instead")
    if parts.query or parts.fragment:
        raise ProviderConfigError(f"base_url for host {host!r} has a query or a fragment: give the plain path")
    if parts.scheme not in ("http", "https") or not host:
        raise ProviderConfigError(f"base_url starts with https:// and a host, not with {parts.scheme!r}")
    if _is_forbidden(host):
        raise ProviderConfigError(f"base_url host {host!r} is link-local or unspecified: no provider answers there")
    if parts.scheme == "http" and not allow_http and not is_local_host(host):
        raise ProviderConfigError(f"base_url for host {host!r} is http: use https, or pass allow_http=True")
    return url.strip().rstrip("/")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises when it is no number
    except ValueError:
        raise ProviderConfigError("base_url is no URL: give something like 'https://api.example.org/v1'") from None
    return parts


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_forbidden(host: str) -> bool:
    address = _address(host)
    return host in _METADATA or (address is not None and (address.is_link_local or address.is_unspecified))


def is_local_host(host: str) -> bool:
    """True for this machine and for names and addresses of a private network.

    >>> [is_local_host(host) for host in ("127.0.0.1", "10.0.0.7", "ollama", "api.openai.com", "8.8.8.8")]
    [True, True, True, False, False]
    """
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_private
    return "." not in host or host.endswith(_LOCAL_ENDINGS)
