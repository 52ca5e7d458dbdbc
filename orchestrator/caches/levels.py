"""The levels as aiocache caches: usable alone, and wherever an aiocache `BaseCache` is expected.

They are kept apart from what they show, so that an engine without Redis never loads aiocache, which loads redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

try:
    from aiocache.base import BaseCache  # type: ignore[import-untyped]  # aiocache has no types
except ImportError as missing:
    raise ImportError("aiocache is not installed: pip install aiocache") from missing

from orchestrator.caches.disk import DiskStore
from orchestrator.caches.memory import MemoryStore
from orchestrator.caches.redis import RedisStore
from orchestrator.core.caching.levels import Store, Which
from orchestrator.core.caching.settings import MOST_TTL_S, READ_LIMIT_S

__all__ = ["DiskLevel", "Level", "MemoryLevel", "RedisLevel"]

S = TypeVar("S", bound=Store)


class Level(BaseCache, Generic[S]):  # type: ignore[misc]  # aiocache has no types
    """An aiocache cache over one of our levels; values are text or bytes, or what its serializer makes of them.

    `store` is the level itself, which `ModelCache(backend=(MemoryLevel(), ...))` uses directly.
    """

    def __init__(self, store: S, **options: Any) -> None:
        super().__init__(**options)
        self.store = store

    async def _get(self, key: str, encoding: str | None = "utf-8", _conn: Any = None) -> Any:
        value = await self.store.read(key)
        return value if value is None or encoding is None else value.decode(encoding)

    _gets = _get

    async def _multi_get(self, keys: Iterable[str], encoding: str | None = "utf-8", _conn: Any = None) -> list[Any]:
        return [await self._get(key, encoding) for key in keys]

    async def _set(
        self, key: str, value: Any, ttl: float | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool:
        if _cas_token is not None and _cas_token != await self._get(key, self.serializer.encoding):
            return False
        self._put(key, value, ttl)
        await self.store.flush()
        return True

    def _put(self, key: str, value: Any, ttl: float | None) -> None:
        raw = value.encode(self.serializer.encoding or "utf-8") if isinstance(value, str) else value
        if not isinstance(raw, bytes):
            raise TypeError(
                f"a level holds text and bytes, not {type(value).__name__}; give it a serializer such as JsonSerializer"
            )
        self.store.put(key, raw, MOST_TTL_S if ttl is None else ttl)

    async def _multi_set(self, pairs: Iterable[tuple[str, Any]], ttl: float | None = None, _conn: Any = None) -> bool:
        for key, value in pairs:
            self._put(key, value, ttl)
        await self.store.flush()
        return True

    async def _add(self, key: str, value: Any, ttl: float | None = None, _conn: Any = None) -> bool:
        if await self._exists(key):
            raise ValueError(f"Key {key} already exists, use .set to update the value")
        return await self._set(key, value, ttl)

    async def _exists(self, key: str, _conn: Any = None) -> bool:
        return await self.store.read(key) is not None

    async def _increment(self, key: str, delta: int, _conn: Any = None) -> int:
        found = await self.store.read(key)
        try:
            value = int(found or b"0") + delta
        except ValueError:
            raise TypeError("Value is not an integer") from None
        await self._set(key, str(value))
        return value

    async def _expire(self, key: str, ttl: float, _conn: Any = None) -> bool:
        found = await self.store.read(key)
        return found is not None and await self._set(key, found, ttl or None)

    async def _delete(self, key: str, _conn: Any = None) -> int:
        return await self.store.drop(Which(key=key))

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        if namespace:
            raise NotImplementedError(
                "a level clears all it holds; give each purpose a level with a namespace of its own"
            )
        await self.store.clear()
        return True

    async def _raw(self, command: str, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError(f"a level has no raw {command!r}: it may be any of memory, disk and Redis")

    async def _redlock_release(self, key: str, value: Any) -> bool:
        if await self._get(key, self.serializer.encoding) != value:
            return False
        return bool(await self._delete(key))

    async def _close(self, *_args: Any, **_kwargs: Any) -> None:
        await self.store.close()


class MemoryLevel(Level[MemoryStore]):
    """Bounded memory: `MemoryLevel(max_size=10_000, max_bytes=64 * 2**20)`."""

    NAME = "memory"

    def __init__(self, *, max_size: int = 10_000, max_bytes: int = 64 * 1024 * 1024, **options: Any) -> None:
        super().__init__(MemoryStore(max_size=max_size, max_bytes=max_bytes), **options)


class DiskLevel(Level[DiskStore]):
    """A private SQLite file: `DiskLevel(directory=Path("answers"))`."""

    NAME = "disk"

    def __init__(
        self,
        *,
        directory: Path | None = None,
        file_name: str = "orchestrator",
        max_size: int = 10_000,
        max_bytes: int = 1024 * 1024 * 1024,
        **options: Any,
    ) -> None:
        store = DiskStore(directory=directory, namespace=file_name, max_size=max_size, max_bytes=max_bytes)
        super().__init__(store, **options)


class RedisLevel(Level[RedisStore]):
    """Redis behind short limits and a breaker: `RedisLevel(url="redis://cache.internal/0")`."""

    NAME = "redis"

    def __init__(
        self,
        *,
        url: str | None = None,
        prefix: str = "orchestrator",
        cluster: bool = False,
        read_limit_s: float = READ_LIMIT_S,
        **options: Any,
    ) -> None:
        store = RedisStore(url=url, namespace=prefix, cluster=cluster, read_limit_s=read_limit_s)
        super().__init__(store, **options)
