"""What is installed: Python, the packages the engine needs, and which extras are complete."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from orchestrator.cli.doctor.finding import Finding

__all__ = ["extras", "packages"]

_DISTRIBUTION = "model-orchestrator"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra == ['\"]([\w-]+)['\"]")
_OURS = ("dev", "docs")  # for working on the engine, not for working with it


def packages() -> Iterator[Finding]:
    """Python and every package the engine cannot do without."""
    yield Finding("installed", "python", "well", f"{platform.python_version()} at {sys.executable}")
    for name in _required(None):
        version = _version(name)
        known = Finding("installed", name, "well", version or "")
        yield known if version else Finding("installed", name, "wrong", f"missing: pip install {name}")


def extras() -> Iterator[Finding]:
    """Each extra with what is missing of it."""
    for extra in _extras():
        missing = [name for name in _required(extra) if _version(name) is None]
        if missing:
            words = f"not installed: pip install '{_DISTRIBUTION}[{extra}]'  ({', '.join(missing)})"
            yield Finding("extras", extra, "absent", words)
        else:
            yield Finding("extras", extra, "well", ", ".join(f"{name} {_version(name)}" for name in _required(extra)))


def _extras() -> list[str]:
    found = {match[1] for line in _lines() if (match := _EXTRA.search(line))}
    return sorted(found.difference(_OURS))


def _required(extra: str | None) -> list[str]:
    """Names of the packages of one extra, or of the core."""
    wanted = []
    for line in _lines():
        match = _EXTRA.search(line)
        if (match[1] if match else None) == extra and (name := _NAME.match(line)):
            wanted.append(name[0])
    return wanted


def _lines() -> list[str]:
    try:
        return metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return []


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
