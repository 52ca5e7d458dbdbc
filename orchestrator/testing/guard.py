"""No test may talk to anything but this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

__all__ = ["NetworkUsedError", "no_network"]


class NetworkUsedError(AssertionError):
    """A test reached for another machine; the message names which."""


@contextmanager
def no_network() -> Iterator[None]:
    """Refuse every connection and name look-up that leaves this machine, and fail at the end if any was tried.

    The failure at the end catches code that swallows the first one. Unix sockets and loopback stay open.

    >>> with no_network():
    ...     socket.create_connection(("192.0.2.1", 443))
    Traceback (most recent call last):
        ...
    orchestrator.testing.guard.NetworkUsedError: a test tried to reach '192.0.2.1'; use the emulator's address instead
    """
    tried: list[str] = []
    with (
        patch.object(socket.socket, "connect", _guarded(socket.socket.connect, tried)),
        patch.object(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex, tried)),
        patch.object(socket.socket, "sendto", _guarded(socket.socket.sendto, tried)),
        patch.object(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo, tried)),
    ):
        yield
    if tried:
        raise _refusal(tried[0])


def _guarded(method: Callable[..., Any], tried: list[str]) -> Callable[..., Any]:
    """A socket's method that takes the address last, behind the check."""

    def call(sock: socket.socket, *args: Any) -> Any:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            _check(args[-1][0], tried)
        return method(sock, *args)

    return call


def _guarded_lookup(lookup: Callable[..., Any], tried: list[str]) -> Callable[..., Any]:
    def call(host: str | bytes | None, *args: Any, **options: Any) -> Any:
        _check(host, tried)
        return lookup(host, *args, **options)

    return call


def _check(host: str | bytes | None, tried: list[str]) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name is None or _is_here(name):
        return
    tried.append(name)
    raise _refusal(name)


def _is_here(host: str) -> bool:
    """Whether the host is this machine, known without asking anybody."""
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refusal(host: str) -> NetworkUsedError:
    return NetworkUsedError(f"a test tried to reach {host!r}; use the emulator's address instead")
