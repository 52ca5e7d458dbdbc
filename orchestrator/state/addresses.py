"""Which place an address means."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import ConfigurationError
from orchestrator.state.store import StateStore

__all__ = ["state_store_at"]

_GIVE = "give redis://host:port/db, sqlite:///path or memory://"


def state_store_at(place: str | StateStore) -> StateStore:
    """The store at `redis://...` (also rediss, unix, valkey), `sqlite:///path`, `memory://`, or the one that is given.

    >>> state_store_at("memory://").name
    'memory'
    >>> state_store_at("postgres://host")
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: state 'postgres': give redis://host:port/db, sqlite:///path or memory://
    """
    if not isinstance(place, str):
        if not hasattr(place, "exchange"):
            raise ConfigurationError(f"state is a {type(place).__name__}: {_GIVE}, or a StateStore")
        return place
    scheme, _, rest = place.partition("://")
    if scheme == "memory":
        from orchestrator.state.memory import MemoryState

        return MemoryState()
    if scheme == "sqlite" and rest:
        from orchestrator.state.sqlite import SQLiteState

        return SQLiteState(Path(rest.removeprefix("/") if rest.startswith("/") else rest).expanduser())
    if scheme in ("redis", "rediss", "unix", "valkey", "valkeys"):
        from orchestrator.state.redis import RedisState

        return RedisState(place)
    raise ConfigurationError(f"state {scheme!r}: {_GIVE}")
