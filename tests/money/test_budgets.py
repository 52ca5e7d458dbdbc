"""Budgets: nothing leaves that does not fit, whoever asks at the same time, and nothing is forgotten over night."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.errors import BudgetExceededError, ConfigurationError
from orchestrator.models.budgets import Budgets
from orchestrator.models.money.accounts import MemoryAccounts
from orchestrator.models.money.bookkeeper import Bookkeeper
from orchestrator.testing import FakeClock

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def spend(budgets, usd, tenant=None):
    """Reserve and settle the same amount."""
    budgets.reserve("m", usd, tenant=tenant).settle(usd)


def test_a_call_that_does_not_fit_is_refused_with_every_figure():
    """Limit, spent, reserved and the moment it resets."""
    budgets = Budgets(day_usd=1.0, clock=FakeClock(date_s=NEW_YEAR + 3600))
    spend(budgets, 0.5)
    budgets.reserve("m", 0.3)
    with pytest.raises(BudgetExceededError, match=r"\$0\.2 is left") as caught:
        budgets.reserve("m", 0.25)
    error = caught.value
    assert (error.limit, error.spent, error.reserved) == (1.0, 0.5, 0.3)
    assert error.resets_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert error.resets_in_s == 23 * 3600


def test_a_refused_call_changes_nothing():
    """All budgets or none: the wide one is not charged when the narrow one refuses."""
    budgets = Budgets(total_usd=100.0, tenants={"acme": {"day_usd": 0.1}})
    with pytest.raises(BudgetExceededError, match="tenant 'acme'"):
        budgets.reserve("m", 0.2, tenant="acme")
    assert budgets.left_usd() == 100.0
    assert budgets.left_usd("acme") == 0.1


def test_a_thousand_threads_worth_of_calls_stay_within_the_limit():
    """What was reserved never exceeds it, so what is over in the end is what estimates were short of."""
    budgets = Budgets(day_usd=1.0)

    def call(_):
        try:
            held = budgets.reserve("m", 0.01)
        except BudgetExceededError:
            return 0
        held.settle(0.012)
        return 1

    with ThreadPoolExecutor(16) as pool:
        made = sum(pool.map(call, range(1000)))
    (row,) = budgets.snapshot()
    assert row["reserved_usd"] == 0.0
    assert row["spent_usd"] == pytest.approx(made * 0.012, rel=1e-12)
    assert row["spent_usd"] <= 1.0 + 16 * 0.012


async def test_a_thousand_calls_at_once_overshoot_by_nothing_when_estimates_hold():
    """All are in flight before the first is settled; exactly those that fit get through."""
    budgets = Budgets(day_usd=1.0)
    gate = asyncio.Event()

    async def call():
        try:
            held = budgets.reserve("m", 0.01)
        except BudgetExceededError:
            return False
        await gate.wait()
        held.settle(0.01)
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call()) for _ in range(1000)]
        await asyncio.sleep(0)
        gate.set()
    assert sum(task.result() for task in tasks) == 100
    assert budgets.snapshot()[0]["spent_usd"] == pytest.approx(1.0, rel=1e-12)


def test_each_tenant_has_its_own_purse():
    """Named limits replace those of everyone for that tenant."""
    budgets = Budgets(tenants={"*": {"day_usd": 1.0}, "big": {"day_usd": 5.0}})
    for tenant, usd in (("a", 1.0), ("b", 1.0), ("big", 4.0)):
        spend(budgets, usd, tenant)
    assert [budgets.left_usd(tenant) for tenant in ("a", "b", "big", "new")] == [0.0, 0.0, 1.0, 1.0]
    assert budgets.left_usd() == math.inf
    assert {row["tenant"]: row["left_usd"] for row in budgets.snapshot()} == {"a": 0.0, "b": 0.0, "big": 1.0}


def test_the_limit_of_a_call_counts_its_earlier_attempts():
    """Three attempts at 40 cents do not fit a dollar."""
    budgets = Budgets(call_usd=1.0)
    budgets.reserve("m", 0.4, before_usd=0.4)
    with pytest.raises(BudgetExceededError, match="budget a call"):
        budgets.reserve("m", 0.4, before_usd=0.8)


def test_an_unknown_price_is_refused_unless_it_is_allowed():
    """And even then not once the purse is empty; what is free always fits."""
    with pytest.raises(BudgetExceededError, match="price of 'm' is unknown"):
        Budgets(day_usd=1.0).reserve("m", None)
    budgets = Budgets(day_usd=1.0, allow_unpriced=True)
    budgets.reserve("m", None).settle(1.0)
    with pytest.raises(BudgetExceededError):
        budgets.reserve("m", None)
    budgets.reserve("m", 0.0).settle(0.0)
    assert Budgets().reserve("m", None).usd == 0.0


@pytest.mark.parametrize("actual", [None, math.nan, math.inf, -1.0])
def test_a_cost_that_is_none_books_what_was_set_aside(actual):
    """An unknown cost is not free."""
    budgets = Budgets(day_usd=1.0)
    budgets.reserve("m", 0.25).settle(actual)
    assert budgets.left_usd() == 0.75


def test_a_reservation_is_closed_once():
    """Whatever comes first counts."""
    budgets = Budgets(day_usd=1.0)
    held = budgets.reserve("m", 0.5)
    held.release()
    held.settle(0.5)
    held.settle(0.5)
    assert budgets.left_usd() == 1.0


@pytest.mark.parametrize(
    ("zone", "date_s", "hours"),
    [
        ("UTC", NEW_YEAR, 24),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp(), 23),  # clocks go forward
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC).timestamp(), 25),  # clocks go back
    ],
)
def test_days_end_at_midnight_of_the_named_zone(zone, date_s, hours):
    """Also when that day has 23 or 25 hours."""
    clock = FakeClock(date_s=date_s)
    budgets = Budgets(day_usd=1.0, month_usd=1.5, timezone=zone, clock=clock)
    spend(budgets, 1.0)
    clock._now = hours * 3600 - 1
    assert budgets.left_usd() == 0.0
    clock._now = hours * 3600
    assert budgets.left_usd() == 0.5


def test_a_call_over_midnight_is_booked_to_the_day_it_left():
    """The new day begins whole."""
    clock = FakeClock(date_s=NEW_YEAR)
    budgets = Budgets(day_usd=1.0, clock=clock)
    held = budgets.reserve("m", 1.0)
    clock._now = 86_400
    budgets.reserve("m", 1.0).settle(0.25)
    held.settle(1.0)
    assert budgets.left_usd() == 0.75


def test_accounts_of_days_gone_by_are_let_go():
    """A process that runs for years does not keep them."""
    clock = FakeClock(date_s=NEW_YEAR)
    budgets = Budgets(day_usd=1.0, tenants={"*": {"day_usd": 1.0}}, clock=clock)
    for day in range(60):
        clock._now = day * 86_400.0
        for tenant in "abc":
            spend(budgets, 0.1, tenant)
    assert len(budgets.accounts.names()) == 4


def test_what_was_spent_outlives_the_process(path):
    """From the ledger, to the digit; what was only set aside is free again."""
    clock = FakeClock(date_s=NEW_YEAR)

    def start():
        keeper = Bookkeeper(path, flush_every_s=60)
        return keeper, Budgets(month_usd=10.0, clock=clock, accounts=MemoryAccounts(keeper))

    keeper, budgets = start()
    for _ in range(30):
        spend(budgets, 0.1)
    budgets.reserve("m", 5.0)
    keeper.close()
    keeper, budgets = start()
    assert budgets.left_usd() == pytest.approx(7.0, abs=1e-12)
    keeper.close()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"day_usd": -1}, "day_usd=-1"),
        ({"day_usd": math.nan}, "day_usd=nan"),
        ({"month_usd": "5"}, "month_usd='5'"),
        ({"tenants": {"acme": {"dayly_usd": 1}}}, "did you mean 'day_usd'"),
        ({"tenants": 5}, "mapping of names"),
        ({"tenants": {"acme": 5}}, "tenant 'acme'"),
        ({"day_usd": 1, "timezone": "Mars/Olympus"}, "timezone='Mars/Olympus'"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(options, complaint):
    """At once, with the accepted words."""
    with pytest.raises(ConfigurationError, match=complaint):
        Budgets(**options)


class Purse(RuleBasedStateMachine):
    """Budgets against a naive twin that keeps every call in a list."""

    def __init__(self):
        super().__init__()
        self.budgets = Budgets(day_usd=10.0, tenants={"a": {"total_usd": 3.0}})
        self.held, self.booked = [], []

    def taken(self, tenant):
        mine = [(usd, who) for _, usd, who in self.held] + self.booked
        return math.fsum(usd for usd, who in mine if tenant is None or who == tenant)

    @rule(usd=st.floats(0, 4), tenant=st.sampled_from([None, "a", "b"]))
    def reserve(self, usd, tenant):
        """Fits exactly when the twin says so, up to rounding."""
        room = min(10.0 - self.taken(None), 3.0 - self.taken("a") if tenant == "a" else math.inf)
        try:
            self.held.append((self.budgets.reserve("m", usd, tenant=tenant), usd, tenant))
            assert usd <= room + 1e-9 or usd == 0
        except BudgetExceededError:
            assert usd > room - 1e-9

    @precondition(lambda self: self.held)
    @rule(data=st.data(), share=st.floats(0, 1.5))
    def settle(self, data, share):
        """In any order, for less or more."""
        held, usd, tenant = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        held.settle(usd * share)
        self.booked.append((usd * share, tenant))

    @precondition(lambda self: self.held)
    @rule()
    def release(self):
        """As if it had never been."""
        self.held.pop()[0].release()

    @invariant()
    def as_the_twin_says(self):
        """What is left agrees."""
        assert self.budgets.left_usd() == pytest.approx(max(0.0, 10.0 - self.taken(None)), abs=1e-9)


Purse.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestPurse = Purse.TestCase


@given(st.lists(st.floats(0, 100), max_size=50))
def test_what_is_booked_is_the_exact_sum(costs):
    """Compensated, as usage is."""
    budgets = Budgets(total_usd=1e9)
    for cost in costs:
        spend(budgets, cost)
    assert budgets.snapshot()[0]["spent_usd"] == pytest.approx(math.fsum(costs), rel=1e-15, abs=1e-12)
