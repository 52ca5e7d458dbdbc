"""Which base URLs may be used: a key and a prompt go there."""

from __future__ import annotations

import os
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from orchestrator.errors import ProviderConfigError

__all__ = [
    "PRIVATE_HOSTS",
    "RefusedAddressError",
    "checked_base_url",
    "is_local_host",
    "is_ours",
    "never_reached",
    "private_address",
    "with_own_path",
]

PRIVATE_HOSTS = "ORCHESTRATOR_PRIVATE_HOSTS"
_Address = IPv4Address | IPv6Address
_METADATA = ("169.254.169.254", "fd00:ec2::254", "metadata.google.internal")
_METADATA_ADDRESSES = frozenset(map(ip_address, _METADATA[:2]))
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan")


class RefusedAddressError(OSError):
    """A name leads only to addresses that must not see a key."""


@lru_cache(maxsize=1024)  # thousands of models share a few addresses
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


@lru_cache(maxsize=1024)
def with_own_path(url: str, own: str | None) -> str:
    """The provider's own address where the URL names no more than its host, else the URL as it is.

    >>> with_own_path("https://api.openai.com/", "https://api.openai.com/v1")
    'https://api.openai.com/v1'
    >>> with_own_path("https://proxy.example.org", "https://api.openai.com/v1")
    'https://proxy.example.org'
    """
    if own is not None and urlsplit(own)._replace(path="").geturl() == url.strip().rstrip("/"):
        return own
    return url


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises when it is no number
    except ValueError:
        raise ProviderConfigError("base_url is no URL: give something like 'https://api.example.org/v1'") from None
    return parts


def _address(host: str) -> _Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_forbidden(host: str) -> bool:
    address = _address(host)
    return host.rstrip(".") in _METADATA or (address is not None and never_reached(address))


def never_reached(address: _Address) -> bool:
    """True for addresses at which no provider answers: link-local (cloud metadata), unspecified, multicast.

    >>> [never_reached(ip_address(one)) for one in ("169.254.169.254", "::ffff:169.254.1.1", "0.0.0.0", "10.0.0.7")]
    [True, True, True, False]
    """
    address = _embedded(address)
    return address.is_link_local or address.is_unspecified or address.is_multicast or address in _METADATA_ADDRESSES


def private_address(address: _Address) -> bool:
    """True for this machine and for all that is not on the public internet (IANA special-purpose registries).

    >>> [private_address(ip_address(one)) for one in ("10.0.0.7", "100.64.0.1", "::1", "64:ff9b::7f00:1", "8.8.8.8")]
    [True, True, True, True, False]
    """
    return not _embedded(address).is_global


def _embedded(address: _Address) -> _Address:
    """The IPv4 address inside an IPv6 one that is a way to it, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_local_host(host: str) -> bool:
    """True for this machine and for names and addresses of a private network.

    >>> [is_local_host(host) for host in ("127.0.0.1", "10.0.0.7", "ollama", "api.openai.com", "8.8.8.8")]
    [True, True, True, False, False]
    """
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_private
    return "." not in host or host.endswith(_LOCAL_ENDINGS)


def is_ours(host: str) -> bool:
    """True for a name that may lead to a private address: one that says so, or one in `ORCHESTRATOR_PRIVATE_HOSTS`.

    The variable holds names with commas between; one with a leading dot stands for all that end in it.
    """
    listed = [name.strip().lower() for name in os.environ.get(PRIVATE_HOSTS, "").split(",")]
    host = host.lower().rstrip(".")
    return is_local_host(host) or any(host == name or (name[:1] == "." and host.endswith(name)) for name in listed)
