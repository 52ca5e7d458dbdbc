"""Walks over the names of one namespace in a Redis: to count what is there, and to delete it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from orchestrator.caches.addresses import address_of, tag_sets_of
from orchestrator.core.caching.levels import Which

__all__ = ["drop_tagged", "held", "sweep", "unlink"]

T = TypeVar("T")
_AT_ONCE = 500


async def sweep(client: Any, pattern: str) -> int:
    """Delete what is called so; says how many names that were."""
    gone = 0
    async for names in _in_batches(client.scan_iter(match=pattern, count=1000)):
        gone += await unlink(client, names)
    return gone


async def drop_tagged(client: Any, namespace: str, which: Which) -> int:
    """Delete what bears a tag and matches the rest."""
    gone = 0
    async for tag_set in client.scan_iter(match=tag_sets_of(namespace, which), count=1000):
        async for keys in _in_batches(client.sscan_iter(tag_set, count=1000)):
            meant = [key for key in map(bytes.decode, keys) if which._replace(tag=None).matches(key, ())]
            gone += await unlink(client, [address_of(namespace, key) for key in meant])
    return gone


async def unlink(client: Any, names: Sequence[str | bytes]) -> int:
    """Delete these; says how many were there."""
    pipe = client.pipeline(transaction=False)  # one by one: the names of a Cluster live in many places
    for name in names:
        pipe.execute_command("UNLINK", name)  # the Cluster's pipeline has it under no other name
    return sum(await pipe.execute())


async def held(client: Any, pattern: str) -> tuple[int, int]:
    """How many values are called so, and their bytes; one that goes meanwhile may or may not be among them."""
    sizes: list[int] = []
    async for names in _in_batches(client.scan_iter(match=pattern, count=1000)):
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.strlen(name)
        sizes += [size for size in await pipe.execute(raise_on_error=False) if isinstance(size, int) and size]
    return len(sizes), sum(sizes)


async def _in_batches(names: AsyncIterator[T]) -> AsyncIterator[list[T]]:
    batch: list[T] = []
    async for name in names:
        batch.append(name)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
