"""A model that comes into memory when it is first needed, works in one thread of its own, and leaves when idle."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from orchestrator.core.clock import Clock
from orchestrator.core.info import ModelConstraints
from orchestrator.core.messages import Chunk, Reply, Request
from orchestrator.core.model import last_chunk
from orchestrator.errors import OrchestratorError
from orchestrator.integrations.local.generation import generate
from orchestrator.integrations.local.loader import Loaded, free_memory, load, missing_extra
from orchestrator.integrations.local.placement import Placement

__all__ = ["Residence"]

_T = TypeVar("_T")


class Residence:
    """The one copy of a model in this process; every call waits for its turn in the thread, none blocks a loop.

    `idle_s` seconds after the last call the weights are let go; None keeps them until `unload`. Callers that waited
    for a load which failed share its failure; the next call tries again.
    """

    def __init__(
        self, name: str, placement: Placement, limits: ModelConstraints, *, idle_s: float | None, clock: Clock
    ) -> None:
        self.name, self.placement, self.limits = name, placement, limits
        self._idle_s, self._clock = idle_s, clock
        self._at_home()

    def _at_home(self) -> None:
        """What belongs to this process, as it is before the first call."""
        self._thread: ThreadPoolExecutor | None = None
        self._loaded: Loaded | None = None
        self._calls = 0  # that have come so far
        self._failed: tuple[int, OrchestratorError] | None = None  # calls up to this one share the failure
        self._under_way: set[threading.Event] = set()
        self._last_used_s = 0.0
        self._idler: asyncio.Task[None] | None = None
        self._starting = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        """True while the weights are in memory."""
        return self._loaded is not None

    def setup_issue(self) -> str | None:
        """What to install, or None."""
        return missing_extra(self.placement)

    async def load(self) -> None:
        """Bring the weights into memory before the first call."""
        with self._call():
            await self._in_thread(_just_load)

    async def send(self, request: Request) -> Reply:
        """One whole answer; cancellation ends the generation."""
        with self._call() as unwanted:
            return await self._in_thread(lambda loaded: generate(loaded(), request, _nobody, unwanted))

    async def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The answer as it is made; who leaves early ends the generation."""
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()

        def say(piece: str | None) -> None:
            try:
                loop.call_soon_threadsafe(pieces.put_nowait, piece)
            except RuntimeError:  # the loop is closed, nobody listens
                unwanted.set()

        with self._call() as unwanted:
            answer = asyncio.ensure_future(self._in_thread(lambda loaded: generate(loaded(), request, say, unwanted)))
            answer.add_done_callback(lambda _: pieces.put_nowait(None))
            try:
                while (piece := await pieces.get()) is not None:
                    yield Chunk(piece)
                yield last_chunk(await answer)
            finally:
                answer.cancel()
                await asyncio.wait([answer])

    async def unload(self) -> None:
        """End what is under way, let go of the weights and the thread; the next call loads again."""
        for unwanted in list(self._under_way):
            unwanted.set()
        idler, self._idler = self._idler, None
        if idler is not None and idler is not asyncio.current_task() and idler.get_loop() is asyncio.get_running_loop():
            idler.cancel()
            await asyncio.wait([idler])
        thread = self._thread
        if thread is not None:
            await asyncio.wrap_future(thread.submit(self._leave))
            with self._starting:
                if self._thread is thread and not self._under_way:
                    self._thread = None
                    thread.shutdown(wait=False)

    def __getstate__(self) -> dict[str, Any]:
        """Where it is and how it is loaded; never weights or threads."""
        kept = ("name", "placement", "limits", "_idle_s", "_clock")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._at_home()

    # one call

    @contextlib.contextmanager
    def _call(self) -> Iterator[threading.Event]:
        """A call's mark, set when nobody wants the answer any more."""
        unwanted = threading.Event()
        self._under_way.add(unwanted)
        try:
            yield unwanted
        finally:
            unwanted.set()
            self._under_way.discard(unwanted)
            self._last_used_s = self._clock.monotonic()
            self._watch_idleness()

    async def _in_thread(self, work: Callable[[Callable[[], Loaded]], _T]) -> _T:
        with self._starting:
            self._calls += 1
            number = self._calls
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.name)
            result = self._thread.submit(lambda: work(lambda: self._ready_for(number)))
        return await asyncio.wrap_future(result)

    # in the thread

    def _ready_for(self, number: int) -> Loaded:
        """The model, loaded now if need be; one thread works, so that it is loaded once whoever races."""
        if self._loaded is None:
            if self._failed is not None and number <= self._failed[0]:
                known = self._failed[1]
                raise type(known)(str(known)) from known.__cause__
            try:
                self._loaded = load(self.name, self.placement, self.limits)
            except OrchestratorError as fault:
                self._failed = (self._calls, fault)
                raise
        return self._loaded

    def _leave(self) -> None:
        if self._loaded is not None:
            self._loaded = None
            free_memory()

    # leaving when idle

    def _watch_idleness(self) -> None:
        watched = self._idler is not None and not self._idler.done() and not self._idler.get_loop().is_closed()
        if self._idle_s is not None and not watched:
            self._idler = asyncio.get_running_loop().create_task(self._leave_when_idle(), name=f"idle {self.name}")

    async def _leave_when_idle(self) -> None:
        idle_s = self._idle_s or 0.0
        while True:
            left_s = idle_s - (self._clock.monotonic() - self._last_used_s)
            if left_s <= 0 and not self._under_way:
                await self.unload()
                return
            await self._clock.sleep(left_s if left_s > 0 else idle_s)


def _just_load(loaded: Callable[[], Loaded]) -> None:
    loaded()


def _nobody(_: str) -> None:
    """Where pieces go when the whole answer is wanted."""
