"""One suite for every level of the cache, for their faces towards aiocache, and for their combinations."""

import asyncio

import pytest
from aiocache.serializers import JsonSerializer
from cache_asking import Echo, Upstream, turns
from redis_server import redis_server, shared_redis  # noqa: F401 - fixtures

from orchestrator.caches.disk import DiskStore
from orchestrator.caches.levels import DiskLevel, MemoryLevel, RedisLevel
from orchestrator.caches.memory import MemoryStore
from orchestrator.caches.redis import RedisStore
from orchestrator.core.cache import ModelCache
from orchestrator.core.caching.levels import Which
from orchestrator.core.messages import Request
from orchestrator.testing.contracts import CacheLevelContract
from orchestrator.testing.contracts.cache_level import KEY

LEVELS = ("memory", "disk", "redis")


class TestMemory(CacheLevelContract):
    """The memory of this process."""

    make = MemoryStore


class TestDisk(CacheLevelContract):
    """SQLite in a folder."""

    @pytest.fixture
    def new_level(self, tmp_path):
        return DiskStore(directory=tmp_path)


class TestRedis(CacheLevelContract):
    """A real server."""

    @pytest.fixture
    def new_level(self, redis_server):  # noqa: F811 - the fixture
        return RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=30, write_limit_s=30)


# the faces towards aiocache


@pytest.fixture(params=LEVELS)
async def face(request, tmp_path, redis_server):  # noqa: F811 - the fixture
    """Each level as an aiocache cache."""
    made = {
        "memory": MemoryLevel,
        "disk": lambda **options: DiskLevel(directory=tmp_path, **options),
        "redis": lambda **options: RedisLevel(url=f"redis://127.0.0.1:{redis_server.port}", read_limit_s=30, **options),
    }[request.param]
    faces = []

    def make(**options):
        faces.append(made(**options))
        return faces[-1]

    yield make
    for one in faces:
        await one.close()


async def test_the_verbs_of_aiocache_work(face):
    """set, get, add, exists, increment, expire, delete, multi_set, multi_get, clear."""
    cache = face(ttl=60)
    assert await cache.set("a", "1")
    assert (await cache.get("a"), await cache.get("b", default=7)) == ("1", 7)
    with pytest.raises(ValueError, match="exists"):
        await cache.add("a", "2")
    assert await cache.add("b", "2")
    assert (await cache.exists("a"), await cache.exists("c")) == (True, False)
    assert (await cache.increment("a", 5), await cache.get("a")) == (6, "6")
    await cache.set("text", "x")
    with pytest.raises(TypeError, match="integer"):
        await cache.increment("text")
    assert (await cache.expire("a", 60), await cache.expire("c", 60)) == (True, False)
    assert (await cache.delete("a"), await cache.delete("a")) == (1, 0)
    await cache.multi_set([("x", "1"), ("y", "2")])
    assert await cache.multi_get(["x", "y", "z"]) == ["1", "2", None]
    await cache.clear()
    assert await cache.get("x") is None


async def test_values_go_through_a_serializer(face):
    """Objects need one, and are never pickled behind the caller's back."""
    cache = face(serializer=JsonSerializer())
    await cache.set("a", {"n": [1, 2]})
    assert await cache.get("a") == {"n": [1, 2]}
    assert await cache.multi_get(["a"]) == [{"n": [1, 2]}]


async def test_a_face_is_a_level_of_a_model_cache(face):
    """`ModelCache(backend=(MemoryLevel(),))` uses what it shows."""
    async with ModelCache((face(),)) as cache:
        upstream = Upstream()
        await cache.answer(KEY, Upstream(model_id=None))
        assert (await cache.answer(KEY, upstream)).cached in LEVELS
        assert upstream.calls == 0


# combinations

COMBINATIONS = [
    ("memory",),
    ("disk",),
    ("redis",),
    ("memory", "disk"),
    ("memory", "redis"),
    ("disk", "redis"),
    ("redis", "disk"),
    ("memory", "redis", "disk"),
    ("memory", "disk", "redis"),
]


@pytest.fixture(params=COMBINATIONS, ids="+".join)
async def caches(request, tmp_path, redis_server):  # noqa: F811 - the fixture
    """Makes caches over the same places, as several processes would."""
    made = []

    def make(**options):
        options = {"directory": tmp_path, "host": "127.0.0.1", "port": redis_server.port, **options}
        # a machine that runs many tests at once is slow, not Redis
        made.append(ModelCache(request.param, read_limit_s=30, **options))
        return made[-1]

    make.levels = request.param
    yield make
    for cache in made:
        await cache.close()


async def test_an_answer_is_found_in_the_nearest_level_that_has_it(caches):
    """Written through to all, read through in order, and promoted to the nearer ones."""
    upstream = Upstream()
    cache = caches(compression=True)
    key = cache.key_of(Echo(), Request.of("Hello"))
    await cache.answer(key, upstream, tags=["faq"])
    assert (await cache.answer(key, upstream)).cached == caches.levels[0]
    for number, level in enumerate(caches.levels):
        await cache.flush()
        for store in cache._levels.stores[:number]:
            await store.drop(Which(key=key))
        assert (await cache.answer(key, upstream)).cached == level
        await cache.flush()
        assert (await cache.answer(key, upstream)).cached == caches.levels[0]
    assert upstream.calls == 1
    assert await cache.invalidate(tag="faq") == 1
    assert (await cache.answer(key, upstream)).cached is None


async def test_what_outlives_the_process_is_found_by_the_next(caches):
    """A second cache over the same places has the answers of the first."""
    upstream = Upstream()
    first, second = caches(), caches()
    key = first.key_of(Echo(), Request.of("Hello"))
    await first.answer(key, upstream)
    await first.flush()
    expected = next((level for level in caches.levels if level != "memory"), None)
    assert (await second.answer(key, upstream)).cached == expected


async def test_equal_calls_at_once_are_one(caches):
    """Whatever the levels."""
    upstream = Upstream(held=True)
    cache = caches()
    tasks = [asyncio.ensure_future(cache.answer(KEY, upstream)) for _ in range(100)]
    await turns()
    upstream.gate.set()
    answers = await asyncio.gather(*tasks)
    assert (upstream.calls, {answer.text for answer in answers}) == (1, {"Paris"})


async def test_tenants_and_models_never_meet(caches):
    """Each has an answer of its own."""
    cache = caches()
    models = [Echo("one"), Echo("two")]
    for model in models:
        for tenant in (None, "a", "b"):
            upstream = Upstream(f"{model.id} for {tenant}", model_id=model.id)
            await cache.answer(cache.key_of(model, Request.of("Hello", tenant=tenant)), upstream)
    for model in models:
        for tenant in (None, "a", "b"):
            key = cache.key_of(model, Request.of("Hello", tenant=tenant))
            assert (await cache.answer(key, Upstream("wrong"))).text == f"{model.id} for {tenant}"
