"""Where descriptions of models outlive the process: a JSON file to read and edit, or SQLite for many."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.models.storage.contract import ModelStore, StorageError
from orchestrator.models.storage.json_file import JSONFile
from orchestrator.models.storage.keeper import Keeper

if TYPE_CHECKING:
    from orchestrator.models.storage.sqlite_file import SQLiteFile

__all__ = ["JSONFile", "Keeper", "ModelStore", "SQLiteFile", "StorageError", "store_at"]

_SQLITE_ENDINGS = (".db", ".sqlite", ".sqlite3")


def store_at(place: str | os.PathLike[str] | ModelStore) -> ModelStore:
    """The store of this path (SQLite where it ends in .db, .sqlite or .sqlite3, else JSON), or the store given.

    >>> type(store_at("~/.config/models.json")).__name__, type(store_at("models.sqlite")).__name__
    ('JSONFile', 'SQLiteFile')
    """
    if not isinstance(place, str | os.PathLike):
        return place
    path = Path(place).expanduser()
    return _sqlite_file()(path) if path.suffix.lower() in _SQLITE_ENDINGS else JSONFile(path)


def _sqlite_file() -> type[SQLiteFile]:
    from orchestrator.models.storage.sqlite_file import SQLiteFile  # brings sqlite3, which few need

    return SQLiteFile


def __getattr__(name: str) -> Any:
    if name == "SQLiteFile":
        return _sqlite_file()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
