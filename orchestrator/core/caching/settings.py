"""What can be set about a cache, and what each value must be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["MOST_TTL_S", "READ_LIMIT_S", "LevelOptions", "LevelSettings", "amount", "count"]

MOST_TTL_S = 366 * 86_400.0  # no entry outlives a year, whatever the clock says
READ_LIMIT_S = 0.04  # what a caller waits at most for a far level
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class LevelOptions(TypedDict, total=False):
    """The keywords of `ModelCache` that its levels read; bounds are per process, the address is that of Redis."""

    max_bytes: int
    disk_bytes: int
    directory: str | Path
    namespace: str
    host: str
    port: int
    db: int
    url: str
    username: str
    password: str
    read_limit_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    """What a built-in level may need to know; each takes its part. An address may hold a password: none is shown."""

    max_size: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    disk_bytes: int = 1024 * 1024 * 1024
    directory: Path | None = None
    namespace: str = "orchestrator"
    host: str = "localhost"
    port: int = 6379
    db: int = 0
    url: str | None = None
    username: str | None = None
    password: str | None = None
    read_limit_s: float = READ_LIMIT_S
    clock: Clock = SYSTEM_CLOCK

    def __repr__(self) -> str:
        return f"LevelSettings(namespace={self.namespace!r})"

    @classmethod
    def checked(cls, options: Mapping[str, Any], *, max_size: Any, clock: Clock) -> LevelSettings:
        """Settings from keywords; a wrong name or value is a ConfigurationError that names the right ones.

        >>> LevelSettings.checked({"prot": 6380}, max_size=10, clock=SYSTEM_CLOCK)
        Traceback (most recent call last):
        orchestrator.errors.ConfigurationError: cache option 'prot': did you mean 'port'?
        """
        for name in options:
            if name not in LevelOptions.__annotations__:
                known = sorted(LevelOptions.__annotations__)
                raise ConfigurationError(f"cache option {name!r}: {did_you_mean(name, known)}")
        given = dict(options)
        for name, (least, most) in _COUNTS.items():
            if name in given:
                given[name] = count(name, given[name], least=least, most=most)
        if "read_limit_s" in given:
            given["read_limit_s"] = amount("read_limit_s", given["read_limit_s"], most=60, above=True)
        if not _NAMESPACE.fullmatch(str(given.get("namespace", "orchestrator"))):
            raise ConfigurationError(
                f"cache namespace={given['namespace']!r}: 1 to 64 letters, digits, dots, dashes and underscores"
            )
        if given.get("directory") is not None:
            given["directory"] = Path(given["directory"]).expanduser()
        return cls(max_size=count("max_size", max_size, least=1, most=10**9), clock=clock, **given)


_COUNTS = {"max_bytes": (1024, 2**50), "disk_bytes": (65_536, 2**50), "port": (1, 65_535), "db": (0, 2**20)}


def amount(name: str, value: Any, *, least: float = 0.0, most: float = MOST_TTL_S, above: bool = False) -> float:
    """A finite number within bounds; `above` leaves the lower one out.

    >>> amount("ttl", -1, above=True)
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: cache ttl=-1: a number above 0 and up to 31622400
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        fits = least < value <= most if above else least <= value <= most
        if fits:
            return float(value)
    lower = f"above {least:.10g} and" if above else f"from {least:.10g}"
    raise ConfigurationError(f"cache {name}={value!r}: a number {lower} up to {most:.10g}")


def count(name: str, value: Any, *, least: int, most: int) -> int:
    """A whole number within bounds."""
    if type(value) is int and least <= value <= most:
        return value
    raise ConfigurationError(f"cache {name}={value!r}: a whole number from {least} to {most}")
