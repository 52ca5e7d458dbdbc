"""The life of a serving process: up, told so, and down again without dropping a call."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.gateway.app import Gateway
from orchestrator.gateway.workers import Place
from orchestrator.models.draining import drain_on_signal

__all__ = ["serve_until_told", "sparing_the_collector"]

_COLLECTIONS = (10_000, 2, 2)  # as often through everything as by default, hardly ever through what is in flight


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
        with sparing_the_collector():
            ready(url)
            await drained.wait()


@contextmanager
def sparing_the_collector() -> Iterator[None]:
    """Inside, next to no time is spent on looking for garbage where there is none.

    What a server has loaded it keeps, so that is looked through no more. A call leaves no cycles behind, but dozens of
    calls in flight hold thousands of objects, which by default are walked through every few calls.
    """
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
