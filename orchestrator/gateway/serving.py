"""The life of a serving process: up, told so, and down again without dropping a call."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.gateway.app import Gateway

__all__ = ["serve_until_told"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def serve_until_told(gateway: Gateway, *, ready: Callable[[str], object] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT, then finish the calls in flight; `ready(url)` is told once it listens.

    A second signal ends the process at once, as every process ends.
    """
    told = asyncio.Event()
    async with gateway.registry, gateway.serving() as url:
        with _heard(told):
            ready(url)
            await told.wait()


@contextmanager
def _heard(told: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, told.set)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
