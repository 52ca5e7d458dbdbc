"""A model that somebody has taken out by hand is out for all, and for who comes after, until somebody restores it."""

import pytest
from fleet import member, rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.state.memory import MemoryState
from orchestrator.state.redis import RedisState
from orchestrator.state.sqlite import SQLiteState
from orchestrator.state.store import StateUnavailableError
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


async def test_who_drains_again_before_it_hears_of_another_restore_is_not_undone_by_it(clock):
    """A word weighs by what its speaker had heard, and not by when it arrives."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock)
    first.health.drain("a")
    await rounds(first, second)
    first.health.restore("a")
    second.health.restore("a")
    await first.sharing.sync()
    first.health.drain("a")
    await rounds(second, first)
    assert first.health.drained == second.health.drained == {"a"}


async def test_a_model_that_has_left_and_come_again_between_two_rounds_was_restored_by_nobody(clock):
    """It is out again where it came, and has stayed so elsewhere."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock)
    first.health.drain("a")
    await rounds(first, second)
    model = first["a"]
    del first["a"]
    first["a"] = model
    await rounds(first, second)
    assert first.health.drained == second.health.drained == {"a"}


async def test_a_forked_child_says_in_its_own_name_what_its_parent_had_not_told(clock, monkeypatch):
    """And so hears of it when that is over."""
    state = MemoryState(clock=clock)
    parent, child = member(state, clock), member(state, clock)
    for one in (parent, child):  # the child has the parent's memory
        one.health.drain("a")
    monkeypatch.setattr(child.sharing, "_owner", -1)
    await rounds(parent, child)
    assert child.health.drained == {"a"}
    parent.health.restore("a")
    await rounds(parent, child)
    assert child.health.drained == set()


class Shaky(MemoryState):
    """A store that does not answer for a while, and may have lost everything by then."""

    is_down = False

    def exchange(self, parcel):
        """As ever, while it is there."""
        if self.is_down:
            raise StateUnavailableError("down")
        return super().exchange(parcel)

    def start_again(self):
        """As a Redis that keeps nothing."""
        self.__init__(clock=self._clock)
        self.is_down = False


async def test_what_was_said_while_the_store_was_away_counts_when_it_is_back_and_empty(clock):
    """And the end of it, too: a word that was given up is not taken for one that stands."""
    state = Shaky(clock=clock)
    first, second = member(state, clock), member(state, clock)
    await rounds(first, second)
    state.is_down = True
    first.health.drain("a")
    await rounds(first, second, times=3)
    assert second.health.drained == set()
    state.start_again()
    await rounds(first, second, times=3)
    assert first.health.drained == second.health.drained == {"a"}
    first.health.restore("a")
    await rounds(first, second)
    assert first.health.drained == second.health.drained == set()


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            ["drain", "restore", "sync", "sync", "sync", "come again", "go down", "come up", "start again"]
        ),
    ),
    max_size=25,
)


async def take(step, one, state):
    """What one member does, or what happens to the store of all."""
    if step == "sync":
        await one.sharing.sync()
    elif step == "come again":
        model = one["a"]
        del one["a"]
        one["a"] = model
    elif step == "start again":
        state.start_again()
    elif step in ("go down", "come up"):
        state.is_down = step == "go down"
    else:
        getattr(one.health, step)("a")


@settings(max_examples=60, deadline=None)
@given(STEPS)
async def test_all_agree_in_the_end_whoever_did_what_and_when(steps):
    """Whatever became of the store meanwhile; and the last word, once all are of one mind, holds."""
    clock = FakeClock()
    state = Shaky(clock=clock)
    members = [member(state, clock) for _ in range(3)]
    for who, step in steps:
        await take(step, members[who], state)
    state.is_down = False
    await rounds(*members, times=4)
    assert len({one.health.drained for one in members}) == 1
    for step, out in (("drain", {"a"}), ("restore", set()), ("drain", {"a"})):
        getattr(members[0].health, step)("a")
        await rounds(*members)
        assert all(one.health.drained == out for one in members)
