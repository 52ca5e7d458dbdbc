"""The output file, which is also the ledger: what stands in it is paid for and never asked again."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from orchestrator.errors import ConfigurationError, OrchestratorError

__all__ = ["FACTS", "Ledger", "LedgerError", "Record"]

FACTS = "orchestrator"  # the member of a record that speaks of the engine
Record = Mapping[str, Any]


class LedgerError(OrchestratorError):
    """The output file cannot be written any more; what is in it is whole."""


class Ledger:
    """A JSONL file of answers, each on disk (fsync) before it counts; many that come at once share one fsync.

    Opening it mends what a crash has left: a last line without its end is cut off. A file with other contents is
    refused, as is one that another process is writing. `drop` says which records of earlier runs are taken out, so that
    their lines are asked again.

    >>> import asyncio, tempfile
    >>> async def keep(path):
    ...     async with Ledger(path) as ledger:
    ...         await ledger.append({"custom_id": "a", "orchestrator": {"digest": "x", "spent_usd": 0.5}})
    ...     with open(path, "a") as file:
    ...         _ = file.write('{"custom_id": "b", "orch')
    ...     async with Ledger(path) as ledger:
    ...         return ledger.done, ledger.spent_usd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asyncio.run(keep(f"{folder}/answers.jsonl"))
    ({('a', 'x')}, 0.5)
    """

    def __init__(self, path: str | os.PathLike[str], *, drop: Callable[[Record], bool] | None = None) -> None:
        self.path = Path(path)
        self.done: set[tuple[str, str]] = set()
        self.failed = 0
        self.spent_usd = 0.0
        self.unpriced = 0
        self._drop = drop
        self._file: BinaryIO | None = None
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    # lifetime

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._writer is not None and not self._writer.done():
                await asyncio.shield(self._writer)  # an answer that is paid for is written, whoever was cancelled
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _open(self) -> None:
        try:
            self._file = self.path.open("a+b")
            _lock(self._file, self.path)
            self._mend()
        except OSError as error:
            self._shut()
            why = f"{str(self.path)!r} cannot be written ({error.strerror}): give another output file"
            raise ConfigurationError(why) from error
        except BaseException:
            self._shut()
            raise

    def _shut(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _mend(self) -> None:
        """Read what is there, cut off a torn end, and take out what is to be asked again."""
        assert self._file is not None
        self._file.seek(0)
        good, kept, dropped, whole = 0, [], 0, True
        for number, line in enumerate(self._file, 1):
            record = _record(line)
            if record is None:
                if line.endswith(b"\n") and line.strip(b"\0\n"):
                    raise ConfigurationError(
                        f"{str(self.path)!r}, line {number}, is no record of a batch: give another output file"
                    )
                break  # torn by a crash; nothing comes after it
            good += len(line)
            whole = line.endswith(b"\n")  # else only its line end is missing
            if self._drop is not None and self._drop(record):
                dropped += 1
                continue
            kept.append(line.rstrip(b"\n") + b"\n")
            self._count(record)
        if dropped:
            self._rewrite(kept)
        else:
            self._file.truncate(good)
            self._file.write(b"" if whole else b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def _rewrite(self, kept: list[bytes]) -> None:
        """Put a file of these lines in the place of the old one, at once."""
        assert self._file is not None
        new = self.path.with_name(f".{self.path.name}.new")
        with new.open("wb") as file:
            file.writelines(kept)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        self._file.close()
        self._file = self.path.open("a+b")
        _lock(self._file, self.path)

    def _count(self, record: Record) -> None:
        facts = record.get(FACTS) or {}
        self.done.add((record["custom_id"], facts.get("digest", "")))
        self.failed += record.get("error") is not None
        spent_usd = facts.get("spent_usd")
        if spent_usd is not None:
            self.spent_usd += spent_usd
        elif record.get("error") is None:
            self.unpriced += 1

    # writing

    async def append(self, record: Record) -> None:
        """Return when the record is on disk; it gets there even if the caller is cancelled."""
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, written))
        self._count(record)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="batch ledger")
        await written

    async def _write_all(self) -> None:
        """Write what waits until nothing does, each time in one go."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            error: LedgerError | None = None
            try:
                await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
            except OSError as failure:
                error = LedgerError(f"{str(self.path)!r} cannot be written any more ({failure.strerror}): make room")
            for _, written in batch:
                if written.done():
                    continue
                if error is None:
                    written.set_result(None)
                else:
                    written.set_exception(error)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)  # half a line would be taken for somebody else's
            raise


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("custom_id"), str) else None


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep other processes from writing the same file; it ends with the process, whatever happens to that."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigurationError(f"another process is writing {str(path)!r}: wait for it, or stop it") from None
