"""Budgets in a registry: refused before anything is sent, and only when nobody cheaper would do."""

import asyncio
import random

import pytest

from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Reply
from orchestrator.core.usage import UsageStats
from orchestrator.errors import (
    BudgetExceededError,
    ConfigurationError,
    InvalidRequestError,
    MalformedResponseError,
    OrchestratorError,
    QuotaError,
    ServerError,
)
from orchestrator.models.budgets import Budgets
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.usage import UsageService

CENT = {"max_tokens": 10_000}  # of a model at a dollar a million


@pytest.fixture
def make(fake_clock):
    """A registry with budgets on the fake clock."""
    return lambda **options: ModelRegistry(clock=fake_clock, seed=0, **options)


async def test_nothing_is_sent_that_does_not_fit(make, priced):
    """The error has the figures; the model was not asked."""
    registry = make(budgets={"day_usd": 0.005})
    model = registry.register_model(priced("a", tokens=10_000))
    with pytest.raises(BudgetExceededError, match="budget a day") as caught:
        await registry.generate_response("hi", **CENT)
    assert (model.asked, caught.value.limit, caught.value.spent, caught.value.reserved) == (0, 0.005, 0.0, 0.0)
    with pytest.raises(BudgetExceededError):
        await registry.invoke_model_async("a", "hi", **CENT)
    with pytest.raises(BudgetExceededError):
        await anext(registry.stream_response("hi", **CENT))
    assert model.asked == 0


async def test_a_cheaper_model_answers_when_the_dear_one_cannot_be_paid(make, priced):
    """Many dear ones are passed over at once, whatever the selector prefers."""
    registry = make(budgets={"call_usd": 0.02})
    dear = [registry.register_model(priced(f"dear{n}", cost={"input": 9, "output": 9})) for n in range(20)]
    registry.register_model(priced("cheap"))
    response = await registry.generate_response("hi", **CENT)
    assert response.model_id == "cheap"
    assert [model.asked for model in dear] == [0] * 20


async def test_a_free_model_answers_when_the_purse_is_empty(make, priced):
    """A local model costs nothing."""
    registry = make(budgets={"total_usd": 0.0})
    registry.register_model(priced("dear"))
    registry.register_model(priced("home", cost=None, is_local=True))
    assert (await registry.generate_response("hi")).model_id == "home"


async def test_what_it_did_cost_is_booked(make, priced):
    """Not what it might have."""
    registry = make(budgets={"day_usd": 1.0})
    registry.register_model(priced("a", tokens=2_000))
    await registry.generate_response("hi", **CENT)
    (row,) = registry.budgets.snapshot()
    assert (row["spent_usd"], row["reserved_usd"]) == (pytest.approx(0.002), 0.0)


async def test_a_thousand_calls_at_once_stay_within_the_budget(make, priced):
    """Exactly as many get through as fit; with honest estimates nothing is over."""

    class Slow(priced):
        async def generate_response(self, prompt, **kwargs):
            await asyncio.sleep(0)
            return await super().generate_response(prompt, **kwargs)

    registry = make(budgets={"day_usd": 0.5})
    model = registry.register_model(Slow("a", tokens=9_999))
    calls = (registry.generate_response(f"{n}", **CENT) for n in range(1000))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, BudgetExceededError)]
    assert len(refused) + model.asked == 1000
    (row,) = registry.budgets.snapshot()
    assert 0.48 < row["spent_usd"] <= 0.5
    assert row["reserved_usd"] == 0.0


async def test_failures_and_cancelled_calls_leave_nothing_set_aside(make, priced):
    """Whatever ends an attempt gives back what it held."""
    registry = make(budgets={"day_usd": 1.0}, max_attempts=1)
    hang = asyncio.Event()

    class Hanging(priced):
        async def generate_response(self, prompt, **kwargs):
            await hang.wait()

    registry.register_model(priced("a", [ServerError("x"), InvalidRequestError("y"), ConfigurationError("z")]))
    registry.register_model(Hanging("b"))
    for error in (ServerError, InvalidRequestError, ConfigurationError):
        with pytest.raises(error):
            await registry.invoke_model_async("a", "hi")
    task = asyncio.create_task(registry.invoke_model_async("b", "hi"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert registry.budgets.snapshot()[0]["reserved_usd"] > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (row,) = registry.budgets.snapshot()
    assert (row["spent_usd"], row["reserved_usd"]) == (0.0, 0.0)


async def test_failing_over_is_within_the_budget_too(make, priced):
    """The first fails, and the second is too dear: the failure is told, and the dear one is not asked."""
    registry = make(budgets={"day_usd": 0.02})
    registry.register_model(priced("a", [QuotaError("used up")]))
    dear = registry.register_model(priced("b", cost={"input": 90, "output": 90}))
    with pytest.raises(QuotaError):
        await registry.generate_response("hi", **CENT)
    assert dear.asked == 0


async def test_a_stream_is_booked_at_its_end(make, priced):
    """And one that nobody reads to its end gives back what it held."""
    registry = make(budgets={"day_usd": 1.0})
    registry.register_model(priced("a", tokens=10_000))
    async for _ in registry.stream_response("hi", **CENT):
        pass
    (row,) = registry.budgets.snapshot()
    assert (row["spent_usd"], row["reserved_usd"]) == (pytest.approx(0.01), 0.0)
    left = registry.stream_response("hi", **CENT)
    await anext(left)
    await left.aclose()
    assert registry.budgets.snapshot()[0]["reserved_usd"] == 0.0


async def test_embeddings_are_within_the_budget(make, priced):
    """By the length of the texts; what does not fit is not sent."""

    class Vectors(priced):
        async def send_embeddings(self, texts, params):
            return Embeddings([[1.0]] * len(texts), usage=UsageStats(1_000, 0))

    registry = make(budgets={"day_usd": 0.002})
    model = registry.register_model(Vectors("a", cost={"input": 1, "output": 0}))
    await model.embed(["short"])
    assert registry.budgets.snapshot()[0]["spent_usd"] == pytest.approx(0.001)
    with pytest.raises(BudgetExceededError):
        await model.embed(["long " * 2_000])


async def test_tenants_are_charged_apart(make, priced):
    """One is at its limit, the other is not."""
    registry = make(budgets={"tenants": {"*": {"day_usd": 0.015}}})
    registry.register_model(priced("a", tokens=10_000))
    await registry.generate_response("hi", tenant="acme", **CENT)
    with pytest.raises(BudgetExceededError, match="tenant 'acme'"):
        await registry.generate_response("hi", tenant="acme", **CENT)
    await registry.generate_response("hi", tenant="umbra", **CENT)


async def test_an_answer_from_the_cache_costs_nothing(make, priced):
    """It is not even asked whether there is money."""
    registry = make(budgets={"day_usd": 0.015}, cache_responses=True)
    registry.register_model(priced("a", tokens=10_000))
    for _ in range(5):
        await registry.generate_response("hi", temperature=0, **CENT)
    assert registry.budgets.snapshot()[0]["spent_usd"] == pytest.approx(0.01)
    await registry.cleanup()


async def test_a_bill_of_the_provider_is_what_is_booked(make, priced):
    """Also of a model whose price nobody knows, where that is allowed."""
    registry = make(budgets={"day_usd": 1.0, "allow_unpriced": True})
    said = Reply("x", usage=UsageStats(1, 1, cost_usd=0.25))
    registry.register_model(priced("a", [said], cost=None))
    await registry.generate_response("hi")
    assert registry.budgets.snapshot()[0]["spent_usd"] == 0.25


async def test_budgets_and_usage_share_a_ledger(make, priced, path):
    """The next process goes on where this one stopped."""
    for expected in (0.01, 0.02):
        registry = make(usage_service=UsageService(path), budgets={"total_usd": 1.0})
        registry.register_model(priced("a", tokens=10_000))
        await registry.generate_response("hi", **CENT)
        assert registry.budgets.snapshot()[0]["spent_usd"] == pytest.approx(expected)
        assert registry.get_usage_summary("a").cost_usd == pytest.approx(expected)
        await registry.cleanup()


def test_registries_take_budgets_as_objects_or_mappings(make):
    """And say what is wrong with them."""
    budgets = Budgets(day_usd=1.0)
    assert make(budgets=budgets).budgets is budgets
    with pytest.raises(ConfigurationError, match="did you mean 'day_usd'"):
        make(budgets={"dayusd": 1.0})
    assert make().budgets is None


async def test_budgets_may_stand_in_the_settings(priced):
    """With the constructor's names; a wrong one is named with its place."""
    registry = ModelRegistry.from_config({"budgets": {"day_usd": 0.005, "tenants": {"acme": {"day_usd": 0.001}}}})
    registry.register_model(priced("a"))
    with pytest.raises(BudgetExceededError, match="budget a day"):
        await registry.generate_response("hi", **CENT)
    for wrong in ({"day": 1}, {"day_usd": -1}, {"tenants": {"acme": {"dayusd": 1}}}):
        with pytest.raises(ConfigurationError, match="day_usd"):
            ModelRegistry.from_config({"budgets": wrong})


def test_budgets_without_accounts_of_their_own_keep_theirs_where_usage_is(make, path):
    """So that one path is enough for both."""
    usage = UsageService(path)
    registry = make(usage_service=usage, budgets=Budgets(day_usd=1.0))
    assert registry.budgets.accounts is usage.accounts
    usage.close()


def erratic(priced, rng):
    """A class of models that fail, break and dawdle as the dice fall; what they answer has a count of tokens."""

    class Erratic(priced):
        async def generate_response(self, prompt, **kwargs):
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            if rng.random() < 0.3:
                raise rng.choice([QuotaError, InvalidRequestError, MalformedResponseError])("x")
            return Reply("said", usage=UsageStats(10, rng.randrange(5_000)))

        async def stream_response(self, prompt, **kwargs):
            for _ in range(3):
                await asyncio.sleep(0)
                if rng.random() < 0.1:
                    raise QuotaError("x")
                yield "said "
            yield Chunk(finish_reason="stop", usage=UsageStats(10, rng.randrange(5_000)))

    return Erratic


async def read_some(pieces, rng):
    """Read a stream to its end, or leave it."""
    async for _ in pieces:
        if rng.random() < 0.2:
            break
    await pieces.aclose()


async def many_calls(registry, rng):
    """Two hundred calls at once, of all kinds, some of them cancelled; what came of them."""
    tasks = []
    for number in range(200):
        if number % 3:
            call = registry.generate_response(f"{number}", tenant="acme", **CENT)
        else:
            call = read_some(registry.stream_response(f"{number}", tenant=rng.choice([None, "acme"]), **CENT), rng)
        tasks.append(asyncio.create_task(call))
        if rng.random() < 0.2:
            await asyncio.sleep(0)
            rng.choice(tasks).cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_the_books_agree(make, priced, seed):
    """Failures, failover, broken and forsaken streams, cancelled calls: nothing stays set aside, and all is booked."""
    rng = random.Random(seed)
    registry = make(budgets={"day_usd": 0.4, "tenants": {"*": {"day_usd": 0.2}}}, max_attempts=2)
    for name in "abc":
        registry.register_model(erratic(priced, rng)(name))
    for ended in await many_calls(registry, rng):
        assert ended is None or isinstance(ended, ChatResponse | OrchestratorError | asyncio.CancelledError)
    common, acme = registry.budgets.snapshot()
    assert common["reserved_usd"] == acme["reserved_usd"] == 0.0
    booked = {row["tenant"]: row["cost_usd"] for row in registry.usage.report("tenant").rows}
    assert common["spent_usd"] == pytest.approx(sum(booked.values()), rel=1e-12)
    assert acme["spent_usd"] == pytest.approx(booked["acme"], rel=1e-12)
    assert acme["spent_usd"] <= 0.2
