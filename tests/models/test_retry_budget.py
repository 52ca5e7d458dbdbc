"""Retries are bounded: nobody multiplies an outage, and nobody is refused a rescue that costs nothing."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.errors import OverloadedError, ProviderAPIError, RateLimitError, ServerError
from orchestrator.integrations import OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.road.retry_budget import RetryBudget
from orchestrator.testing import EmulatedModel, Emulator, Fail


class BudgetTwins(RuleBasedStateMachine):
    """The budget beside a naive twin that counts in fractions on a list of what happened."""

    def __init__(self):
        super().__init__()
        self.budget, self.tenths = RetryBudget(), 30

    @rule(times=st.integers(1, 60))
    def answered(self, times):
        """Each answer earns a tenth, up to fifty whole ones."""
        for _ in range(times):
            self.budget.earn()
            self.tenths = min(500, self.tenths + 1)

    @rule(times=st.integers(1, 8))
    def retried(self, times):
        """A retry is granted exactly when a whole one is there."""
        for _ in range(times):
            assert self.budget.spend() is (self.tenths >= 10)
            self.tenths -= 10 if self.tenths >= 10 else 0

    @rule()
    def helped(self):
        """A retry that was answered comes back."""
        self.budget.give_back()
        self.tenths = min(500, self.tenths + 10)

    @invariant()
    def agree(self):
        """Never below nothing, never above fifty, always as the twin has it."""
        assert (self.budget.retries, self.budget.full) == (self.tenths // 10, self.tenths == 500)


BudgetTwins.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestBudgetTwins = BudgetTwins.TestCase


@pytest.fixture
async def outage():
    """Three models of one provider, all of them down."""
    async with Emulator([EmulatedModel(name) for name in "abc"]) as emulator:
        for name in "abc":
            emulator.break_model(name, Fail(503))
        yield emulator
        await close_sessions()


@pytest.mark.parametrize("at_once", [1, 25])
async def test_a_total_outage_is_not_multiplied(outage, at_once):
    """1,000 calls into three dead models are at most 1,100 requests upstream."""
    registry = ModelRegistry(seed=0)
    for name in "abc":
        registry.register_model(OpenAIModel(name=name, base_url=outage.base_url("openai"), api_key="k"))
    for _ in range(1_000 // at_once):
        found = await asyncio.gather(
            *(registry.generate_response("hi") for _ in range(at_once)), return_exceptions=True
        )
        assert all(isinstance(error, ProviderAPIError) for error in found)
    upstream = sum(outage.requests.values())
    assert upstream <= 1_100, upstream


@pytest.mark.parametrize("wait", [False, True])
async def test_models_that_are_full_as_well_as_down_are_not_asked_more_often(outage, wait):
    """What they were narrowed to in the outage is no way around the budget."""
    registry = ModelRegistry(seed=0)
    for name in "abc":
        registry.register_model(OpenAIModel(name=name, base_url=outage.base_url("openai"), api_key=f"k{name}"))
    for _ in range(50):
        await asyncio.gather(
            *(registry.generate_response("hi", wait_for_capacity=wait, deadline_s=5) for _ in range(20)),
            return_exceptions=True,
        )
    assert sum(outage.requests.values()) <= 1_100


@pytest.mark.parametrize("after_s", [0, 1])
@pytest.mark.parametrize("at_once", [1, 20])
async def test_who_is_told_when_to_come_again_multiplies_no_outage_either(registry, scripted, at_once, after_s):
    """A lone model refuses for minutes and says "in a second" each time: 1.1 requests a call, as with any outage."""
    model = registry.register_model(scripted("a", [RateLimitError("slow down", retry_after_s=after_s)] * 9999))
    for _ in range(200 // at_once):
        calls = [asyncio.create_task(model.generate_response("hi")) for _ in range(at_once)]
        while not all(call.done() for call in calls):
            await registry.clock.advance(1)
        assert {type(call.exception()) for call in calls} == {RateLimitError}
    assert model.asked <= 200 * 1.1


async def test_a_rate_limit_that_passes_costs_nobody_an_answer(registry, scripted):
    """Twenty at once are told to come in a second: one goes first then, and when it is answered all are."""
    model = registry.register_model(scripted("a", [RateLimitError("slow down", retry_after_s=1)] * 22))
    calls = [asyncio.create_task(model.generate_response("hi")) for _ in range(20)]
    await registry.clock.advance(2.5)
    assert model.asked == 22, "one a second is refused, nobody else asks"
    await registry.clock.advance(1)
    assert sorted([len((await call).attempts) for call in calls]) == [2] * 18 + [3] * 2
    assert model.asked == 22 + 20


async def test_one_dead_model_costs_nobody_an_answer(registry, scripted):
    """Failover to a model that answers is free, however many come at once."""
    dead, alive = registry.register_model(scripted("a", [ServerError("x")] * 500)), scripted("b")
    registry.register_model(alive)
    answers = await asyncio.gather(*(registry.generate_response("hi") for _ in range(500)))
    assert {answer.model_id for answer in answers} == {"b"}
    assert dead.asked >= 1


async def test_a_lone_model_is_retried_three_times_and_then_only_now_and_then(registry, scripted):
    """Each call is asked once at least; three retries in all, since nothing is answered."""
    model = registry.register_model(scripted("a", [OverloadedError("x")] * 99))
    for _ in range(20):
        call = asyncio.create_task(model.generate_response("hi"))
        while not call.done():
            await registry.clock.advance(1)
        assert isinstance(call.exception(), OverloadedError)
    assert model.asked == 20 + 3


async def test_answers_earn_retries_back(registry, scripted):
    """Ten answers make one retry; a retry that was answered costs nothing."""
    model = registry.register_model(scripted("a"))
    budget = registry.settlement.retry_budgets.of("custom")
    for _ in range(3):
        budget.spend()
    for _ in range(10):
        await model.generate_response("hi")
    model.steps.append(ServerError("x"))
    call = asyncio.create_task(model.generate_response("hi"))
    await registry.clock.advance(5)
    assert len((await call).attempts) == 2
    assert budget.retries == 1


async def test_a_removed_model_is_forgotten(registry, scripted):
    """Its successor by the same name starts without a past."""
    model = registry.register_model(scripted("a", [ServerError("x")]))
    with pytest.raises(ServerError):
        await model.generate_response("hi", max_attempts=1)
    registry.unregister_model("a")
    fresh = registry.register_model(scripted("a"))
    budgets = registry.settlement.retry_budgets
    assert budgets.allow(fresh)
    assert budgets.of("custom").retries == 3
