"""What a store of descriptions has to do: read all, and write what changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import ConfigurationError

__all__ = ["FORMAT", "ModelStore", "StorageError", "newer", "set_aside"]

FORMAT = 1  # of what is stored; a higher one was written by a later release


class StorageError(ConfigurationError):
    """What is stored cannot be read or written; the message names the file, and nothing in it is lost."""


class ModelStore(Protocol):
    """Records of models by id, in the order of their registration."""

    @property
    def place(self) -> str:
        """Where it is, in words for messages; equal for two stores of the same place."""

    def read(self) -> dict[str, dict[str, Any]]:
        """Every record by id; none where nothing was ever written. What cannot be read is a StorageError."""

    def write(self, records: Mapping[str, str], *, changed: Collection[str], gone: Collection[str]) -> None:
        """Make the records (JSON objects, as text) the ones that `read` gives, all of them or, on failure, none.

        Only those in `changed` differ from the last write, and those in `gone` were there then.
        """


def newer(place: str, found: object) -> StorageError:
    """The refusal of what a later release has written."""
    return StorageError(
        f"{place!r} is of format {found!r} and this release reads up to {FORMAT}: upgrade, or give another "
        "storage_path; the file stays as it is"
    )


def set_aside(path: Path, mark: str) -> Path:
    """Move a file out of the way, beside itself, under a name that was free; companions of SQLite go with it."""
    number = 1
    while (aside := path.with_name(f"{path.name}.{mark}-{number}")).exists():
        number += 1
    path.rename(aside)
    for ending in ("-wal", "-shm"):
        companion = path.with_name(path.name + ending)
        if companion.exists():
            companion.replace(f"{aside}{ending}")
    return aside
