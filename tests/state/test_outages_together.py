"""An outage that one process has found out takes the model out for all, once."""

import pytest
from fleet import call, member, rounds

from orchestrator.errors import ServerError
from orchestrator.state.memory import MemoryState
from orchestrator.testing import FakeClock


@pytest.fixture
def clock():
    """The time of all."""
    return FakeClock()


def fail(registry, name):
    """Failures enough to take a model out."""
    for _ in range(5):
        call(registry, name, error=ServerError("broken", status=500), cost_usd=None)


def status(registry, name):
    """The status as people see it."""
    return registry.health.status_of(registry[name]).status


async def test_an_outage_is_known_to_all_within_two_rounds(clock):
    """And nobody chooses the model any more."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock)
    fail(first, "a")
    await rounds(first, second)
    assert status(first, "a") == status(second, "a") == "unhealthy"
    assert second.select().model_id != "a"


async def test_who_was_restored_by_hand_is_not_taken_out_by_an_echo(clock):
    """The others only repeat what they have found out themselves."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock)
    fail(first, "a")
    await rounds(first, second)
    first.health.restore("a")
    await rounds(first, second, times=3)
    assert status(first, "a") == "recovering"


async def test_a_process_that_starts_during_an_outage_does_not_try_the_model(clock):
    """It hears of it in its first round, also from a process that has gone since."""
    state = MemoryState(clock=clock)
    first = member(state, clock)
    fail(first, "a")
    await rounds(first)
    young = member(state, clock)
    await rounds(young)
    assert status(young, "a") == "unhealthy"


async def test_a_note_that_is_no_note_says_nothing(clock):
    """Whoever wrote it."""
    state = MemoryState(clock=clock)
    registry = member(state, clock)
    registry.sharing._outages.heed({"x": "{", "y": "[]", "z": '{"models": {"a": 7}}', "u": '{"models": []}'})
    assert status(registry, "a") == "unknown"
