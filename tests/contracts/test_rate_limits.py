"""One suite for everything that keeps limits by the minute: `orchestrator.models.limits.buckets.RateLimits`."""

import pytest

from orchestrator.core.info import ModelConstraints
from orchestrator.integrations.rate_headers import Allowance, Allowances
from orchestrator.models.limits.buckets import CoupledBuckets
from orchestrator.state.memory import MemoryState
from orchestrator.state.rates import SharedRates


def shared(limits, now):
    """Limits that other processes share, in a store whose time is the caller's."""
    return SharedOverTime(SharedRates(MemoryState(clock=ON_TIME)).maker("model m")(limits, now))


class OnTime:
    """The clock of the store: the moment that a caller told last."""

    now = 0.0

    def time(self):
        return self.now


ON_TIME = OnTime()


class SharedOverTime:
    """Sets the store's clock to the moment of each question."""

    def __init__(self, limits):
        self.limits = limits

    def __getattr__(self, verb):
        def ask(*arguments, **options):
            ON_TIME.now = arguments[-1]
            return getattr(self.limits, verb)(*arguments, **options)

        return ask


KINDS = {"in memory": CoupledBuckets, "shared": shared}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def limits(request):
    """Ten requests and a thousand tokens a minute, as of second 100."""
    return request.param(ModelConstraints(max_requests_per_minute=10, max_tokens_per_minute=1000), 100.0)


def test_both_are_taken_or_neither(limits):
    """When the tokens are short, no request is used up."""
    assert limits.take(800, 100.0) == 0
    assert limits.take(300, 100.0) == pytest.approx(6)
    assert limits.left(100.0) == pytest.approx((9, 200))


def test_the_longer_wait_is_told_and_holds(limits):
    """After it the same amount is there."""
    for _ in range(10):
        assert limits.take(90, 100.0) == 0
    wait_s = limits.take(150, 100.0)
    assert wait_s == pytest.approx(6)
    assert limits.take(150, 100.0 + wait_s) == 0


def test_what_was_not_used_comes_back(limits):
    """Tokens as counted, a request only where none was sent."""
    limits.take(900, 100.0)
    limits.put_back(400, 100.0)
    assert limits.left(100.0) == pytest.approx((9, 500))
    limits.put_back(500, 100.0, requests=1)
    assert limits.left(100.0) == pytest.approx((10, 1000))
    limits.put_back(9999, 100.0, requests=5)
    assert limits.left(100.0) == pytest.approx((10, 1000))


def test_what_was_used_beyond_the_reserve_is_owed(limits):
    """It delays the next."""
    limits.take(900, 100.0)
    limits.put_back(-600, 100.0)
    assert limits.take(100, 100.0) == pytest.approx(36)


def test_the_provider_is_believed_where_it_has_less(limits):
    """And only there."""
    limits.correct(Allowances(Allowance(10, 3, None), Allowance(1000, 5000, None)), 100.0)
    assert limits.left(100.0) == pytest.approx((3, 1000))
    limits.correct(Allowances(), 100.0)
    assert limits.left(100.0) == pytest.approx((3, 1000))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_limit_that_is_not_there_does_not_hold(kind):
    """Nor is anything said about it."""
    limits = kind(ModelConstraints(max_requests_per_minute=2), 0.0)
    assert [limits.take(10**9, 0.0) for _ in range(3)] == [0, 0, 30]
    assert limits.left(0.0) == (0, None)
