"""Which cache is meant: the level that outlives a process, found by the names that `ModelCache` has for it."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError
from orchestrator.errors import ConfigurationError, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.caches.disk import DiskStore
    from orchestrator.caches.redis import RedisStore

__all__ = [
    "Backend",
    "CacheFailedError",
    "Database",
    "Directory",
    "Host",
    "Kind",
    "Namespace",
    "PasswordVariable",
    "Port",
    "Url",
    "Whereabouts",
    "opened",
]

# The level is opened without bounds: those of the application are not known here, and narrower ones would throw
# out what it wants to keep.
_NO_BOUND, _NO_BOUND_BYTES = 10**9, 2**50
_PATIENCE_S = 2.0  # a person waits longer for Redis than a request does


class Backend(StrEnum):
    """The levels that outlive a process."""

    DISK = "disk"
    REDIS = "redis"


Kind = Annotated[Backend, typer.Option("--backend", help="Where the answers are kept.")]
Directory = Annotated[Path | None, typer.Option(metavar="FOLDER", help="disk: its folder, if not the usual one.")]
Namespace = Annotated[str, typer.Option(metavar="NAME", help="The application's own part of it.")]
Url = Annotated[str | None, typer.Option(metavar="redis://...", help="redis: its address, instead of the next three.")]
Host = Annotated[str | None, typer.Option(metavar="NAME", help="redis: its machine (localhost).")]
Port = Annotated[int | None, typer.Option(metavar="NUMBER", help="redis: its port (6379).")]
Database = Annotated[int | None, typer.Option(metavar="NUMBER", help="redis: its database (0).")]
PasswordVariable = Annotated[
    str | None, typer.Option("--password-env", metavar="VARIABLE", help="redis: the variable that holds its password.")
]


class CacheFailedError(OrchestratorError):
    """There is no such cache, or it does not do what it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The caller's words for a cache; None where nothing was said."""

    backend: Backend
    namespace: str
    directory: Path | None
    url: str | None
    host: str | None
    port: int | None
    db: int | None
    password_variable: str | None

    def options(self) -> dict[str, Any]:
        """The same as options of `ModelCache`; a UsageError for what does not go with the backend, or not together."""
        address = {"host": self.host, "port": self.port, "db": self.db}
        far = {"url": self.url, **address, "password-env": self.password_variable}
        strangers = {"directory": self.directory} if self.backend is Backend.REDIS else far
        for name in _said(strangers):
            other = Backend.DISK if self.backend is Backend.REDIS else Backend.REDIS
            raise UsageError(f"--{name} goes with --backend {other}, not with {self.backend}")
        if self.url is not None and _said(address):
            raise UsageError(f"--url says where Redis is: leave out --{', --'.join(_said(address))}")
        named = {"namespace": self.namespace, "directory": self.directory, "url": self.url, **address}
        return _said({**named, "password": self._password()})

    def _password(self) -> str | None:
        if self.password_variable is None:
            return None
        password = os.environ.get(self.password_variable)
        if not password:
            raise UsageError(f"--password-env {self.password_variable!r}: this variable is not set")
        return password


def _said(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@asynccontextmanager
async def opened(where: Whereabouts) -> AsyncIterator[DiskStore | RedisStore]:
    """The level, closed afterwards; what it complains of is in its figures, and told once, by the command."""
    level = _level_at(where)
    with _quiet():
        try:
            yield level
        finally:
            await level.close()


def _level_at(where: Whereabouts) -> DiskStore | RedisStore:
    from orchestrator.core.caching.settings import LevelSettings
    from orchestrator.core.clock import SYSTEM_CLOCK

    options = {**where.options(), "disk_bytes": _NO_BOUND_BYTES, "read_limit_s": _PATIENCE_S}
    try:
        settings = LevelSettings.checked(options, max_size=_NO_BOUND, clock=SYSTEM_CLOCK)
        if where.backend is Backend.DISK:
            return _on_disk(settings)
        from orchestrator.caches.redis import RedisStore

        return RedisStore.of(settings)
    except ConfigurationError as error:
        raise UsageError(str(error)) from None


def _on_disk(settings: Any) -> DiskStore:
    """The level of a file that is there: looking for a cache must not make one."""
    from orchestrator.caches.disk import DiskStore

    level = DiskStore.of(settings)
    if not os.path.lexists(level.place):
        raise CacheFailedError(
            f"no cache at {level.place!r}: give the --directory and --namespace that it was made with"
        )
    return level


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings of the levels from standard error when nobody has set up logging."""
    log, nowhere = logging.getLogger("orchestrator.caches"), logging.NullHandler()
    log.addHandler(nowhere)
    try:
        yield
    finally:
        log.removeHandler(nowhere)
