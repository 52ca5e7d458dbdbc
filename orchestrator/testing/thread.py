"""An asynchronous context for code without an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from threading import Thread
from typing import TypeVar

__all__ = ["run_in_thread"]

_T = TypeVar("_T")


@contextmanager
def run_in_thread(context: AbstractAsyncContextManager[_T]) -> Iterator[_T]:
    """Enter the context on a loop in a thread of its own, and leave it there when the block ends."""
    opened: Future[tuple[_T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        async with context as value:
            done = asyncio.Event()
            opened.set_result((value, asyncio.get_running_loop(), done))
            await done.wait()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as broken:  # whatever it is belongs to the thread that waits
            if opened.done():
                raise
            opened.set_exception(broken)

    thread = Thread(target=run, name="orchestrator-emulator")
    thread.start()
    try:
        value, loop, done = opened.result()
        try:
            yield value
        finally:
            loop.call_soon_threadsafe(done.set)
    finally:
        thread.join()
