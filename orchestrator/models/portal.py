"""The way in for code that cannot await: one event loop on one background thread."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

__all__ = ["Portal", "portal"]

T = TypeVar("T")
_END = object()


class Portal:
    """Runs coroutines on a loop of its own, from any thread, also from inside another running loop.

    >>> async def answer():
    ...     return 42
    >>> door = Portal()
    >>> door.run(answer)
    42
    >>> door.close()
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for the coroutine's result; an interrupt cancels it."""
        loop = self._started()
        if threading.current_thread() is self._thread:
            raise RuntimeError("a synchronous call from inside the engine's own loop would wait for itself; await it")
        future = asyncio.run_coroutine_threadsafe(work(), loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """The items of an async iterator, one by one as they come."""

        async def step() -> Any:
            return await anext(pieces, _END)

        async def close() -> None:
            end = getattr(pieces, "aclose", None)
            if end is not None:
                await end()

        try:
            while (piece := self.run(step)) is not _END:
                yield piece
        finally:
            self.run(close)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            with self._lock:
                if self._loop is None:
                    self._loop = self._start()
        return self._loop

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_serve, args=(loop,), name="orchestrator-portal", daemon=True)
        self._thread.start()
        atexit.register(self.close)
        return loop

    def forget(self) -> None:
        """Start afresh in a forked child: the thread has stayed behind in the parent."""
        self._lock = threading.Lock()
        self._loop = self._thread = None
        atexit.unregister(self.close)

    def close(self) -> None:
        """Cancel what is running, close the provider connections of this loop and end the thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        atexit.unregister(self.close)
        asyncio.run_coroutine_threadsafe(_wind_up(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _wind_up() -> None:
    from orchestrator.integrations.transport import close_sessions

    running = asyncio.all_tasks() - {asyncio.current_task()}
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await close_sessions()


portal = Portal()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=portal.forget)
