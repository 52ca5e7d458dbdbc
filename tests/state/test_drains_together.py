"""A model that somebody has taken out by hand is out for all, and for who comes after, until somebody restores it."""

import pytest
from fleet import member, rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.state.memory import MemoryState
from orchestrator.state.redis import RedisState
from orchestrator.state.sqlite import SQLiteState
from orchestrator.testing import FakeClock


@pytest.fixture
def clock():
    """The time of all."""
    return FakeClock()


async def test_a_drain_reaches_all_within_two_rounds_and_so_does_its_end(clock):
    """Whoever ends it."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock)
    first.health.drain("a")
    await rounds(first, second)
    assert first.health.drained == second.health.drained == {"a"}
    second.health.restore("a")
    await rounds(second, first)
    assert first.health.drained == second.health.drained == set()


async def test_a_drain_reaches_all_over_redis_and_outlives_its_process(own_redis, clock):
    """The record is a sum like the others, with a field for each process."""
    address = f"redis://127.0.0.1:{own_redis().port}/0"
    first, second = [member(RedisState(address, limit_s=5.0), clock) for _ in range(2)]
    first.health.drain("a")
    await rounds(first, second)
    await first.sharing.close()
    assert second.health.drained == {"a"}
    young = member(RedisState(address, limit_s=5.0), clock)
    await rounds(young, times=1)
    assert young.health.drained == {"a"}
    young.health.restore("a")
    await rounds(young, second)
    assert second.health.drained == set()
    for one in (second, young):
        await one.sharing.close()


async def test_who_comes_after_all_have_gone_takes_it_over(clock, tmp_path):
    """A restart restores nobody; a reset does."""
    old = member(SQLiteState(tmp_path / "state.db", clock=clock), clock)
    old.health.drain("a")
    await old.sharing.close()
    young = member(SQLiteState(tmp_path / "state.db", clock=clock), clock)
    await rounds(young, times=1)
    assert young.health.drained == {"a"}
    assert young.health.status_of(young["a"]).status == "drained"
    young.health.reset("a")
    await young.sharing.close()
    last = member(SQLiteState(tmp_path / "state.db", clock=clock), clock)
    await rounds(last)
    assert last.health.drained == set()


async def test_a_model_that_comes_later_is_out_as_well(clock):
    """And one that leaves a process has been restored by nobody."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock, models=("b",))
    first.health.drain("a")
    await rounds(first, second)
    assert second.health.drained == set()
    second["a"] = first["a"]
    await rounds(second)
    assert second.health.drained == {"a"}
    del second["a"]
    await rounds(second, first)
    assert first.health.drained == {"a"}


async def test_one_that_was_drained_by_two_is_restored_by_one(clock):
    """As the workers of a gateway all do what its operator says."""
    state = MemoryState(clock=clock)
    first, second, third = (member(state, clock) for _ in range(3))
    for _ in range(3):
        first.health.drain("a")
        second.health.drain("a")
        await rounds(first, second, third)
        assert third.health.drained == {"a"}
        first.health.restore("a")
        second.health.restore("a")
        await rounds(first, second, third)
        assert third.health.drained == set()


STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["drain", "restore", "sync", "sync"])), max_size=25)


@settings(max_examples=60, deadline=None)
@given(STEPS)
async def test_all_agree_in_the_end_whoever_did_what_and_when(steps):
    """And the last word, once all are of one mind, holds."""
    clock = FakeClock()
    state = MemoryState(clock=clock)
    members = [member(state, clock) for _ in range(3)]
    for who, step in steps:
        if step == "sync":
            await members[who].sharing.sync()
        else:
            getattr(members[who].health, step)("a")
    await rounds(*members, times=3)
    assert len({one.health.drained for one in members}) == 1
    for step, out in (("drain", {"a"}), ("restore", set()), ("drain", {"a"})):
        getattr(members[0].health, step)("a")
        await rounds(*members)
        assert all(one.health.drained == out for one in members)
