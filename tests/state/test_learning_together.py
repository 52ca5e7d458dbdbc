"""What one process learns all of them know, once, in whatever order and however often it is told."""

import random

import pytest
from fleet import call, learnt, member, rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.selectors import selector_named
from orchestrator.selectors.context import Context
from orchestrator.state.memory import MemoryState
from orchestrator.state.store import StateUnavailableError
from orchestrator.testing import FakeClock

POLICIES = (
    "ucb",
    "pool",
    "kl-ucb",
    "thompson",
    "gaussian",
    "category",
    "linucb",
    "lints",
    "epsilon-greedy",
    "weighted",
)


@pytest.fixture
def clock():
    """The time of all."""
    return FakeClock()


def sums(selector):
    """Everything it has learnt, rounded to what counts."""
    return {name: rounded(record) for name, record in selector.shared_state()["arms"].items()}


def rounded(value):
    """Numbers to nine digits, at any depth."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def teach(selector, results):
    """Calls with their results."""
    for arm, quality, category in results:
        selector.begin(arm)
        context = Context(category=category, features=(quality, 1.0 - quality))
        selector.settle(arm, quality=quality, cost_usd=0.01, latency_s=0.5, context=context)


@pytest.mark.parametrize("policy", POLICIES)
async def test_three_processes_know_what_one_would(policy, clock):
    """Every policy is made of sums: by arm, by category, and the matrices of regressions."""
    rng, state = random.Random(1), MemoryState(clock=clock)
    fleet = [member(state, clock, selector=policy) for _ in range(3)]
    one = member(MemoryState(clock=clock), clock, selector=policy)
    for _ in range(4):
        for registry in fleet:
            results = [(rng.choice("abc"), rng.random(), rng.choice(("maths", "law"))) for _ in range(5)]
            teach(registry.selector, results)
            teach(one.selector, results)
        await rounds(*fleet)
    assert sums(fleet[0].selector) == sums(one.selector)
    assert sums(fleet[2].selector) == sums(one.selector)


async def test_a_late_rating_reaches_the_others(clock):
    """Though it takes something away."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock)
    call(first, "a", response_id="r1")
    await rounds(first, second)
    assert learnt(second)["a"] == (1, 1.0)
    first.record_feedback("r1", 0.25)
    await rounds(first, second)
    assert learnt(second)["a"] == (1, pytest.approx(0.25))


async def test_who_comes_later_knows_it_all_and_so_does_a_model(clock):
    """A process that starts, and a model that is registered where others have tried it already."""
    state = MemoryState(clock=clock)
    old = member(state, clock)
    call(old, "a", quality=0.5)
    call(old, "c", quality=0.75)
    await rounds(old)
    young = member(state, clock, models=("a",))
    await rounds(young)
    assert learnt(young) == {"a": (1, 0.5)}
    young["c"] = type(young["a"])(id="c", provider="custom", context_size=8192)
    await rounds(young)
    assert learnt(young)["c"] == (1, 0.75)
    await rounds(old)
    assert learnt(old)["c"] == (1, 0.75)


async def test_a_model_that_left_and_came_back_is_not_told_twice(clock):
    """What was forgotten here is remembered by the others."""
    state = MemoryState(clock=clock)
    first, second = member(state, clock), member(state, clock)
    call(first, "a", quality=0.5)
    await rounds(first, second)
    model = first["a"]
    del first["a"]
    await rounds(first, second)
    first["a"] = model
    call(first, "a", quality=1.0)
    await rounds(first, second)
    assert learnt(second)["a"] == (2, 0.75)


async def test_a_new_price_is_worked_out_by_each_and_told_by_nobody(clock):
    """Four processes that read the same list must not divide what was seen four times."""
    state = MemoryState(clock=clock)
    fleet = [member(state, clock) for _ in range(4)]
    for registry in fleet:
        registry.selector.enroll("a", expected_cost_usd=0.01)
    call(fleet[0], "a", cost_usd=0.02)
    await rounds(*fleet)
    for registry in fleet:
        registry.selector.enroll("a", expected_cost_usd=0.005)
    await rounds(*fleet)
    young = member(state, clock)
    await rounds(young)
    assert young.selector.shared_state()["arms"]["a"]["cost_sum_usd"] == pytest.approx(0.02)
    assert {registry.selector.state()["arms"]["a"]["cost_sum_usd"] for registry in fleet} == {0.01}


async def test_a_policy_that_forgets_takes_no_more_of_the_past_than_it_would_remember(clock):
    """A thousand old results weigh as an endless stream does, and new ones of others as one's own."""
    state = MemoryState(clock=clock)
    old = member(state, clock)
    teach(old.selector, [("a", 1.0, None)] * 1000)
    await rounds(old)
    forgetful = [member(state, clock, selector=selector_named("ucb", half_life=20)) for _ in range(2)]
    await rounds(*forgetful)
    assert forgetful[0].selector.state()["arms"]["a"]["rated"] == pytest.approx(20 / 0.6931, rel=0.01)
    teach(forgetful[0].selector, [("b", 0.0, None)] * 5)
    await rounds(*forgetful)
    assert forgetful[1].selector.state()["arms"]["b"]["rated"] == pytest.approx(
        forgetful[0].selector.state()["arms"]["b"]["rated"]
    )


class Unreliable:
    """A store on a bad line: some parcels do not come, and of some that came nobody hears."""

    name = "unreliable"

    def __init__(self, store, fate):
        self.store, self.fate, self.close = store, fate, store.close

    def exchange(self, parcel):
        luck = next(self.fate, "well")
        if luck == "lost":
            raise StateUnavailableError("lost on the way there")
        delivery = self.store.exchange(parcel)
        if luck == "unheard":
            raise StateUnavailableError("lost on the way back")
        return delivery


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["call", "sync"]), st.sampled_from("ab")), max_size=40),
       st.lists(st.sampled_from(["well", "lost", "unheard"]), max_size=30))  # fmt: skip
async def test_nothing_is_lost_or_counted_twice_on_a_bad_line(deeds, fate):
    """Whatever gets lost in either direction, in the end all know the number of calls there were."""
    clock = FakeClock()
    state = MemoryState(clock=clock)
    luck = iter(fate)
    fleet = [member(Unreliable(state, luck), clock, models=("a", "b")) for _ in range(3)]
    made = {"a": 0, "b": 0}
    for who, deed, arm in deeds:
        if deed == "call":
            call(fleet[who], arm)
            made[arm] += 1
        else:
            await fleet[who].sharing.sync()
    for _ in luck:
        pass
    await rounds(*fleet, times=3)
    for registry in fleet:
        assert {name: pulls for name, (pulls, _) in learnt(registry).items()} == made
        for name, pulls in made.items():
            assert registry.get_usage_summary(name).request_count == pulls
            assert registry.get_usage_summary(name).cost_usd == pytest.approx(pulls * 0.01, abs=1e-9)


async def test_a_child_of_a_process_leaves_to_the_parent_what_the_parent_has_seen(clock):
    """After a fork both hold the same news; it is told once."""
    state = MemoryState(clock=clock)
    parent = member(state, clock)
    call(parent, "a")
    await rounds(parent)
    call(parent, "a")
    child = member(state, clock)
    child.sharing.process, child.sharing._owner = parent.sharing.process, -1
    call(child, "a")
    call(child, "a")  # as it was copied
    await child.sharing.sync()
    await rounds(parent)
    call(child, "a")
    await rounds(child, parent)
    assert child.sharing.process != parent.sharing.process
    assert learnt(parent)["a"][0] == 3
