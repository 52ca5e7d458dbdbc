"""Descriptions in one JSON file, laid out for people to read and edit."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.models.storage.contract import FORMAT, StorageError, newer, set_aside

__all__ = ["JSONFile"]

_Seen = tuple[int, int, int]


class JSONFile:
    """Writes a new file beside the old one and puts it in its place, so that a crash leaves one or the other whole.

    A file that is no JSON is set aside as `<name>.corrupt-<n>`; one that somebody else has changed meanwhile is
    kept as `<name>.changed-<n>` before it is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.realpath(path))  # a link stays a link
        self._seen: _Seen | None = None

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    def read(self) -> dict[str, dict[str, Any]]:
        """Every record by id, from the file."""
        try:
            raw = self._path.read_bytes()
            self._seen = _seen(self._path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"{self.place!r} cannot be read: {error.strerror}; give another storage_path") from None
        return self._records(self._parsed(raw)) if raw.strip() else {}

    def _parsed(self, raw: bytes) -> Any:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            where = f"line {error.lineno}, column {error.colno}: " if isinstance(error, json.JSONDecodeError) else ""
            why = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            aside = set_aside(self._path, "corrupt")
            raise StorageError(
                f"{self.place!r} is no JSON ({where}{why}); it is kept as {str(aside)!r}: mend it and move it back, "
                "or start again without it"
            ) from None

    def _records(self, tree: Any) -> dict[str, dict[str, Any]]:
        records = tree.get("models") if isinstance(tree, dict) else None
        if not isinstance(records, list):
            raise StorageError(f'{self.place!r}: give an object such as {{"format": {FORMAT}, "models": [...]}}')
        found = tree.get("format", FORMAT)
        if type(found) is not int or found > FORMAT:
            raise newer(self.place, found)
        by_id: dict[str, dict[str, Any]] = {}
        for number, record in enumerate(records):
            model_id = record.get("id") if isinstance(record, dict) else None
            if not isinstance(model_id, str) or model_id in by_id:
                why = f"a second {model_id!r}" if isinstance(model_id, str) else "no object with an 'id'"
                raise StorageError(f"{self.place!r}, models[{number}]: {why}; mend it, the file stays as it is")
            by_id[model_id] = record
        return by_id

    def write(
        self,
        records: Mapping[str, str],
        *,
        changed: Collection[str],  # noqa: ARG002 - the contract; a file is written as a whole
        gone: Collection[str],  # noqa: ARG002 - likewise
    ) -> None:
        """Replace the file."""
        body = ",\n".join(records.values())
        text = f'{{\n  "format": {FORMAT},\n  "models": [\n{body}\n  ]\n}}\n'
        try:
            if self._seen is not None and self._path.exists() and _seen(self._path) != self._seen:
                set_aside(self._path, "changed")
            self._replace(text.encode("utf-8", "backslashreplace"))  # a lone surrogate becomes the escape JSON has
        except OSError as error:
            raise StorageError(f"{self.place!r} cannot be written: {error.strerror}; its old content is kept") from None
        self._seen = _seen(self._path)

    def _replace(self, raw: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        written = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(number)
            with suppress(FileNotFoundError):
                written.chmod(self._path.stat().st_mode & 0o777)
            written.replace(self._path)
        except BaseException:
            written.unlink()
            raise
        _sync_folder(self._path.parent)


def _seen(path: Path) -> _Seen:
    """What tells that a file was not touched since."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _sync_folder(folder: Path) -> None:
    """Make the new name as lasting as the new bytes."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
