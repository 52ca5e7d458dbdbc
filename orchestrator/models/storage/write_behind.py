"""One thread that writes a file, off the path of any request, and the care that a file needs across a fork."""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from weakref import WeakSet

__all__ = ["Closable", "WriteBehind"]

_log = logging.getLogger(__name__)


class Closable(Protocol):
    """A file that is open."""

    path: Path

    def close(self) -> None:
        """Let go of it."""


F = TypeVar("F", bound=Closable)


class WriteBehind(ABC, Generic[F]):
    """Collects what is new and writes it at most every `flush_every_s` seconds, and at exit.

    A kind of it says how its file is opened, what is written, and what becomes of news that cannot be: of these the
    user is warned once, until a write has worked again. The file is closed by `close` and before a fork, and opens
    again when there is something to write.
    """

    thread_name: ClassVar[str]
    complaint: ClassVar[str]  # of the path and what is wrong

    def __init__(self, file: F, *, flush_every_s: float) -> None:
        self.flush_every_s = flush_every_s
        self.path = file.path
        self._file: F | None = file
        self._failing = False
        self._begin_anew()
        _all.add(self)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()  # over the file; held while it is written, so no request may need it
        self._starting = threading.Lock()  # over the thread
        self._hurry = threading.Event()
        self._thread: ThreadPoolExecutor | None = None
        self._awake = False

    @abstractmethod
    def _open_file(self) -> F:
        """The file, after it was closed."""

    @abstractmethod
    def _write(self) -> bool:
        """Take all that is new and write it; False when there was nothing. What the file refuses is raised."""

    # on the path of a request

    def wake(self) -> None:
        """There is something to write: it will be in the file in `flush_every_s` seconds."""
        if not self._awake:
            self._awake = True
            with suppress(RuntimeError):  # the interpreter is ending, and a call must not fail for its record
                self._submit(self._write_soon)

    # in the thread

    def _submit(self, work: Callable[[], bool]) -> Future[bool]:
        with self._starting:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.thread_name)
            return self._thread.submit(work)

    def _write_soon(self) -> bool:
        self._hurry.wait(self.flush_every_s)
        return self._write_now()

    def _write_now(self) -> bool:
        """Write all that is new; False when it did not work, the last time that there was something."""
        self._hurry.clear()
        self._awake = False  # before anything is taken: what comes now wakes us again
        try:
            if self._write():
                self._failing = False
        except Exception as error:  # noqa: BLE001 - the boundary: nobody hears what this thread raises
            if not self._failing:
                _log.warning(self.complaint, self.path, error)
            self._failing = True
        return not self._failing

    @contextmanager
    def _opened(self) -> Iterator[F]:
        """The file, and nobody else at it."""
        with self._lock:
            if self._file is None:
                self._file = self._open_file()
            yield self._file

    # for whoever closes up

    def hurry(self) -> None:
        """Whoever waits for the next write waits no longer."""
        self._hurry.set()

    def flush(self) -> bool:
        """Return when all that was new before is in the file; False when it could not be written."""
        written = self._submit(self._write_now)
        self._hurry.set()  # only now: whoever waits before it in the thread has not missed it
        return written.result()

    def close(self) -> None:
        """Flush, end the thread and close the file; it opens again when it is used."""
        self.flush()
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._hurry.set()
            thread.shutdown()
            self._hurry.clear()
        with self._lock:
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    # across a fork

    def pause(self) -> None:
        """Before a fork: SQLite must not find itself in two processes, so its file is closed, and opens when needed."""
        self._lock.acquire()
        self._close_file()

    def resume(self) -> None:
        """After it, in the parent."""
        self._lock.release()

    def leave_parent(self) -> None:
        """After it, in the child: locks, thread and what is not yet written belong to the parent."""
        self._begin_anew()


_all: WeakSet[WriteBehind[Any]] = WeakSet()
_paused: list[WriteBehind[Any]] = []


def _before_fork() -> None:
    for one in tuple(_all):
        one.pause()
        _paused.append(one)


def _after_in_parent() -> None:
    while _paused:
        _paused.pop().resume()


def _after_in_child() -> None:
    while _paused:
        _paused.pop().leave_parent()


def _at_exit() -> None:
    """The interpreter waits for all threads before it ends, so none of ours may wait for its next write."""
    for one in tuple(_all):
        one.hurry()


threading._register_atexit(_at_exit)  # type: ignore[attr-defined]  # noqa: SLF001 - `atexit` comes after the threads
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
