"""Whether a folder and a file in it are ours alone, so that what is read from them can be trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["UnsafePathError", "default_directory", "private_file"]

_OTHERS_WRITE = 0o002


class UnsafePathError(OSError):
    """The place is not one to keep answers in; the message says why and what to do."""


def default_directory() -> Path:
    """`$XDG_CACHE_HOME/orchestrator`, usually `~/.cache/orchestrator`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "orchestrator"


def private_file(directory: Path, name: str) -> Path:
    """The path of a file that exists, is ours and is closed to others; the folder is made when it is missing."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(directory, stat.S_ISDIR, "a folder")
    path = directory / name
    try:
        # an existing file is never opened here: closing it again would drop SQLite's locks on it (POSIX)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if _check(path, stat.S_ISREG, "a plain file") & 0o077:
            path.chmod(0o600)
    for companion in (f"{path}-wal", f"{path}-shm"):
        if os.path.lexists(companion):
            _check(Path(companion), stat.S_ISREG, "a plain file")
    return path


def _check(path: Path, is_kind: object, kind: str) -> int:
    """The mode of a path that is of this kind, ours, and not writable for everybody."""
    found = path.lstat()
    assert callable(is_kind)
    if not is_kind(found.st_mode):
        raise UnsafePathError(f"{str(path)!r} is not {kind}; give another directory=")
    if found.st_uid != os.geteuid():
        raise UnsafePathError(f"{str(path)!r} belongs to user {found.st_uid}; give a directory= of your own")
    if found.st_mode & _OTHERS_WRITE:
        raise UnsafePathError(f"{str(path)!r} can be written by everybody; chmod o-w it or give another directory=")
    return found.st_mode
