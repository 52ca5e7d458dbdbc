"""The life of a serving process: up, told so, and down again without dropping a call."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from orchestrator.gateway.app import Gateway
from orchestrator.gateway.workers import Place
from orchestrator.models.draining import drain_on_signal

__all__ = ["serve_until_told"]


async def serve_until_told(
    gateway: Gateway, *, ready: Callable[[str], object] = lambda _: None, place: Place | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then let the calls in flight finish; `ready(url)` is told once it listens.

    While they finish, new calls are told to go elsewhere and /readyz says so. A second signal ends the process at once.
    One of several workers accepts from the socket of its `place`.
    """
    registry, drain_s = gateway.registry, gateway.settings.drain_s
    listening = None if place is None else place.listening
    async with registry, gateway.serving(listening) as url, drain_on_signal(registry, timeout_s=drain_s) as drained:
        if place is not None:
            place.hold(asyncio.get_running_loop())
        _leave_alone_what_is_loaded()
        ready(url)
        await drained.wait()


def _leave_alone_what_is_loaded() -> None:
    """What a server has loaded it keeps: the collector need not walk through it after every few hundred calls."""
    gc.collect()
    gc.freeze()
