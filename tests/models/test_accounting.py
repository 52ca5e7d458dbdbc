"""What was consumed: every attempt once, to the last digit."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.messages import Chunk, Reply
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ServerError
from orchestrator.models.usage import UsageService


@given(st.lists(st.floats(0, 1000), max_size=200))
@example([0.1] * 10_000)  # a plain sum is off by 1.6e-10 here
def test_totals_are_the_exact_sum_of_the_calls(costs):
    """A million small amounts add up as if added exactly (Neumaier's sum)."""
    usage = UsageService()
    for cost in costs:
        usage.add("m", UsageStats(1, 2), cost)
    summary = usage.get_usage_summary("m")
    assert summary.cost_usd == pytest.approx(math.fsum(costs), rel=1e-15, abs=1e-12)
    assert (summary.request_count, summary.total_usage.prompt_tokens or 0) == (len(costs), len(costs))


async def test_a_summary_reads_as_in_the_guide(registry, scripted):
    """Requests, tokens and dollars of one model, under any of its names."""
    said = Reply("x", usage=UsageStats(12, 47))
    registry.register_model(scripted("openai/gpt-4", [said] * 3, provider="openai", cost={"input": 30, "output": 60}))
    for _ in range(3):
        await registry.invoke_model_async("gpt-4", "hi")
    summary = registry.get_usage_summary("gpt-4")
    assert (summary.request_count, summary.total_usage.total_tokens) == (3, 177)
    assert summary.cost_usd == pytest.approx(3 * 0.00318, rel=1e-12)
    assert summary.total_usage["cost"] == summary.cost_usd


def test_a_model_that_was_never_called_has_a_false_summary(registry, three):
    """Asking does not create a record."""
    assert not registry.get_usage_summary("a")
    assert not registry.get_usage_summary("nobody")
    assert registry.usage.summaries() == {}


async def test_an_unknown_price_is_counted_apart_and_never_as_zero(registry, scripted):
    """The response says None, the summary says how many calls are not in the sum."""
    model = registry.register_model(scripted("a", [Reply("x", usage=UsageStats(1, 1))]))
    response = await model.generate_response("hi")
    summary = registry.get_usage_summary("a")
    assert response.usage["cost"] is None
    assert (summary.request_count, summary.unpriced_count, summary.cost_usd) == (1, 1, 0.0)


async def test_a_bill_of_the_provider_wins_over_the_price_list(registry, scripted):
    """What the provider says it charged is what it cost."""
    said = Reply("x", usage=UsageStats(1_000_000, 0, cost_usd=0.5))
    model = registry.register_model(scripted("a", [said], cost={"input": 30, "output": 60}))
    assert (await model.generate_response("hi")).cost_usd == 0.5
    assert registry.get_usage_summary("a").cost_usd == 0.5


async def test_failed_attempts_cost_what_they_cost_and_no_more(registry, scripted):
    """A failure without an answer adds no request; the winner is counted once."""
    registry.register_model(scripted("a", [ServerError("x")]))
    registry.register_model(scripted("b", [Reply("x", usage=UsageStats(1, 1))]))
    await registry.generate_response("hi")
    assert not registry.get_usage_summary("a")
    assert registry.get_usage_summary("b").request_count == 1


async def test_streams_are_counted_once(registry, streaming):
    """At their end, with the usage of the last chunk."""
    model = registry.register_model(streaming("a", [["x", Chunk(finish_reason="stop", usage=UsageStats(3, 4))]]))
    async for _ in model.stream_response("hi"):
        pass
    summary = registry.get_usage_summary("a")
    assert (summary.request_count, summary.total_usage.total_tokens) == (1, 7)


@pytest.mark.parametrize(
    "record", [UsageStats(3, 4, cost_usd=0.5), {"prompt_tokens": 3, "completion_tokens": 4, "cost_usd": 0.5}]
)
def test_records_come_as_objects_or_mappings(record):
    """The older service's own verb."""
    usage = UsageService()
    usage.add_usage_record("m", record)
    assert (usage.get_usage_summary("m").total_usage.total_tokens, usage.get_usage_summary("m").cost_usd) == (7, 0.5)


def test_threads_lose_nothing():
    """Eight threads, eight thousand records."""
    usage = UsageService()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [usage.add("m", UsageStats(1, 1), 0.001) for _ in range(1000)], range(8)))
    summary = usage.get_usage_summary("m")
    assert (summary.request_count, summary.total_usage.total_tokens) == (8000, 16_000)
    assert summary.cost_usd == pytest.approx(8, rel=1e-12)
