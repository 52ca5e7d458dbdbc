"""Who watches whole requests: told when one comes in and when it is answered, at no cost while nobody watches."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Protocol, TypeVar

from orchestrator.core.clock import Clock
from orchestrator.core.messages import Chunk, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.passage import OUTGOING, PASSAGE, Operation, Passage, Tried

__all__ = ["Observer", "Observers"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Somebody who is told of requests, in the task that makes them."""

    def began(self, passage: Passage) -> None:
        """A request has come in."""

    def ended(self, passage: Passage) -> None:
        """It has its answer, or its error."""


class Observers:
    """Everybody who watches the requests of one registry; false while there is nobody."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: tuple[Observer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    def __iter__(self) -> Iterator[Observer]:
        return iter(self._all)

    def add(self, observer: Observer) -> None:
        """Tell this one of every request from now on."""
        self._all = (*self._all, observer)

    def remove(self, observer: Observer) -> None:
        """Tell it no more."""
        self._all = tuple(one for one in self._all if one is not observer)

    def settled(self, model: Model, outcome: Outcome) -> None:
        """An attempt has ended, in the task of its request or in one that this has started."""
        passage = PASSAGE.get()
        if passage is not None:
            passage.attempts.append(Tried(model, outcome, self._clock.monotonic()))

    async def answer(self, request: Request, work: Callable[[], Awaitable[T]], operation: Operation = "chat") -> T:
        """What the work brings that answers this request, watched from before it begins."""
        observers, passage = self._begun(request, operation, streamed=False)
        token = PASSAGE.set(passage)
        try:
            passage.response = found = await work()
        except BaseException as error:
            passage.error = error
            raise
        finally:
            PASSAGE.reset(token)
            self._over(observers, passage)
        return found

    async def stream(self, request: Request, pieces: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """The pieces, watched; between two of them the reader's own context is as it was."""
        observers, passage = self._begun(request, "chat", streamed=True)
        last: float | None = None
        try:
            while (chunk := await _inside(passage, pieces)) is not None:
                now = self._clock.monotonic()
                passage.piece(chunk, now, last)
                last = now
                yield chunk
        except BaseException as error:
            passage.error = error
            raise
        finally:
            try:
                await _closed(passage, pieces)
            finally:
                self._over(observers, passage)

    def _begun(self, request: Request, operation: Operation, *, streamed: bool) -> tuple[tuple[Observer, ...], Passage]:
        observers = self._all  # whoever hears of the beginning hears of the end
        passage = Passage(request, operation, streamed=streamed, started=self._clock.monotonic())
        for observer in observers:
            try:
                observer.began(passage)
            except Exception:  # noqa: BLE001 - an observer's fault must never be the caller's
                _log.exception("an observer failed at the beginning of a request")
        return observers, passage

    def _over(self, observers: tuple[Observer, ...], passage: Passage) -> None:
        passage.duration_s = self._clock.monotonic() - passage.started
        for observer in observers:
            try:
                observer.ended(passage)
            except Exception:  # noqa: BLE001 - likewise
                _log.exception("an observer failed at the end of a request")


async def _inside(passage: Passage, pieces: AsyncGenerator[Chunk, None]) -> Chunk | None:
    """The next piece, fetched on behalf of this passage; None at the end."""
    passages, headers = PASSAGE.set(passage), OUTGOING.set(None)
    try:
        return await anext(pieces, None)
    finally:
        OUTGOING.reset(headers)
        PASSAGE.reset(passages)


async def _closed(passage: Passage, pieces: AsyncGenerator[Chunk, None]) -> None:
    """End the pieces, on behalf of this passage: what was under way is settled now."""
    passages = PASSAGE.set(passage)
    try:
        await pieces.aclose()
    finally:
        PASSAGE.reset(passages)
