"""Processes that know the same would all try the same model at once: each counts its calls for the others, too."""

import numpy as np
import pytest
from fleet import Ready, call, member, rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import selector_named
from orchestrator.state.memory import MemoryState
from orchestrator.state.store import StateUnavailableError
from orchestrator.testing import FakeClock

ARMS = ("a", "b", "c", "d")
STEPS = st.one_of(
    st.tuples(st.sampled_from(["begin", "settle", "release", "retire"]), st.sampled_from(ARMS)),
    st.tuples(st.just("among"), st.integers(0, 4)),
)


def selector(policy="pool"):
    made = selector_named(policy)
    for arm in ARMS:
        made.enroll(arm, expected_cost_usd=0.01)
    return made


def settled(made, arm, quality=1.0):
    made.settle(arm, quality=quality, cost_usd=0.01, latency_s=0.5)


def scores(made):
    slate = made.slate(ARMS)
    return list(made.choose(slate, np.random.default_rng(1)).scores)


@pytest.mark.parametrize("policy", ["pool", "ucb", "kl-ucb"])
def test_a_call_stands_for_those_of_the_others(policy):
    """Among three others one call is scored as four are by a process alone; only one is told to be under way."""
    one_of_four, alone = selector(policy), selector(policy)
    for made in (one_of_four, alone):
        settled(made, "a")
    one_of_four.among(3)
    one_of_four.begin("a")
    for _ in range(4):
        alone.begin("a")
    assert scores(one_of_four) == pytest.approx(scores(alone))
    assert one_of_four.statistics()["a"]["pending"] == 1


@given(steps=st.lists(STEPS, max_size=30))
@settings(max_examples=50, deadline=None)
def test_nothing_supposed_is_left_when_nobody_else_is_there(steps):
    """Whatever happened in between, a process that is alone again scores as one that always was."""
    among, alone = selector(), selector()
    for what, arm in [*steps, ("among", 0)]:
        for made in (among, alone):
            if what == "settle":
                settled(made, arm, 0.5)
            elif what == "among":
                among.among(arm)
            else:
                getattr(made, what)(arm)
                if what == "retire":
                    made.enroll(arm, expected_cost_usd=0.01)
    assert scores(among) == pytest.approx(scores(alone))
    assert {name: row["pending"] for name, row in among.statistics().items()} == {
        name: row["pending"] for name, row in alone.statistics().items()
    }


class Leaving(MemoryState):
    """A state that can go away."""

    gone = False

    def exchange(self, parcel):
        if self.gone:
            raise StateUnavailableError("gone")
        return super().exchange(parcel)


async def test_nothing_is_supposed_once_sharing_has_ended():
    """No round will come that would forget it; a registry that is used on is alone."""
    clock, store = FakeClock(), MemoryState()
    left, other = (member(store, clock, selector="pool") for _ in range(2))
    await rounds(left, other)
    await left.sharing.close()
    before = left.selector.statistics()["a"]["trials"]
    for _ in range(50):
        left.selector.begin("a")
        left.selector.release("a")
    assert left.selector.statistics()["a"]["trials"] == before


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
async def test_what_is_supposed_does_not_pile_up(gone):
    """Each round forgets what was supposed of calls that are over, whether it works or not."""
    clock, store = FakeClock(), Leaving()
    busy, idle = (member(store, clock, selector="pool") for _ in range(2))
    alone = ModelRegistry("pool", clock=clock, seed=1)
    alone.register_models([Ready(id=name, provider="custom", context_size=8192) for name in busy])
    await rounds(busy, idle)
    store.gone = gone
    for number in range(30):
        for registry in (busy, alone):
            for name in busy:
                call(registry, name, quality=float(number % 3 > 0))
        await busy.sharing.sync()
    trials = {name: row["trials"] for name, row in alone.selector.statistics().items()}
    assert {name: row["trials"] for name, row in busy.selector.statistics().items()} == pytest.approx(trials)
