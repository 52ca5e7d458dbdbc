"""Usage in memory: exact from many threads, by any grouping, and never poisoned."""

import csv
import io
import json
import logging
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.usage import UsageStats
from orchestrator.errors import BudgetExceededError, ConfigurationError, ServerError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.money.usage_sheet import OTHERS
from orchestrator.models.usage import UsageService
from orchestrator.testing import FakeClock

DAY_S = 86_400


def test_sixteen_threads_lose_not_a_cent():
    """Sixteen thousand records of awkward amounts add up within 1e-9."""
    usage = UsageService()

    def work(thread):
        for number in range(1000):
            usage.add(f"m{number % 3}", UsageStats(number, 1), 0.1 + thread / 7, tenant=f"t{thread % 4}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    exact = math.fsum(0.1 + thread / 7 for thread in range(16) for _ in range(1000))
    report = usage.report("tenant")
    assert report.total["requests"] == 16_000
    assert report.total["input_tokens"] == 16 * sum(range(1000))
    assert abs(report.total["cost_usd"] - exact) < 1e-9
    assert abs(math.fsum(row["cost_usd"] for row in report.rows) - exact) < 1e-9


poison = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 1e300, "3", True, b""])
bad_count = st.sampled_from([-1, math.nan, math.inf, 10**12, "7", 1.5, True])


@given(st.lists(st.tuples(st.floats(0, 10) | poison, st.integers(0, 1000) | bad_count), max_size=50))
def test_what_is_no_number_is_dropped_and_counted(records):
    """Totals stay finite and are those of the good figures; each bad one is counted."""
    usage = UsageService()
    good_usd, good_tokens, bad = [], 0, 0
    for cost, tokens in records:
        used = UsageStats()
        used.input_tokens = tokens
        usage.add("m", used, cost)
        if type(cost) is float and 0 <= cost <= 10:
            good_usd.append(cost)
        else:
            bad += 1
        if type(tokens) is int and 0 <= tokens <= 1000:
            good_tokens += tokens
        else:
            bad += 1
    summary = usage.get_usage_summary("m")
    assert summary.cost_usd == pytest.approx(math.fsum(good_usd), abs=1e-12)
    assert (summary.total_usage.input_tokens or 0, summary.dropped_count) == (good_tokens, bad)
    json.loads(usage.report().to_json(), parse_constant=pytest.fail)


def test_days_are_those_of_utc():
    """A second before midnight belongs to the day that ends."""
    clock = FakeClock(date_s=DAY_S - 1)
    usage = UsageService(clock=clock)
    usage.add("m", UsageStats(1, 1), 1.0)
    clock._now += 1
    usage.add("m", UsageStats(1, 1), 2.0)
    assert [(row["day"], row["cost_usd"]) for row in usage.report("day").rows] == [
        ("1970-01-01", 1.0),
        ("1970-01-02", 2.0),
    ]
    assert usage.report(since="1970-01-02").total["cost_usd"] == 2.0
    assert usage.report(until="1970-01-01").total["cost_usd"] == 1.0


def test_a_call_stands_under_each_of_its_tags_and_once_in_the_total():
    """The rows of tags may sum to more than was spent; the total never does."""
    usage = UsageService()
    usage.add("m", UsageStats(1, 1), 1.0, tags=("a", "b"))
    usage.add("m", UsageStats(1, 1), 2.0)
    report = usage.report("tag")
    assert {row["tag"]: row["cost_usd"] for row in report.rows} == {"a": 1.0, "b": 1.0, None: 2.0}
    assert report.total["cost_usd"] == 3.0


def test_unknown_groupings_and_dates_are_refused():
    """With the accepted words."""
    with pytest.raises(ConfigurationError, match="did you mean 'tenant'"):
        UsageService().report("tenent")
    with pytest.raises(ConfigurationError, match="since='yesterday'"):
        UsageService().report(since="yesterday")


def test_csv_is_read_back_and_runs_no_formula():
    """Every row and figure, and a tenant that looks like a formula is text."""
    usage = UsageService()
    usage.add("m", UsageStats(1, 2), 0.1, tenant="=HYPERLINK(1)")
    usage.add("m", UsageStats(1, 2), None, tenant='a,"b"')
    rows = list(csv.DictReader(io.StringIO(usage.report("tenant").to_csv())))
    assert [(row["tenant"], row["cost_usd"], row["unpriced"]) for row in rows] == [
        ("'=HYPERLINK(1)", "0.1", "0"),
        ('a,"b"', "0.0", "1"),
    ]


def test_a_flood_of_tenants_does_not_fill_the_memory(monkeypatch):
    """Beyond the bound they share a row, and the total is right."""
    monkeypatch.setattr("orchestrator.models.money.usage_sheet._MOST_CELLS", 10)
    usage = UsageService()
    for number in range(100):
        usage.add("m", UsageStats(1, 1), 1.0, tenant=f"t{number}")
    report = usage.report("tenant")
    assert len(report.rows) <= 12
    assert OTHERS in {row["tenant"] for row in report.rows}
    assert report.total["cost_usd"] == 100.0


def test_when_room_is_short_the_newest_days_keep_their_detail(monkeypatch):
    """A year of tenants does not cost today's theirs."""
    monkeypatch.setattr("orchestrator.models.money.usage_sheet._MOST_CELLS", 50)
    clock = FakeClock()
    usage = UsageService(clock=clock)
    for day in range(365):
        clock._now = day * DAY_S
        for tenant in "abcde":
            usage.add("m", UsageStats(1, 1), 1.0, tenant=tenant)
    report = usage.report(["day", "tenant"])
    today = [row["tenant"] for row in report.rows if row["day"] == report.rows[-1]["day"]]
    assert today == list("abcde")
    assert report.total["cost_usd"] == 365 * 5.0
    assert len(report.rows) <= 365 + 50


def test_an_unknown_price_is_said_once(caplog):
    """Per model, with the remedy."""
    usage = UsageService()
    with caplog.at_level(logging.WARNING):
        for model in ("a", "a", "b", "a"):
            usage.add(model, UsageStats(1, 1), None)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "ORCHESTRATOR_COST_" in caplog.text
    assert usage.report().total["unpriced"] == 4


async def test_a_failed_attempt_that_was_billed_counts(fake_clock, priced):
    """Its money is in the sum, and the answer that came in the end is counted once."""
    registry = ModelRegistry(clock=fake_clock, seed=0)
    registry.register_model(priced("a", tokens=1_000_000))
    usage = registry.usage
    usage.add("a", UsageStats(0, 500_000), 0.5, failed=True)
    await registry.generate_response("hi")
    summary = registry.get_usage_summary("a")
    assert (summary.request_count, summary.billed_failure_count, summary.cost_usd) == (1, 1, 1.5)


async def test_a_call_is_priced_at_the_moment_it_was_made(fake_clock, priced):
    """Where prices change by the hour, the clock decides; and a budget sets as much aside."""
    night = {"hours": ["00:00", "06:00"], "cost": {"input": 1, "output": 2}}
    dear_day = {"input": 1, "output": 10, "changes": [night]}
    registry = ModelRegistry(clock=fake_clock, seed=0, budgets={"call_usd": 5.0})
    registry.register_model(priced("a", tokens=1_000_000, cost=dear_day))
    at_midnight = await registry.generate_response("hi", max_tokens=1_000_000)
    await fake_clock.advance(12 * 3600)
    assert at_midnight.cost_usd == 2.0
    with pytest.raises(BudgetExceededError, match=r"may cost \$10"):
        await registry.generate_response("hi", max_tokens=1_000_000)
    assert (await registry.generate_response("hi", max_tokens=100)).cost_usd == 10.0


async def test_a_stream_that_breaks_is_on_the_bill(fake_clock, priced):
    """What had flowed is estimated, counted as a billed failure, and taken from the budget."""

    class Breaking(priced):
        async def stream_response(self, prompt, **kwargs):
            yield "said " * 100
            raise ServerError("down")

    registry = ModelRegistry(clock=fake_clock, seed=0, budgets={"day_usd": 1.0})
    model = registry.register_model(Breaking("a"))
    with pytest.raises(ServerError):
        async for _ in model.stream_response("hi"):
            pass
    summary = registry.get_usage_summary("a")
    assert (summary.request_count, summary.billed_failure_count) == (0, 1)
    assert summary.cost_usd == pytest.approx(140e-6, rel=0.05)
    (row,) = registry.budgets.snapshot()
    assert (row["spent_usd"], row["reserved_usd"]) == (summary.cost_usd, 0.0)
