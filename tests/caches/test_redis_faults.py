"""Redis absent, gone, slow, full, foreign or lying: a miss each time, never an error, and back when it is back."""

import asyncio
import logging
import signal
import socket
import sys
import time

import pytest
from cache_asking import Echo, Upstream
from redis_server import free_port

from orchestrator.caches.addresses import address_of
from orchestrator.caches.redis import RedisStore
from orchestrator.caches.redis_faults import Fault, fault_of
from orchestrator.core.cache import ModelCache
from orchestrator.core.messages import Request
from orchestrator.errors import ConfigurationError

BACK_WITHIN_S = 5.0


def redis_alone(port, **options):
    """A cache whose only level is this Redis; patient, where slowness is not what is tested."""
    options.setdefault("read_limit_s", 2.0)
    cache = ModelCache(("redis",), host="127.0.0.1", port=port, **options)
    cache._levels.stores[0]._write_limit_s = 2.0
    return cache


def as_shipped(port):
    """The same with the limits of the product."""
    return ModelCache(("redis",), host="127.0.0.1", port=port)


async def ask(cache, number, upstream=None):
    """One question; what it adds to the upstream's own time is returned."""
    upstream = upstream or Upstream()
    started = time.perf_counter()
    answer = await cache.answer(cache.key_of(Echo(), Request.of(f"question {number}")), upstream)
    assert answer.text == "Paris"
    return time.perf_counter() - started


async def ask_many(cache, count, at_once=20):
    """So many different questions; the seconds each took."""
    took = []
    for first in range(0, count, at_once):
        took += await asyncio.gather(*(ask(cache, number) for number in range(first, first + at_once)))
    return sorted(took)


async def until_back(cache):
    """Ask until a hit comes from Redis again; the seconds that took."""
    started = time.monotonic()
    while time.monotonic() - started < BACK_WITHIN_S + 5:
        await ask(cache, "back")
        await cache.flush()
        key = cache.key_of(Echo(), Request.of("question back"))
        if (await cache.answer(key, Upstream())).cached == "redis":
            return time.monotonic() - started
        await asyncio.sleep(0.05)
    return pytest.fail("Redis is back, the cache is not")


def off(cache):
    """True when the level says that it is off."""
    return not cache.get_statistics().levels["redis"].available


# 67, 68, 69: absent, gone, slow


async def test_absent_at_start_costs_nothing_and_is_found_when_it_comes(own_redis, caplog):
    """One warning, no error, and a probe behind the callers' backs."""
    server = own_redis()
    server.kill()
    async with as_shipped(server.port) as cache:
        with caplog.at_level(logging.WARNING):
            took = await ask_many(cache, 200)
        assert took[-3] < 0.25  # redis-py alone: 2.8 s each
        assert off(cache)
        assert sum("no connection" in record.message for record in caplog.records) == 1
        server.start()
        assert await until_back(cache) < BACK_WITHIN_S


async def test_gone_in_mid_run_is_a_miss(own_redis):
    """Killed between two questions, and started again empty."""
    server = own_redis()
    async with as_shipped(server.port) as cache:
        await ask(cache, 1)
        await cache.flush()
        server.kill()
        took = await ask_many(cache, 200)
        assert took[-3] < 0.25  # redis-py alone: 2.8 s each
        server.start()
        assert await until_back(cache) < BACK_WITHIN_S


@pytest.mark.parametrize("how", ["stopped", "paused"])
async def test_slow_is_a_miss_and_soon_nobody_waits(own_redis, how):
    """At most the read limit for the first, next to nothing once the breaker is open, back within five seconds."""
    server = own_redis()
    async with as_shipped(server.port) as cache:
        await ask(cache, 0)
        await cache.flush()
        if how == "stopped":
            server.signal(signal.SIGSTOP)
        else:
            server.command("CLIENT", "PAUSE", "1500", "ALL")
        first = await ask_many(cache, 40)
        assert first[-1] < 0.5
        assert off(cache)
        opened = await ask_many(cache, 400)
        assert opened[len(opened) // 2] < 0.1
        assert opened[-5] < 0.2
        if how == "stopped":
            server.signal(signal.SIGCONT)
        assert await until_back(cache) < BACK_WITHIN_S + 1.5


# 70: what is stored is not what it should be


@pytest.mark.parametrize("poison", [b"", b"garbage", b"\0" * 500, b'{"text": "Rome"}'])
async def test_garbage_under_our_key_is_a_miss_and_is_dropped(redis_server, poison):
    """A checksum over key and value stands before every entry."""
    async with redis_alone(redis_server.port) as cache:
        key = cache.key_of(Echo(), Request.of("question 1"))
        name = address_of("orchestrator", key)
        redis_server.command("SET", name, poison)
        assert (await cache.answer(key, Upstream())).cached is None
        await cache.flush()
        assert (await cache.answer(key, Upstream())).cached == "redis"
        assert cache.get_statistics().levels["redis"].faults == 1


async def test_a_foreign_type_under_our_key_is_a_miss_and_is_dropped(redis_server):
    """WRONGTYPE."""
    async with redis_alone(redis_server.port) as cache:
        key = cache.key_of(Echo(), Request.of("question 1"))
        redis_server.command("LPUSH", address_of("orchestrator", key), "x")
        assert (await cache.answer(key, Upstream())).cached is None
        await cache.flush()
        assert (await cache.answer(key, Upstream())).cached == "redis"
        assert not off(cache)


async def test_every_flipped_bit_is_noticed(redis_server):
    """No changed byte is ever served."""
    async with redis_alone(redis_server.port) as cache:
        await ask(cache, 1)
        await cache.flush()
        key = cache.key_of(Echo(), Request.of("question 1"))
        name = address_of("orchestrator", key)
        store = cache._levels.stores[0]
        whole = await store._line().client.get(name)
        for at in range(len(whole)):
            await store._line().client.set(name, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert await store.read(key) is None


async def test_an_entry_moved_to_another_key_is_a_miss(redis_server):
    """The checksum binds a value to its key."""
    async with redis_alone(redis_server.port) as cache:
        await ask(cache, 1)
        await cache.flush()
        one, other = (cache.key_of(Echo(), Request.of(f"question {number}")) for number in (1, 2))
        redis_server.command("RENAME", address_of("orchestrator", one), address_of("orchestrator", other))
        assert (await cache.answer(other, Upstream("mine"))).text == "mine"


# 71: it refuses


@pytest.mark.parametrize(
    ("options", "commands", "said"),
    [
        ((), [("CONFIG", "SET", "maxmemory", "1")], "out of memory"),
        ((), [("REPLICAOF", "127.0.0.1", "1")], "read-only replica"),
        (("--requirepass", "secret"), [], "refuses the password"),
    ],
    ids=["OOM", "READONLY", "NOAUTH"],
)
async def test_a_refusal_is_named_once_and_hurts_nobody(own_redis, caplog, options, commands, said):
    """Cause and remedy, not the password; every question is answered."""
    server = own_redis(*options)
    for command in commands:
        server.command(*command)
    with caplog.at_level(logging.WARNING):
        async with redis_alone(server.port, **({"password": "wr0ng"} if options else {})) as cache:
            await ask_many(cache, 100)
            await cache.flush()
            await ask_many(cache, 100)
    messages = [record.getMessage() for record in caplog.records]
    assert sum(said in message for message in messages) == 1
    assert not any("wr0ng" in message or "Paris" in message for message in messages)


def said_once(records, cause):
    """True when exactly one warning names this cause."""
    return sum(cause in record.getMessage() for record in records) == 1


async def test_a_redis_that_still_loads_is_a_miss_and_serves_when_it_has(own_redis, caplog):
    """LOADING, from a server that starts with a large file of data."""
    server = own_redis()
    server.command("DEBUG", "POPULATE", "900", "filling")
    server.command("SAVE")
    server.kill()
    server.options = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
    server.start()
    assert server.command("GET", "x").startswith(b"-LOADING")
    with caplog.at_level(logging.WARNING):
        async with redis_alone(server.port) as cache:
            await ask_many(cache, 40)
            assert said_once(caplog.records, "still loading its data")
            assert await until_back(cache) < BACK_WITHIN_S + 5


async def test_a_redis_that_cannot_save_refuses_writes_and_hurts_nobody(own_redis, caplog, tmp_path):
    """MISCONF, from a server whose snapshot cannot be put in its place."""
    server = own_redis("--save", "3600", "1", "--dbfilename", "taken")
    (tmp_path / "taken" / "in-the-way").mkdir(parents=True)
    server.command("SET", "x", "1")
    server.command("BGSAVE")
    until(lambda: b"rdb_last_bgsave_status:err" in server.command("INFO", "persistence"))
    assert server.command("SET", "x", "2").startswith(b"-MISCONF")
    with caplog.at_level(logging.WARNING):
        async with redis_alone(server.port) as cache:
            for _ in range(2):
                await ask_many(cache, 40)
                await cache.flush()
    assert said_once(caplog.records, "refuses writes until it can save")


async def test_a_redis_of_a_cluster_says_so_and_hurts_nobody(own_redis, caplog):
    """MOVED, from one of two nodes, to a client that does not know of the other."""
    port, other_port = free_port(), free_port()
    server = own_redis("--cluster-enabled", "yes", "--cluster-port", str(port), "--cluster-config-file", "one.conf")
    other = own_redis(
        "--cluster-enabled", "yes", "--cluster-port", str(other_port), "--cluster-config-file", "two.conf"
    )
    server.command("CLUSTER", "ADDSLOTSRANGE", "0", "99")
    other.command("CLUSTER", "ADDSLOTSRANGE", "100", "16383")
    server.command("CLUSTER", "MEET", "127.0.0.1", str(other.port), str(other_port))
    until(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"))
    assert server.command("GET", "x").startswith(b"-MOVED")
    with caplog.at_level(logging.WARNING):
        async with redis_alone(server.port) as cache:
            await ask_many(cache, 60)
    assert said_once(caplog.records, "part of a Cluster")


def until(reached):
    """Look until it is so; a server of another process has no event to wait for."""
    end = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < end, "the server does not get there"


async def test_a_full_redis_still_gives_what_it_has(own_redis):
    """Writes are off for a while, reads are not."""
    server = own_redis()
    async with redis_alone(server.port) as cache:
        await ask(cache, 1)
        await cache.flush()
        server.command("CONFIG", "SET", "maxmemory", "1")
        await ask(cache, 2)
        await cache.flush()
        key = cache.key_of(Echo(), Request.of("question 1"))
        assert (await cache.answer(key, Upstream())).cached == "redis"


async def test_something_else_at_the_port_is_a_miss():
    """A server that talks nonsense."""

    async def babble(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server, redis_alone(server.sockets[0].getsockname()[1]) as cache:
        await ask_many(cache, 60)
        assert cache.get_statistics().levels["redis"].faults > 0


async def test_a_port_that_takes_and_never_answers_is_a_miss():
    """Connected, and silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with as_shipped(silent.getsockname()[1]) as cache:
            took = await ask_many(cache, 60)
            assert took[-1] < 0.5
            assert off(cache)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("LOADING Redis is loading the dataset in memory", Fault.LOADING),
        ("MOVED 3999 127.0.0.1:6381", Fault.CLUSTER),
        ("MISCONF Redis is configured to save RDB snapshots", Fault.UNSAVED),
        ("NOPERM this user has no permissions", Fault.REFUSED),
        ("ERR unknown command", Fault.BROKEN),
    ],
)
def test_an_answer_is_classed_by_its_first_word(text, fault):
    """Redis says what is wrong in capitals."""
    from redis.exceptions import ResponseError

    assert fault_of(ResponseError(text)) is fault


@pytest.mark.parametrize("url", ["http://:secret@host", "secret", "redis://:secret@host:port/0"])
def test_a_wrong_address_is_refused_at_once_and_not_shown(url):
    """It may hold a password."""
    with pytest.raises(ConfigurationError, match="redis://") as caught:
        ModelCache("redis", url=url)
    assert "secret" not in str(caught.value)


def test_without_the_client_the_remedy_is_named(monkeypatch):
    """At construction, not at the first question."""
    monkeypatch.setitem(sys.modules, "redis.asyncio.connection", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        ModelCache("redis")


# 72, 74: several processes


def leasing(port, **options):
    """A cache that takes turns with others."""
    return redis_alone(port, lease_s=options.pop("lease_s", 1.0), **options)


async def test_equal_questions_of_two_processes_are_one(redis_server):
    """One leases, the other looks until the answer is there."""
    upstream = Upstream(held=True)
    async with leasing(redis_server.port) as one, leasing(redis_server.port) as other:
        key = one.key_of(Echo(), Request.of("Hello"))
        tasks = [asyncio.ensure_future(cache.answer(key, upstream)) for cache in (one, other) * 10]
        await asyncio.sleep(0.1)
        upstream.gate.set()
        answers = await asyncio.gather(*tasks)
    assert upstream.calls == 1
    assert {answer.text for answer in answers} == {"Paris"}


async def test_an_empty_replica_makes_no_more_calls_than_there_are_processes(redis_server):
    """Whatever Redis has forgotten, leases too, each process still asks once."""
    upstream = Upstream(held=True)
    async with leasing(redis_server.port) as one, leasing(redis_server.port) as other:
        key = one.key_of(Echo(), Request.of("Hello"))
        tasks = [asyncio.ensure_future(cache.answer(key, upstream)) for cache in (one, other) * 10]
        async with asyncio.timeout(10):
            for calls in (1, 2):
                while upstream.calls < calls:  # noqa: ASYNC110 - who looks for a lease tells nobody
                    await asyncio.sleep(0.01)
                redis_server.command("FLUSHALL")
        tasks += [asyncio.ensure_future(cache.answer(key, upstream)) for cache in (one, other) * 10]
        await asyncio.sleep(0.1)
        upstream.gate.set()
        answers = await asyncio.gather(*tasks)
    assert upstream.calls == 2
    assert {answer.text for answer in answers} == {"Paris"}


async def test_work_longer_than_the_lease_keeps_it(redis_server):
    """The holder renews; nobody else starts."""
    upstream = Upstream(held=True)
    async with leasing(redis_server.port, lease_s=0.3) as one, leasing(redis_server.port, lease_s=0.3) as other:
        key = one.key_of(Echo(), Request.of("Hello"))
        tasks = [asyncio.ensure_future(cache.answer(key, upstream)) for cache in (one, other)]
        await asyncio.sleep(0.8)
        assert upstream.calls == 1
        upstream.gate.set()
        await asyncio.gather(*tasks)
    assert upstream.calls == 1


async def test_the_lease_of_a_dead_holder_runs_out(redis_server):
    """A follower takes over."""
    async with leasing(redis_server.port) as cache:
        key = cache.key_of(Echo(), Request.of("Hello"))
        dead = RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=2.0)
        assert await dead.lease(key, 0.2)
        await dead.close()
        assert (await cache.answer(key, Upstream())).cached is None


async def lease_of_its_own(store, key):
    """Ask until the lease is to be had; fails where nobody gives it back."""
    async with asyncio.timeout(10):
        while not (token := await store.lease(key, 60)):  # noqa: ASYNC110 - another connection gives it back
            await asyncio.sleep(0.01)
    return token


async def test_a_caller_that_leaves_while_its_lease_is_on_the_way_leaves_none_behind(redis_server, monkeypatch):
    """Redis has granted it and the answer has not come: it is given back behind the caller's back."""
    store = RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=5.0, write_limit_s=5.0)
    client, granted = store._line().client, asyncio.Event()
    ask = client.set

    async def answered_too_late(*words, **options):
        await ask(*words, **options)
        granted.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as held_up:
        held_up.setattr(client, "set", answered_too_late)
        leaving = asyncio.create_task(store.lease("k", 60))
        await granted.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    assert await lease_of_its_own(store, "k")
    await store.close()


async def test_a_lease_that_is_granted_too_late_is_given_back(redis_server, monkeypatch):
    """Who no longer waits for Redis asks the model without it, and holds nobody else up."""
    store = RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=0.05, write_limit_s=5.0)
    client = store._line().client
    await client.ping()
    ask = client.set

    async def answered_too_late(*words, **options):
        await ask(*words, **options)
        await asyncio.Event().wait()

    with monkeypatch.context() as held_up:
        held_up.setattr(client, "set", answered_too_late)
        assert await store.lease("k", 60) == ""
    other = RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=5.0)
    assert await lease_of_its_own(other, "k")
    await store.close()
    await other.close()


async def test_a_caller_that_leaves_while_it_gives_its_lease_back_gives_it_back(redis_server):
    """And one that leaves while others' entries are written does not stop the writing."""
    store = RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=5.0, write_limit_s=5.0)
    token = await lease_of_its_own(store, "k")
    store.put("entry", b"value", 60.0)
    for leaving in (store.release("k", token), store.flush()):
        task = asyncio.ensure_future(leaving)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await lease_of_its_own(store, "k")
    await store.flush()
    assert await store.read("entry") == b"value"
    await store.close()


async def test_nobody_gives_back_another_s_lease(redis_server):
    """Compare and delete."""
    store = RedisStore(host="127.0.0.1", port=redis_server.port, read_limit_s=1.0)
    token = await store.lease("k", 60)
    await store.release("k", "not mine")
    assert await store.lease("k", 60) is None
    await store.release("k", token)
    assert await store.lease("k", 60)
    await store.close()


async def test_without_redis_everybody_may_ask():
    """A lease that cannot be had is no reason to wait."""
    async with leasing(free_port()) as cache:
        assert (await cache.answer("k", Upstream())).text == "Paris"


# a Cluster


@pytest.fixture
def cluster(own_redis):
    """A Cluster of one node that owns every slot."""
    server = own_redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    assert server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383").startswith(b"+OK")
    until(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"))
    return server


async def test_a_cluster_works_when_told_so(cluster):
    """Names that belong together live together; sweeps walk over all nodes."""
    store = RedisStore(host="127.0.0.1", port=cluster.port, cluster=True, read_limit_s=2.0, write_limit_s=2.0)
    async with ModelCache((store,)) as cache:
        keys = [cache.key_of(Echo(name), Request.of("Hello")) for name in ("echo", "other")]
        for name, key in zip(("echo", "other"), keys, strict=True):
            await cache.answer(key, Upstream(model_id=f"custom/{name}"), tags=["faq"])
        await cache.flush()
        assert [(await cache.answer(key, Upstream())).cached for key in keys] == ["redis", "redis"]
        assert await cache.invalidate(model="custom/echo") == 1
        assert await cache.invalidate(tag="faq") >= 1
        await cache.clear()
        assert store.figures().faults == 0
    assert cluster.keys() == 0


# 75: names


async def test_two_namespaces_in_one_redis_never_meet(redis_server):
    """Neither in what they find nor in what they clear."""
    caches = [redis_alone(redis_server.port, namespace=name) for name in ("a", "a.b")]
    for cache in caches:
        await ask(cache, 1)
        await cache.flush()
    assert redis_server.keys() == 2
    await caches[0].clear()
    assert redis_server.keys() == 1
    for cache in caches:
        await cache.close()


async def test_no_prompt_tenant_or_key_is_readable_in_a_name(redis_server):
    """Names are hashes."""
    async with redis_alone(redis_server.port) as cache:
        key = cache.key_of(Echo(), Request.of("secret prompt", tenant="acme\n*{}"))
        await cache.answer(key, Upstream(), tags=["very secret tag"])
        await cache.flush()
    names = redis_server.command("KEYS", "*")
    assert not any(word in names for word in (b"secret", b"acme", b"echo"))
