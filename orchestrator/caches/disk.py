"""The level that outlives the process: read at once from SQLite, written behind by one thread."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeVar
from weakref import WeakSet

from orchestrator.caches.complaints import Complaints
from orchestrator.caches.folder import UnsafePathError, default_directory, private_file
from orchestrator.caches.seal import sealed, unsealed
from orchestrator.caches.table import Row, Table, is_busy, is_corrupt
from orchestrator.core.caching.figures import LevelStatistics
from orchestrator.core.caching.levels import Which
from orchestrator.core.caching.settings import MOST_TTL_S, LevelSettings
from orchestrator.core.clock import SYSTEM_CLOCK, Clock

__all__ = ["DiskStore"]

T = TypeVar("T")
_MOST_PENDING_BYTES = 16 * 1024 * 1024
_MOST_TOUCHED = 4096
_MOST_FRESH_STARTS = 3
_WRITES_OFF_S = 30.0
_EXPIRE_EVERY_S = 300.0


class _Pending(NamedTuple):
    value: bytes
    expires: float
    tags: str


class DiskStore:
    """Sealed bytes in one private SQLite file (folder 0700, file 0600), bounded by count and by bytes.

    Reading takes microseconds and happens in the caller's thread; writing and all maintenance happen in one thread
    behind it, and what is still waiting there can be read already. A damaged file is set aside as `.corrupt-<n>`; a
    place that is unsafe or cannot be written turns the level off with one warning.
    """

    name = "disk"
    near = True

    def __init__(
        self,
        *,
        directory: Path | None = None,
        namespace: str = "orchestrator",
        max_size: int = 10_000,
        max_bytes: int = 1024 * 1024 * 1024,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.directory = directory if directory is not None else default_directory()
        self._file_name = f"{namespace}.sqlite3"
        self._max_size, self._max_bytes = max_size, max_bytes
        self._clock = clock
        self._complaints = Complaints(self.name, clock)
        self._lock = threading.RLock()  # over everything below
        self._table: Table | None = None
        self._off = False
        self._fresh_starts = 0
        self._pending: dict[str, _Pending] = {}
        self._writing: dict[str, _Pending] = {}
        self._pending_bytes = 0
        self._touched: dict[str, int] = {}
        self._uses = count(int(clock.time() * 1000))  # grows over restarts too
        self._thread: ThreadPoolExecutor | None = None
        self._writes_from = self._expire_from = -1.0
        _stores.add(self)

    @classmethod
    def of(cls, settings: LevelSettings) -> DiskStore:
        """The level these settings describe."""
        return cls(
            directory=settings.directory,
            namespace=settings.namespace,
            max_size=settings.max_size,
            max_bytes=settings.disk_bytes,
            clock=settings.clock,
        )

    # reading

    def peek(self, key: str) -> bytes | None:
        """The bytes, if they are here, alive and unharmed."""
        pending = self._pending.get(key) or self._writing.get(key)
        if pending is not None:
            return pending.value if self._alive(pending.expires) else None
        table = self._table or self._open()
        if table is None:
            return None
        try:
            found = table.get(key)
        except sqlite3.Error as error:
            self._judge(error)
            return None
        return None if found is None else self._checked(key, *found)

    async def read(self, key: str) -> bytes | None:
        """The same as `peek`."""
        return self.peek(key)

    def _checked(self, key: str, raw: object, expires: object) -> bytes | None:
        if not isinstance(expires, float) or not self._alive(expires):
            return None
        value = unsealed(key, raw)
        if value is None:
            self._complaints.note("an entry was damaged")
            self._behind(lambda table: table.drop(Which(key=key)))
        elif len(self._touched) < _MOST_TOUCHED:
            self._touched[key] = next(self._uses)
        return value

    def _alive(self, expires: float) -> bool:
        return 0 < expires - self._clock.time() <= MOST_TTL_S

    # writing

    def put(self, key: str, value: bytes, ttl_s: float, tags: Sequence[str] = ()) -> None:
        """Hand over to the writing thread; when it is too far behind, the entry is let go."""
        if self._off or ttl_s <= 0 or len(value) > self._max_bytes // 4 or self._clock.monotonic() < self._writes_from:
            return
        with self._lock:
            if self._pending_bytes + len(value) > _MOST_PENDING_BYTES:
                self._complaints.note("writing is too slow")
                return
            idle = not self._pending
            self._pending[key] = _Pending(value, self._clock.time() + ttl_s, f" {' '.join(tags)} ")
            self._pending_bytes += len(value)
        if idle:
            self._submit(self._drain)

    def _drain(self) -> None:
        """Write what is pending, in the writing thread."""
        with self._lock:
            self._writing, self._pending, self._pending_bytes = self._pending, {}, 0
            touched, self._touched = self._touched, {}
        rows = [
            Row(key, sealed(key, held.value), held.expires, next(self._uses), held.tags)
            for key, held in self._writing.items()
        ]
        self._try(lambda table: table.put(rows, [(used, key) for key, used in touched.items()]))
        self._writing = {}
        now = self._clock.monotonic()
        if now >= self._expire_from:
            self._expire_from = now + _EXPIRE_EVERY_S
            self._try(lambda table: table.expire(self._clock.time()))

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="orchestrator-cache")
            return self._thread.submit(work)

    def _behind(self, work: Callable[[Table], T]) -> None:
        self._submit(lambda: self._try(work))

    async def _after_writing(self, work: Callable[[Table], T]) -> T | None:
        """The result of work in the writing thread, once what was put before is written."""

        def all_of_it() -> T | None:
            self._drain()
            return self._try(work)

        if self._off:
            return None
        return await asyncio.wrap_future(self._submit(all_of_it))

    def _try(self, work: Callable[[Table], T]) -> T | None:
        """Work on the table; whatever is wrong with the file stays here."""
        table = self._table or self._open()
        if table is None:
            return None
        try:
            return work(table)
        except sqlite3.Error as error:
            self._judge(error)
            return None

    async def drop(self, which: Which) -> int:
        """Delete what matches."""
        return await self._after_writing(lambda table: table.drop(which)) or 0

    async def clear(self) -> None:
        """Delete everything."""
        await self._after_writing(lambda table: table.drop(Which()))

    async def flush(self) -> None:
        """Return when everything put so far is in the file."""
        if self._thread is not None:
            await self._after_writing(lambda _: None)

    async def close(self) -> None:
        """Write what is pending, end the thread and close the file."""
        await self.flush()
        with self._lock:
            thread, self._thread = self._thread, None
            table, self._table = self._table, None
            self._off = False
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)
        if table is not None:
            table.close()

    # opening, and what can go wrong with a file

    def _open(self) -> Table | None:
        with self._lock:
            if self._table is None and not self._off:
                try:
                    path = private_file(self.directory, self._file_name)
                    self._table = self._open_file(path)
                except (OSError, sqlite3.Error) as error:
                    self._turn_off(error)
            return self._table

    def _open_file(self, path: Path) -> Table:
        try:
            return Table(path, max_size=self._max_size, max_bytes=self._max_bytes)
        except sqlite3.Error as error:
            if not is_corrupt(error):
                raise
            self._set_aside(path)
            return Table(
                private_file(self.directory, self._file_name), max_size=self._max_size, max_bytes=self._max_bytes
            )

    def _leave_parent(self) -> None:
        """After a fork: file, thread and lock belong to the parent, and closing the file here would hurt it."""
        _inherited.append(self._table)
        self._lock = threading.RLock()
        self._table = self._thread = None
        self._pending, self._writing, self._pending_bytes = {}, {}, 0

    def _turn_off(self, error: Exception) -> None:
        self._off = True
        why = str(error) if isinstance(error, UnsafePathError) else f"{type(error).__name__} at {str(self.directory)!r}"
        self._complaints.note(f"it cannot be opened ({why})", "it stays off until the cache is closed")

    def _judge(self, error: sqlite3.Error) -> None:
        """Count a fault and do what it calls for; the caller has a miss."""
        if is_busy(error):
            self._complaints.note("the file is locked by another process")
        elif is_corrupt(error):
            self._submit(self._start_afresh)
        elif not isinstance(error, sqlite3.ProgrammingError):  # that one: closed by close() in the same moment
            self._writes_from = self._clock.monotonic() + _WRITES_OFF_S
            self._complaints.note(
                f"writing failed ({getattr(error, 'sqlite_errorname', 'SQLITE_ERROR')})",
                f"reads go on, writes are tried again in {_WRITES_OFF_S:.0f} s",
            )

    def _start_afresh(self) -> None:
        """Set a damaged file aside and begin a new one, in the writing thread; a disk that damages all is left."""
        with self._lock:
            table, self._table = self._table, None
            if table is not None:
                table.close()
                self._set_aside(self.directory / self._file_name)
            self._off = self._fresh_starts > _MOST_FRESH_STARTS

    def _set_aside(self, path: Path) -> None:
        self._fresh_starts += 1
        number = next(n for n in count(1) if not os.path.lexists(f"{path}.corrupt-{n}"))
        path.rename(f"{path}.corrupt-{number}")
        for companion in (f"{path}-wal", f"{path}-shm"):
            Path(companion).unlink(missing_ok=True)
        self._complaints.note("the file was damaged", f"it was set aside as {path.name}.corrupt-{number}")

    def figures(self) -> LevelStatistics:
        """What the file holds, as far as this process knows."""
        table = self._table
        return LevelStatistics(
            faults=self._complaints.count,
            entries=None if table is None else table.entries,
            available=not self._off,
            trouble=self._complaints.last,
        )

    async def survey(self) -> LevelStatistics:
        """The same with what the file really holds; None where it cannot be read."""
        entries, held_bytes = await self._after_writing(Table.held) or (None, None)
        return replace(self.figures(), entries=entries, bytes=held_bytes)

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self.directory / self._file_name)


_stores: WeakSet[DiskStore] = WeakSet()
_inherited: list[Table | None] = []  # what a child must neither use nor close


def _after_fork() -> None:
    for store in _stores:
        store._leave_parent()  # noqa: SLF001 - our own class


os.register_at_fork(after_in_child=_after_fork)
