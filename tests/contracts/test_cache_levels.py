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
from orchestrator.core.caching.keys import label
from orchestrator.core.caching.levels import Which
from orchestrator.core.messages import Request

LEVELS = ("memory", "disk", "redis")
KEY = f"{label('m')}.{label('t')}.{'0' * 64}"
OTHER = f"{label('n')}.{label('t')}.{'1' * 64}"
STRANGE = "a\n*{}\0 ünïcode"


@pytest.fixture(params=LEVELS)
async def level(request, tmp_path, redis_server):  # noqa: F811 - the fixture
    """Each level, empty, closed afterwards."""
    made = {
        "memory": MemoryStore,
        "disk": lambda: DiskStore(directory=tmp_path),
        "redis": lambda: RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=30),
    }[request.param]()
    yield made
    await made.close()


@pytest.mark.parametrize("key", [KEY, STRANGE, ""], ids=["ours", "strange", "empty"])
@pytest.mark.parametrize("value", [b"", b"\0\xff", b"x" * 200_000], ids=["empty", "binary", "long"])
async def test_what_was_put_is_read(level, key, value):
    """At once, and still when it is written."""
    level.put(key, value, 60)
    assert await level.read(key) == value
    await level.flush()
    assert await level.read(key) == value


async def test_what_was_never_put_is_not_there(level):
    """None stands for a miss, and for nothing else."""
    assert await level.read(KEY) is None
    assert level.peek(KEY) is None


async def test_the_last_value_counts(level):
    """Before and after the writing."""
    for value in (b"1", b"2", b"3"):
        level.put(KEY, value, 60)
    assert await level.read(KEY) == b"3"
    await level.flush()
    level.put(KEY, b"4", 60)
    await level.flush()
    assert await level.read(KEY) == b"4"


@pytest.mark.parametrize("ttl_s", [0.0, -1.0])
async def test_a_life_of_nothing_is_no_life(level, ttl_s):
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
async def test_dropping_takes_what_matches_and_nothing_else(level, which, left):
    """By key, model, tenant and tag, and all given parts must match."""
    level.put(KEY, b"1", 60)
    level.put(OTHER, b"2", 60, (label("faq"),))
    level.put(STRANGE, b"3", 60)
    await level.flush()
    assert await level.drop(which) == 3 - len(left)
    assert {key for key in (KEY, OTHER, STRANGE) if await level.read(key) is not None} == left


async def test_what_is_dropped_before_it_is_written_stays_away(level):
    """No write overtakes its own deletion."""
    level.put(KEY, b"1", 60)
    await level.drop(Which(key=KEY))
    await level.flush()
    assert await level.read(KEY) is None


async def test_clearing_takes_everything(level):
    """And the level goes on."""
    for key in (KEY, OTHER, STRANGE):
        level.put(key, b"1", 60, (label("faq"),))
    await level.clear()
    assert [await level.read(key) for key in (KEY, OTHER, STRANGE)] == [None] * 3
    level.put(KEY, b"2", 60)
    assert await level.read(KEY) == b"2"


async def test_a_closed_level_may_be_used_again(level):
    """Closing lets go of files and connections, not of the right to open them."""
    level.put(KEY, b"1", 60)
    await level.close()
    await level.close()
    assert await level.read(KEY) == b"1"


async def test_many_at_once_do_not_mix(level):
    """A thousand writers and readers at the same time."""
    for number in range(1000):
        level.put(f"k{number}", b"%d" % number, 60)
    await level.flush()
    found = await asyncio.gather(*(level.read(f"k{number}") for number in range(1000)))
    assert found == [b"%d" % number for number in range(1000)]
    assert level.figures().faults == 0


def test_a_level_serves_one_event_loop_after_another(tmp_path, redis_server):  # noqa: F811 - the fixture
    """The blocking facade runs in a loop of its own."""
    levels = [
        MemoryStore(),
        DiskStore(directory=tmp_path),
        RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=30),
    ]

    async def use(level, value):
        found = await level.read(KEY)
        level.put(KEY, value, 60)
        await level.close()
        return found

    for level in levels:
        assert asyncio.run(use(level, b"1")) is None
        assert asyncio.run(use(level, b"2")) == b"1"


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
