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

G = TypeVar("G")
T = TypeVar("T")
_log = logging.getLogger(__name__)
_AT_FIRST = "an observer failed at the beginning of a request"
_AT_LAST = "an observer failed at the end of a request"


class Observer(Protocol):
    """Somebody who is told of requests, in the task that makes them."""

    def began(self, passage: Passage) -> None:
        """A request has come in."""

    def ended(self, passage: Passage) -> None:
        """It has its answer, or its error."""


class Observers:
    """Everybody who watches the requests of one registry; false while there is nobody."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
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
        if (passage := PASSAGE.get()) is not None:
            passage.attempts.append(Tried._make((model, outcome, self._now())))
            for follower in passage.followers:
                try:
                    follower(passage, model, outcome)
                except Exception:  # noqa: BLE001 - its fault must never be the caller's
                    _log.exception("an observer failed on an attempt of %r", model.id)

    async def answer(
        self, request: Request, work: Callable[[G], Awaitable[T]], given: G, operation: Operation = "chat"
    ) -> T:
        """What `work(given)` brings that answers this request, watched from before it begins."""
        observers = self._all  # whoever hears of the beginning hears of the end
        passage = Passage(request, operation, streamed=False, started=self._now())
        for observer in observers:  # in line, here and below: a call costs a twentieth of all the watching
            try:
                observer.began(passage)
            except Exception:  # noqa: BLE001 - an observer's fault must never be the caller's
                _log.exception(_AT_FIRST)
        token = PASSAGE.set(passage)
        try:
            passage.response = found = await work(given)
        except BaseException as error:
            passage.error = error
            raise
        finally:
            PASSAGE.reset(token)
            passage.duration_s = self._now() - passage.started
            for observer in reversed(observers):  # what each has put around the work comes off in turn
                try:
                    observer.ended(passage)
                except Exception:  # noqa: BLE001 - likewise
                    _log.exception(_AT_LAST)
        return found

    async def stream(self, request: Request, pieces: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """The pieces, watched; between two of them the reader's own context is as it was."""
        observers = self._all
        passage = Passage(request, "chat", streamed=True, started=self._now())
        _begun(observers, passage)
        last: float | None = None
        try:
            while (chunk := await _inside(passage, pieces)) is not None:
                now = self._now()
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
                passage.duration_s = self._now() - passage.started
                _over(observers, passage)


def _begun(observers: tuple[Observer, ...], passage: Passage) -> None:
    for observer in observers:
        try:
            observer.began(passage)
        except Exception:  # noqa: BLE001 - an observer's fault must never be the caller's
            _log.exception(_AT_FIRST)


def _over(observers: tuple[Observer, ...], passage: Passage) -> None:
    for observer in reversed(observers):
        try:
            observer.ended(passage)
        except Exception:  # noqa: BLE001 - likewise
            _log.exception(_AT_LAST)


async def _inside(passage: Passage, pieces: AsyncGenerator[Chunk, None]) -> Chunk | None:
    """The next piece, fetched on behalf of this passage; None at the end."""
    passages, headers = PASSAGE.set(passage), OUTGOING.set(passage.outgoing)
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
