"""Reading a settings file without trusting its size, its kind or its bytes."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import ConfigurationError

__all__ = ["MOST_BYTES", "read_bounded"]

MOST_BYTES = 1024 * 1024


def read_bounded(path: Path) -> str:
    """The text of a plain file of at most 1 MiB; a ConfigurationError says what is wrong with it."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigurationError(f"{path} is no plain file")
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise ConfigurationError(f"{path} is larger than {MOST_BYTES:,} bytes: keep so many models in a storage_path")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is no UTF-8 text (byte {error.start})") from None
