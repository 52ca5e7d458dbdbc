"""Names to addresses, without those to which no key may go; checked at the moment of connecting.

A name that was harmless when it was configured may lead elsewhere later (DNS rebinding), so the addresses that a
connection is made to are the ones that were checked.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from orchestrator.integrations.addresses import (
    PRIVATE_HOSTS,
    RefusedAddressError,
    is_ours,
    never_reached,
    private_address,
)

__all__ = ["GuardedResolver"]


class GuardedResolver(AbstractResolver):
    """Another resolver's findings, less what must not be reached.

    Link-local, unspecified and multicast addresses never; this machine and private networks only by a name that says
    so (`localhost`, `ollama`, `gpu.internal`), is listed as ours, or where `private` allows it.
    """

    def __init__(self, inner: AbstractResolver, *, private: bool) -> None:
        self._inner = inner
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses that may be used; `RefusedAddressError` where none is left."""
        found = await self._inner.resolve(host, port, family)
        private = self._private or is_ours(host)
        fit = [entry for entry in found if self._may_reach(entry["host"], private=private)]
        if found and not fit:
            raise RefusedAddressError(_refusal(host, found[0]["host"]))
        return fit

    @staticmethod
    def _may_reach(host: str, *, private: bool) -> bool:
        address = ip_address(host.partition("%")[0])
        return not never_reached(address) and (private or not private_address(address))

    async def close(self) -> None:
        """Close the other resolver."""
        await self._inner.close()


def _refusal(host: str, address: str) -> str:
    if never_reached(ip_address(address.partition("%")[0])):
        return f"the name leads to {address}, where no provider answers: check base_url and your DNS"
    return (
        f"the public name {host!r} leads to the private address {address}: if it should, pass allow_private=True or "
        f"list the name in {PRIVATE_HOSTS}"
    )
