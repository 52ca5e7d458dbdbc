"""`.env` files: one `NAME=value` a line, for what does not belong into a repository."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from pathlib import Path

from orchestrator.errors import ConfigurationError
from orchestrator.settings.bounded import read_bounded

__all__ = ["export_dotenv", "read_dotenv"]

_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
        (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^#'"\s](?:[^\r\n]*?))?)
        (?:\s+\#.*|\s*)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_dotenv(path: str | os.PathLike[str]) -> dict[str, str]:
    """The variables in a file; ConfigurationError names a line that is none, and never shows a value.

    `export` in front is allowed, `#` starts a comment, values may stand in single or double quotes, and nothing in
    them is replaced but the escapes of double quotes.
    """
    file = Path(path)
    found: dict[str, str] = {}
    for number, line in enumerate(read_bounded(file).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigurationError(f"{file}:{number}: no NAME=value; quote a value with spaces or quotes in it")
        found[match["name"]] = _value(match)
    return found


def _value(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match["double"])
    return match["single"] if match["single"] is not None else (match["bare"] or "")


def export_dotenv(
    path: str | os.PathLike[str] = ".env", environ: MutableMapping[str, str] | None = None
) -> tuple[str, ...]:
    """Set the variables of a file that are not set yet, and tell their names; a missing file sets none."""
    if not Path(path).is_file():
        return ()
    environ = os.environ if environ is None else environ
    fresh = {name: value for name, value in read_dotenv(path).items() if name not in environ}
    environ.update(fresh)
    return tuple(fresh)
