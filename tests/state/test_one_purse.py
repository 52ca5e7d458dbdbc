"""Budgets and limits by the minute hold over all processes, and nobody asks the store for every call."""

from pathlib import Path
from random import Random

import pytest
from fleet import MODELS, call, member, rounds

from orchestrator.core.info import ModelConstraints
from orchestrator.core.messages import Request
from orchestrator.errors import BudgetExceededError, ConfigurationError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.money.accounts import Hold
from orchestrator.state.memory import MemoryState
from orchestrator.state.sharing import Sharing
from orchestrator.state.store import DRAWN_LIFE_S, StateUnavailableError
from orchestrator.testing import FakeClock


@pytest.fixture
def clock():
    """The time of all."""
    return FakeClock()


class Counting:
    """A store that counts how often money and leave are drawn, and may be out of reach."""

    name = "counting"

    def __init__(self, store):
        self.store, self.draws, self.reachable, self.close = store, 0, True, store.close
        self.hears = True

    def __getattr__(self, verb):
        def ask(*arguments):
            self.draws += verb != "exchange"
            if not self.reachable:
                raise StateUnavailableError("out of reach")
            done = getattr(self.store, verb)(*arguments)
            if not self.hears:
                raise StateUnavailableError("done, and nobody has heard of it")
            return done

        return ask


@pytest.fixture
def store(clock):
    """Shared by all, in memory."""
    return Counting(MemoryState(clock=clock))


@pytest.mark.parametrize("seed", range(5))
async def test_processes_together_never_spend_more_than_there_is(store, clock, seed):
    """Calls of random cost begin and end in random order; a refusal comes only where less than a call is free."""
    rng, fleet = Random(seed), [member(store, clock, budgets={"day_usd": 1.0}) for _ in range(3)]
    out, spent = [], 0.0
    for _ in range(400):
        what = rng.random()
        if what < 0.5:
            registry = rng.choice(fleet)
            try:
                out.append(registry.budgets.reserve("a", rng.uniform(0.001, 0.05)))
            except BudgetExceededError:
                continue
        elif what < 0.9 and out:
            held = out.pop(rng.randrange(len(out)))
            cost_usd = held.usd * rng.random()
            held.settle(cost_usd)
            spent += cost_usd
        else:
            await rounds(rng.choice(fleet), times=1)
        assert spent + sum(held.usd for held in out) <= 1.0 + 1e-9
    for held in out:
        held.release()
    await rounds(*fleet, times=3)
    assert spent > 0.8
    for registry in fleet:
        assert registry.budgets.snapshot()[0]["spent_usd"] == pytest.approx(spent, abs=1e-9)


async def test_most_reservations_are_answered_from_memory(store, clock):
    """Money is drawn for many calls at once while there is plenty."""
    registry = member(store, clock, budgets={"day_usd": 100.0})
    for _ in range(1000):
        registry.budgets.reserve("a", 0.001).settle(0.001)
    assert store.draws < 50


async def test_an_empty_account_is_not_asked_again_at_once(store, clock):
    """A flood of refusals costs the store nothing."""
    registry = member(store, clock, budgets={"day_usd": 0.001})
    for _ in range(100):
        with pytest.raises(BudgetExceededError):
            registry.budgets.reserve("a", 0.01)
    assert store.draws == 1
    clock.jump(1)
    assert registry.budgets.accounts.reserve([Hold("other", 1.0)], 0.5) is None


async def test_a_tenant_that_is_bound_later_is_bound_in_all_processes(store, clock):
    """The first limit of a registry may come when it has long been sharing: with a tenant of the gateway, say."""
    first, second = (member(store, clock) for _ in range(2))
    for one in (first, second):
        one.limit_tenant("acme", day_usd=1.0)
    first.budgets.reserve("a", 0.8, tenant="acme").settle(0.8)
    await rounds(first, second)
    with pytest.raises(BudgetExceededError):
        second.budgets.reserve("a", 0.3, tenant="acme")


async def test_the_place_that_is_named_last_is_where_money_is_shared(store, clock):
    """Settings name one, and whoever starts the process another: what is spent goes there."""
    first, second = (member(MemoryState(clock=clock), clock, budgets={"day_usd": 1.0}) for _ in range(2))
    for one in (first, second):
        one.share(Sharing(store, clock=clock))
    first.budgets.reserve("a", 0.8).settle(0.8)
    await rounds(first, second)
    with pytest.raises(BudgetExceededError):
        second.budgets.reserve("a", 0.3)


async def test_who_shares_too_late_is_told(store, clock):
    """The rounds of a registry at work go where they went, so another place would be filled by nobody."""
    async with member(MemoryState(clock=clock), clock) as registry:
        with pytest.raises(ConfigurationError, match="before `async with registry`"):
            registry.share(Sharing(store, clock=clock))


@pytest.mark.parametrize("place", [5, Path("state.db"), b"memory://"])
def test_what_is_no_place_is_refused_at_once(place):
    """A path is the likeliest of them; the error says what would do."""
    with pytest.raises(ConfigurationError, match="give redis://host:port/db, sqlite:///path or memory://"):
        ModelRegistry(state=place)


async def test_without_the_store_a_process_goes_by_what_it_knows_and_books_it_later(store, clock):
    """What all had spent counts, and nothing is lost or booked twice."""
    first, second = (member(store, clock, budgets={"day_usd": 1.0}) for _ in range(2))
    second.budgets.reserve("a", 0.4).settle(0.4)
    await rounds(first, second)
    store.reachable = False
    first.budgets.reserve("a", 0.5).settle(0.5)
    assert not await first.sharing.sync()
    with pytest.raises(BudgetExceededError):
        first.budgets.reserve("a", 0.2)
    store.reachable = True
    await rounds(first, second)
    assert [one.budgets.snapshot()[0]["spent_usd"] for one in (first, second)] == pytest.approx([0.9, 0.9])
    with pytest.raises(BudgetExceededError):
        second.budgets.reserve("a", 0.2)
    second.budgets.reserve("a", 0.1).release()


async def test_money_drawn_before_a_long_silence_is_not_spent_after_it(store, clock):
    """Meanwhile it may have been given to others."""
    first, second = (member(store, clock, budgets={"day_usd": 1.0}) for _ in range(2))
    first.budgets.reserve("a", 0.01).release()  # some more is drawn than that
    clock.jump(DRAWN_LIFE_S + 1)
    second.budgets.reserve("a", 0.99).settle(0.99)
    first.budgets.reserve("a", 0.01).release()
    with pytest.raises(BudgetExceededError):
        first.budgets.reserve("a", 0.02)


async def test_money_that_was_drawn_unheard_is_free_again_in_time(store, clock):
    """The answer was lost; the process goes on, and does not hold on to what it knows nothing of."""
    first, second = (member(store, clock, budgets={"day_usd": 1.0}) for _ in range(2))
    store.hears = False
    for _ in range(5):
        first.budgets.reserve("a", 0.001).settle(0.001)
    store.hears = True
    for _ in range(7):
        clock.jump(5)
        await rounds(first, second)
    second.budgets.reserve("a", 0.99).settle(0.99)
    assert second.budgets.snapshot()[0]["spent_usd"] == pytest.approx(0.995)


async def test_a_limit_by_the_minute_holds_for_the_fleet(store, clock):
    """Three processes get together what one would, and it flows in again."""
    fleet = [member(store, clock) for _ in range(3)]
    for registry in fleet:
        registry["a"].info.constraints = ModelConstraints(max_requests_per_minute=60)
    request = Request.of("hello")

    def leaves():
        """Calls that may leave now, of all who try in turns."""
        turns = [registry.admission.admit(registry["a"], request) for _ in range(50) for registry in fleet]
        return sum(permit is not None for permit in turns)

    assert 57 <= leaves() <= 60
    clock.jump(30)
    await rounds(*fleet, times=1)
    assert 27 <= leaves() <= 33


async def test_without_the_store_each_keeps_to_its_share_of_a_limit(store, clock):
    """Three processes that have heard of one another take a third each."""
    fleet = [member(store, clock) for _ in range(3)]
    for registry in fleet:
        registry["a"].info.constraints = ModelConstraints(max_requests_per_minute=60)
    await rounds(*fleet)
    store.reachable = False
    request = Request.of("hello")
    for registry in fleet:
        leaves = sum(registry.admission.admit(registry["a"], request) is not None for _ in range(100))
        assert leaves == 20


async def test_usage_is_the_fleet_s(store, clock):
    """By model and tenant."""
    first, second = member(store, clock), member(store, clock)
    call(first, "a", tenant="acme")
    call(second, "a", tenant="acme", cost_usd=None)
    await rounds(first, second)
    for registry in (first, second):
        (row,) = registry.usage.report(["tenant"]).rows
        assert (row["tenant"], row["cost_usd"]) == ("acme", pytest.approx(0.01))
        assert registry.get_usage_summary("a").unpriced_count == 1
        assert registry.get_usage_summary("a").total_usage.input_tokens == 20
    assert tuple(first) == MODELS
