"""What every level of the cache promises, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import pytest
import pytest_asyncio

from orchestrator.core.caching.keys import label
from orchestrator.core.caching.levels import Store, Which

__all__ = ["KEY", "OTHER", "STRANGE", "CacheLevelContract"]

KEY = f"{label('m')}.{label('t')}.{'0' * 64}"
OTHER = f"{label('n')}.{label('t')}.{'1' * 64}"
STRANGE = "a\n*{}\0 ünïcode"


class CacheLevelContract:
    """The suite for one level: `make` returns a fresh, empty one.

    A level that needs a folder or a server comes from a fixture of your own by the name of `new_level`.

    >>> from orchestrator.caches.memory import MemoryStore
    >>> class TestMemory(CacheLevelContract):
    ...     make = MemoryStore
    """

    make: ClassVar[Callable[..., Store]]

    @pytest.fixture
    def new_level(self) -> Store:
        """An empty level that nobody has opened yet."""
        return self.make()

    @pytest_asyncio.fixture
    async def level(self, new_level: Store) -> AsyncIterator[Store]:
        """The same, closed after the test."""
        yield new_level
        await new_level.close()

    @pytest.mark.parametrize("key", [KEY, STRANGE, ""], ids=["ours", "strange", "empty"])
    @pytest.mark.parametrize("value", [b"", b"\0\xff", b"x" * 200_000], ids=["empty", "binary", "long"])
    @pytest.mark.asyncio
    async def test_what_was_put_is_read(self, level: Store, key: str, value: bytes) -> None:
        """At once, and still when it is written."""
        level.put(key, value, 60)
        assert await level.read(key) == value
        await level.flush()
        assert await level.read(key) == value

    @pytest.mark.asyncio
    async def test_what_was_never_put_is_not_there(self, level: Store) -> None:
        """None stands for a miss, and for nothing else."""
        assert await level.read(KEY) is None
        assert level.peek(KEY) is None

    @pytest.mark.asyncio
    async def test_the_last_value_counts(self, level: Store) -> None:
        """Before and after the writing."""
        for value in (b"1", b"2", b"3"):
            level.put(KEY, value, 60)
        assert await level.read(KEY) == b"3"
        await level.flush()
        level.put(KEY, b"4", 60)
        await level.flush()
        assert await level.read(KEY) == b"4"

    @pytest.mark.parametrize("ttl_s", [0.0, -1.0])
    @pytest.mark.asyncio
    async def test_a_life_of_nothing_is_no_life(self, level: Store, ttl_s: float) -> None:
        """What has expired already is not there."""
        level.put(KEY, b"x", ttl_s)
        await level.flush()
        assert await level.read(KEY) is None

    @pytest.mark.parametrize(
        ("which", "left"),
        [
            (Which(key=KEY), {OTHER, STRANGE}),
            (Which(model=label("m")), {OTHER, STRANGE}),
            (Which(model=label("n")), {KEY, STRANGE}),
            (Which(tenant=label("t")), {STRANGE}),
            (Which(tag=label("faq")), {KEY, STRANGE}),
            (Which(tag=label("faq"), model=label("m")), {KEY, OTHER, STRANGE}),
            (Which(model=label("*")), {KEY, OTHER, STRANGE}),
        ],
        ids=["key", "model", "tagged model", "tenant", "tag", "tag of another model", "nothing"],
    )
    @pytest.mark.asyncio
    async def test_dropping_takes_what_matches_and_nothing_else(
        self, level: Store, which: Which, left: set[str]
    ) -> None:
        """By key, model, tenant and tag, and all given parts must match."""
        level.put(KEY, b"1", 60)
        level.put(OTHER, b"2", 60, (label("faq"),))
        level.put(STRANGE, b"3", 60)
        await level.flush()
        assert await level.drop(which) == 3 - len(left)
        assert {key for key in (KEY, OTHER, STRANGE) if await level.read(key) is not None} == left

    @pytest.mark.asyncio
    async def test_what_is_dropped_before_it_is_written_stays_away(self, level: Store) -> None:
        """No write overtakes its own deletion."""
        level.put(KEY, b"1", 60)
        await level.drop(Which(key=KEY))
        await level.flush()
        assert await level.read(KEY) is None

    @pytest.mark.asyncio
    async def test_clearing_takes_everything(self, level: Store) -> None:
        """And the level goes on."""
        for key in (KEY, OTHER, STRANGE):
            level.put(key, b"1", 60, (label("faq"),))
        await level.clear()
        assert [await level.read(key) for key in (KEY, OTHER, STRANGE)] == [None] * 3
        level.put(KEY, b"2", 60)
        assert await level.read(KEY) == b"2"

    @pytest.mark.asyncio
    async def test_a_closed_level_may_be_used_again(self, level: Store) -> None:
        """Closing lets go of files and connections, not of the right to open them."""
        level.put(KEY, b"1", 60)
        await level.close()
        await level.close()
        assert await level.read(KEY) == b"1"

    @pytest.mark.asyncio
    async def test_many_at_once_do_not_mix(self, level: Store) -> None:
        """A thousand writers and readers at the same time."""
        for number in range(1000):
            level.put(f"k{number}", b"%d" % number, 60)
        await level.flush()
        found = await asyncio.gather(*(level.read(f"k{number}") for number in range(1000)))
        assert found == [b"%d" % number for number in range(1000)]
        assert level.figures().faults == 0

    def test_a_level_serves_one_event_loop_after_another(self, new_level: Store) -> None:
        """The blocking facade runs in a loop of its own."""

        async def use(value: bytes) -> bytes | None:
            found = await new_level.read(KEY)
            new_level.put(KEY, value, 60)
            await new_level.close()
            return found

        assert [asyncio.run(use(value)) for value in (b"1", b"2")] == [None, b"1"]
