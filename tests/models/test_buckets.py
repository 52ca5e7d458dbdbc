"""Token buckets: never more than flowed in, there when promised, both or neither, and the provider's word counts."""

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.core.info import ModelConstraints
from orchestrator.integrations.rate_headers import Allowance
from orchestrator.models.limits.buckets import Bucket, CoupledBuckets
from orchestrator.testing import FakeClock


@given(st.floats(1, 1e6), st.lists(st.tuples(st.floats(0, 100), st.floats(0, 2e6)), max_size=50))
def test_a_bucket_never_gives_more_than_flowed_in(per_minute, steps):
    """In any span, at most one full bucket and what the time has brought."""
    bucket = Bucket(per_minute, now=0.0)
    now = taken = 0.0
    for pause_s, amount in steps:
        now += pause_s
        if bucket.take(amount, now) == 0:
            taken += min(amount, per_minute)
        assert -1e-7 * per_minute <= bucket.level(now) <= bucket.capacity == pytest.approx(per_minute)
    assert taken <= per_minute * (1 + now / 60) * (1 + 1e-7)


@given(st.floats(1, 1e6), st.floats(0, 1))
def test_a_bucket_has_what_it_promised_when_it_promised(per_minute, share):
    """After the seconds it told, the amount is there."""
    bucket = Bucket(per_minute, now=0.0)
    bucket.take(per_minute, 0.0)
    wait_s = bucket.take(per_minute * share, 0.0)
    assume(wait_s > 0)  # else it was given at once, as so small an amount is
    assert bucket.take(per_minute * share, wait_s) == 0


def test_a_limit_below_one_a_minute_lets_one_pass():
    """One every two minutes is one every two minutes, not never."""
    bucket = Bucket(0.5, now=0)
    assert [bucket.take(1, now) for now in (0, 0, 120)] == [0, 120, 0]


def test_the_burst_bounds_what_leaves_at_once():
    """With a burst of a second, a limit of 600 a minute lets ten go together."""
    bucket = Bucket(600, now=0, burst_s=1)
    assert sum(bucket.take(1, now=0) == 0 for _ in range(100)) == 10
    assert bucket.take(1, now=0) == pytest.approx(0.1)


def test_a_debt_is_paid_before_anything_leaves():
    """Who used more than was set aside waits for it, but for no more than one full bucket."""
    bucket = Bucket(60, now=0)
    bucket.take(60, now=0)
    bucket.put_back(-30, now=0)
    assert bucket.take(1, now=0) == pytest.approx(31)
    bucket.put_back(-1e9, now=0)
    assert bucket.level(now=0) == -60


def test_the_smaller_figure_holds():
    """A provider that has less left than we thought is believed; one that has more is not."""
    bucket = Bucket(600, now=0)
    bucket.correct(Allowance(600, 50, None), now=0)
    assert bucket.level(now=0) == pytest.approx(50)
    bucket.correct(Allowance(600, 500, None), now=0)
    assert bucket.level(now=0) == pytest.approx(50)


def test_a_slower_flow_is_believed_while_it_binds():
    """600 left of 1,000 and whole again in 400 s is one a second, until the provider has more than we need."""
    bucket = Bucket(6000, now=0)
    bucket.correct(Allowance(1000, 0, 1000), now=0)
    assert bucket.take(1, now=0) == pytest.approx(1)
    bucket.correct(Allowance(1000, 900, 100), now=0)
    assert bucket.take(1, now=0) == pytest.approx(0.01)


class CoupledTwin:
    """What coupled buckets promise, in exact arithmetic and in no hurry."""

    def __init__(self, requests, tokens):
        self.full = {"requests": Fraction(requests), "tokens": Fraction(tokens)}
        self.level = dict(self.full)
        self.at = Fraction(0)

    def move(self, now):
        for name, full in self.full.items():
            self.level[name] = min(full, self.level[name] + (now - self.at) * full / 60)
        self.at = now

    def take(self, amount):
        wants = {"requests": Fraction(1), "tokens": min(Fraction(amount), self.full["tokens"])}
        waits = [(wants[name] - self.level[name]) * 60 / self.full[name] for name in wants]
        if max(waits) > 0:
            return max(waits)
        for name, want in wants.items():
            self.level[name] -= want
        return 0

    def change(self, name, amount):
        self.level[name] = max(-self.full[name], min(self.full[name], self.level[name] + amount))


class CoupledMachine(RuleBasedStateMachine):
    """Any order of takes, settlements, corrections and pauses leaves twin and buckets alike."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.real = CoupledBuckets(
            ModelConstraints(max_requests_per_minute=30, max_tokens_per_minute=3000), self.clock.monotonic()
        )
        self.twin = CoupledTwin(30, 3000)
        self.reserved = []

    @rule(eighths=st.integers(0, 400))
    def time_passes(self, eighths):
        """Eighths of seconds add up exactly."""
        self.clock.jump(eighths / 8)
        self.twin.move(Fraction(self.clock.monotonic()))

    @rule(tokens=st.integers(0, 4000))
    def a_call_leaves(self, tokens):
        """Both limits are taken from, or neither is and the wait is the longer of the two."""
        real, twin = self.real.take(tokens, self.clock.monotonic()), self.twin.take(tokens)
        if 0 < twin < Fraction(1, 10**6):  # rounding may let through what is missing by a hair
            return
        assert real == pytest.approx(float(twin), abs=1e-6)
        if not twin:
            self.reserved.append(min(tokens, 3000))

    @precondition(lambda self: self.reserved)
    @rule(used=st.integers(0, 6000))
    def a_call_comes_back(self, used):
        """Its reserve becomes what it used."""
        reserved = self.reserved.pop()
        self.real.put_back(reserved - used, self.clock.monotonic())
        self.twin.change("tokens", reserved - used)

    @precondition(lambda self: self.reserved)
    @rule()
    def a_call_is_never_sent(self):
        """Everything comes back."""
        reserved = self.reserved.pop()
        self.real.put_back(reserved, self.clock.monotonic(), requests=1)
        self.twin.change("tokens", reserved)
        self.twin.change("requests", 1)

    @invariant()
    def the_levels_agree(self):
        """Up to rounding."""
        left = self.real.left(self.clock.monotonic())
        assert left == pytest.approx((float(self.twin.level["requests"]), float(self.twin.level["tokens"])), abs=1e-5)


CoupledMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestCoupledBuckets = CoupledMachine.TestCase
