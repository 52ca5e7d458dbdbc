"""Redis goes away, stalls, forgets and comes back: each goes on alone, catches up, and counts nothing twice."""

import asyncio
import time

import pytest
from fleet import acknowledged_by_killed, call, learnt, member, rounds
from redis_server import free_port

from orchestrator.errors import ConfigurationError
from orchestrator.state.redis import RedisState
from orchestrator.state.store import Parcel, StateUnavailableError
from orchestrator.testing import FakeClock, TcpProxy

MONEY = {"day_usd": 1.0, "allow_unpriced": True}


@pytest.fixture
def clock():
    """The registries' time; that of Redis is its own."""
    return FakeClock()


def state_at(port, **options):
    """A store with patience for a busy machine, and a clock of its own for its breaker."""
    patient = {"limit_s": 5.0, "draw_limit_s": 5.0, "clock": FakeClock()}
    return RedisState(f"redis://127.0.0.1:{port}/0", **{**patient, **options})


def until(reached):
    """Look until it is so; a server of another process has no event to wait for."""
    for _ in range(1000):
        if reached():
            return
        time.sleep(0.01)
    pytest.fail("it never came to that")


async def again(registry):
    """A round that succeeds, once the breaker looks again."""
    for _ in range(5):
        registry.sharing.store._clock.jump(3)
        if await registry.sharing.sync():
            return
    pytest.fail("Redis is back, and not found")


async def close(*registries):
    """The end of each process."""
    for registry in registries:
        await registry.sharing.close()


async def test_a_line_cut_in_the_middle_of_news_loses_and_doubles_nothing(redis_server, clock):
    """Forty rounds, in each third of which every connection breaks while parcels are on their way."""
    async with TcpProxy("127.0.0.1", redis_server.port) as proxy:
        first, second = member(state_at(proxy.port), clock), member(state_at(redis_server.port), clock)
        for number in range(40):
            call(first, "a")
            call(second, "a")
            under_way = asyncio.create_task(first.sharing.sync())
            if number % 3 == 0:
                await asyncio.sleep(0)
                proxy.cut()
            await under_way
            await second.sharing.sync()
        await again(first)
        await again(first)
        await rounds(second)
        assert learnt(first)["a"][0] == learnt(second)["a"][0] == 80
        assert second.get_usage_summary("a").request_count == 80
        await close(first, second)


async def test_an_answer_that_never_comes_back_is_asked_for_again_and_counts_once(redis_server, clock):
    """The parcel has arrived, and nobody has heard of it."""
    async with TcpProxy("127.0.0.1", redis_server.port) as proxy:
        registry = member(state_at(proxy.port, limit_s=0.2), clock)
        await again(registry)
        call(registry, "a")
        proxy.delay_s = 0.15  # there in time, back too late
        assert not await registry.sharing.sync()
        proxy.flow()
        await again(registry)
        other = member(state_at(redis_server.port), clock)
        await rounds(other)
        assert learnt(other)["a"][0] == 1
        await close(registry, other)


async def test_redis_that_is_down_at_the_start_is_found_when_it_comes(own_redis, clock, caplog):
    """One warning, no error, and everything learnt meanwhile is shared."""
    server = own_redis()
    server.kill()
    registry = member(state_at(server.port), clock)
    for _ in range(5):
        call(registry, "a")
        assert not await registry.sharing.sync()
    assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1
    assert registry.select().model_id in registry
    server.start()
    await again(registry)
    await again(registry)
    other = member(state_at(server.port), clock)
    await rounds(other)
    assert learnt(other)["a"][0] == 5
    await close(registry, other)


async def test_while_redis_is_silent_nobody_waits_for_it(redis_server, clock):
    """After three waits of the shortest kind the breaker is open: not one connection more is tried."""
    async with TcpProxy("127.0.0.1", redis_server.port) as proxy:
        state = state_at(proxy.port, draw_limit_s=0.02)
        proxy.stall()

        async def ask():
            with pytest.raises(StateUnavailableError):
                await asyncio.to_thread(state.draw_flow, [])

        for _ in range(3):
            await ask()
        tried = proxy.connections
        for _ in range(100):
            await ask()
        assert proxy.connections == tried <= 3
        proxy.flow()
        state.close()


async def test_a_redis_that_has_forgotten_everything_is_told_again_once(redis_server, clock):
    """An empty replica has taken over: of all who know, the first brings it back."""
    fleet = [member(state_at(redis_server.port), clock, budgets=MONEY) for _ in range(3)]
    for registry in fleet:
        call(registry, "a", quality=0.5)
        call(registry, "b", quality=1.0)
    await rounds(*fleet, times=3)
    redis_server.command("FLUSHALL")
    call(fleet[0], "a", quality=0.5)
    await rounds(*fleet, times=3)
    young = member(state_at(redis_server.port), clock, budgets=MONEY)
    await rounds(young)
    for registry in (*fleet, young):
        assert learnt(registry)["a"] == (4, 0.5)
        assert learnt(registry)["b"] == (3, 1.0)
        assert registry.get_usage_summary("a").request_count == 4
        assert registry.budgets.snapshot()[0]["spent_usd"] == pytest.approx(0.07)
    await close(*fleet, young)


def test_workers_killed_in_the_middle_of_writing_lose_no_acknowledged_call(redis_server):
    """Three at once, twice; what each had been told to be safe is there, once."""
    address, safe = f"redis://127.0.0.1:{redis_server.port}/0", 0
    for _ in range(2):
        safe += acknowledged_by_killed(address)
        store = state_at(redis_server.port)
        found = store.exchange(Parcel("reader", 0)).totals["arm:m"]["pulls"]
        store.close()
        assert safe <= found <= safe + 3  # at most the one that each had written and not yet told
        safe = found


async def test_two_fleets_in_one_redis_do_not_meet(redis_server, clock):
    """Each has a namespace, which can hold nothing that a key could be forged with."""
    ours, theirs = (member(state_at(redis_server.port, namespace=name), clock) for name in ("ours", "theirs"))
    call(ours, "a")
    await rounds(ours, theirs)
    assert learnt(theirs)["a"][0] == 0
    await close(ours, theirs)
    with pytest.raises(ConfigurationError, match="namespace"):
        state_at(redis_server.port, namespace="x}{y")


async def test_a_password_in_the_address_is_never_shown(own_redis, clock, caplog):
    """Neither in warnings nor in errors."""
    server = own_redis("--requirepass", "another")
    state = RedisState(f"redis://user:secret-word@127.0.0.1:{server.port}/0")
    registry = member(state, clock)
    assert not await registry.sharing.sync()
    assert "refuses the password" in caplog.text
    assert "secret-word" not in caplog.text + repr(registry.sharing.figures()) + state.place
    await close(registry)


async def test_a_record_that_redis_has_evicted_takes_nothing_from_anybody(redis_server, clock):
    """Its total begins again at nothing, and what is known stays known."""
    first, second = member(state_at(redis_server.port), clock), member(state_at(redis_server.port), clock)
    for _ in range(5):
        call(first, "a", quality=0.5)
    await rounds(first, second)
    redis_server.command("DEL", "{orchestrator}:state:sums:arm:a")
    call(first, "a", quality=0.5)
    await rounds(first, second)
    call(first, "a", quality=0.5)
    await rounds(first, second)
    assert learnt(first)["a"] == (7, 0.5)
    assert learnt(second)["a"] == (6, 0.5)  # of the call after the loss it has not heard
    await close(first, second)


async def test_a_cluster_keeps_a_namespace_on_one_node(own_redis, clock):
    """Every key of a step has the same hash tag."""
    server = own_redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    server.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    until(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"))
    fleet = [member(state_at(server.port, cluster=True), clock, budgets=MONEY) for _ in range(2)]
    for registry in fleet:
        call(registry, "a")
        registry.budgets.reserve("a", 0.1).settle(0.1)
    await rounds(*fleet)
    assert [learnt(registry)["a"][0] for registry in fleet] == [2, 2]
    assert fleet[0].budgets.snapshot()[0]["spent_usd"] == pytest.approx(0.22)
    await close(*fleet)
