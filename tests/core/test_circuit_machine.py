"""The circuit against a twin that remembers everything and works each answer out anew."""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.core.circuit import Circuit, Rules, Sentence
from orchestrator.testing import FakeClock

RULES = Rules(failure_threshold=3, recovery_threshold=2, min_calls=4, window_s=30, ramp_s=30, slow_call_s=20)
GONE = Sentence(at_once=True, first_s=300, most_s=3600)


class Even(random.Random):
    """Jitter in the middle of its range."""

    def uniform(self, a, b):
        return (a + b) / 2


class Twin:
    """A list of what happened and plain sums over it; only the state has a memory of its own."""

    def __init__(self):
        self.state, self.before, self.until, self.opened = "unknown", "unknown", 0.0, None
        self.started, self.failed = [], []  # since the slate was wiped
        self.row = []  # True for an answer, False for a failure
        self.flying = []
        self.relapses, self.pauses, self.well_since, self.earned = 0, 0, None, 0
        self.broken = False  # was it on trial for failures since it was healthy, or for a limit alone?

    def step(self, moment):
        return int(moment // (RULES.window_s / 10))

    def share_is_bad(self, now, overdue=0):
        recent = [t for t in self.started if self.step(t) > self.step(now) - 10]
        failed = [t for t in self.failed if self.step(t) > self.step(now) - 10]
        calls = max(len(recent), len(failed))
        return calls >= RULES.min_calls and len(failed) + overdue >= calls / 2

    def failures_in_a_row(self):
        return next((n for n, fine in enumerate(reversed(self.row)) if fine), len(self.row))

    def enough(self, now, overdue=0):
        return self.failures_in_a_row() + overdue >= 3 or self.share_is_bad(now, overdue)

    def go(self, state):
        if state != self.state:
            self.before, self.state = self.state, state

    def open(self, now, first_s=5.0, most_s=300.0):
        if self.state == "unhealthy" and self.until > now:
            self.earned = 0
            return
        if self.well_since is not None:
            self.relapses = max(0, self.relapses - int((now - self.well_since) // 60))
        self.until = max(self.until, now + min(first_s * 2**self.relapses, most_s))
        self.relapses = min(self.relapses + 1, 30)
        self.opened, self.earned, self.well_since = now, 0, None
        self.go("unhealthy")

    def fail(self, now, began, *, at_once=False):
        self.failed.append(now)
        if self.state in ("unhealthy", "recovering") and self.opened is not None and began < self.opened:
            return
        self.row.append(False)
        if at_once:
            self.open(now, 300.0, 3600.0)
        elif self.state == "recovering" or self.enough(now):
            self.open(now)

    def answer(self, now, began):
        self.row.append(True)
        late = self.opened is not None and began < self.opened
        if self.state in ("recovering", "unhealthy") and not late:
            self.earned += 1
        if self.state == "unknown" or (self.state in ("recovering", "unhealthy") and self.earned >= 2 and not late):
            self.ramping, self.broken = self.broken or self.state == "unhealthy", False
            self.well_since, self.opened, self.until, self.pauses = now, None, 0.0, 0
            if self.ramping:
                self.started, self.failed = [], []
            self.go("healthy")

    def limit(self, now, told_s):
        if told_s is None and now < self.until:
            return
        if told_s is None:
            told_s, self.pauses = min(2.0**self.pauses, 60.0), self.pauses + 1
        self.until = max(self.until, now + min(told_s, 3600.0))
        if self.state != "unhealthy":
            self.go("limited")

    def excuse(self, since):
        self.row, self.started, self.failed = [], [], []
        if self.state == "unhealthy" and self.opened >= since:
            self.relapses = max(0, self.relapses - 1)
            self.state, self.until, self.opened = self.before, 0.0, None

    def lets_in(self, now):
        if self.state not in ("unhealthy", "limited"):
            return True
        if now < self.until:
            return False
        self.broken = self.broken or self.state == "unhealthy"
        self.earned, self.flying = 0, []
        self.go("recovering")
        return True

    def room(self, now):
        if self.state == "recovering":
            return self.earned + 1
        if self.state != "healthy" or self.well_since is None or not self.ramping or now - self.well_since >= 30:
            return float("inf")
        return 1 + int(2 ** ((now - self.well_since) / 3))

    def hangs(self, now):
        overdue = sum(now - began > 20 for began in self.flying)
        if not overdue or self.state in ("unhealthy", "limited"):
            return False
        if self.state != "recovering" and not self.enough(now, overdue):
            return False
        self.open(now)
        return True


class CircuitMachine(RuleBasedStateMachine):
    """Both hear the same; both must say the same."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.circuit, self.twin = Circuit(RULES, Even()), Twin()

    @property
    def now(self):
        return self.clock.monotonic()

    def end(self):
        """The oldest call is over; returns when it began."""
        began = self.twin.flying.pop(0) if self.twin.flying else self.now
        self.circuit.end()
        return began

    @rule(seconds=st.sampled_from([0.5, 1, 3, 5, 7, 21, 31, 61, 301]))
    def wait(self, seconds):
        self.clock.jump(seconds)

    @rule(number=st.integers(1, 4))
    def begin(self, number):
        for _ in range(number):
            self.circuit.begin(self.now)
            self.twin.flying.append(self.now)
            self.twin.started.append(self.now)

    @rule()
    def answer(self):
        began = self.end()
        self.circuit.succeeded(self.now, began=began)
        self.twin.answer(self.now, began)

    @rule(number=st.integers(1, 3))
    def fail(self, number):
        for _ in range(number):
            began = self.end()
            self.circuit.failed(self.now, began=began, reason="server")
            self.twin.fail(self.now, began)

    @rule()
    def vanish(self):
        began = self.end()
        self.circuit.failed(self.now, began=began, reason="not_found", sentence=GONE)
        self.twin.fail(self.now, began, at_once=True)

    @rule(told_s=st.sampled_from([None, 2.0, 42.0, 1e9]))
    def limit(self, told_s):
        self.end()
        self.circuit.limited(self.now, reason="rate_limit", told_s=told_s)
        self.twin.limit(self.now, told_s)

    @rule(seconds=st.sampled_from([0, 2, 30]))
    def excuse(self, seconds):
        self.circuit.excuse(self.now - seconds)
        self.twin.excuse(self.now - seconds)

    @rule()
    def ask(self):
        assert self.circuit.lets_in(self.now) == self.twin.lets_in(self.now)

    @rule()
    def look_for_hanging_calls(self):
        assert self.circuit.hangs(self.now) == self.twin.hangs(self.now)

    @precondition(lambda self: self.twin.state == "unhealthy")
    @rule()
    def come_back(self):
        self.clock.jump(max(0.0, self.twin.until - self.now))
        self.ask()

    @invariant()
    def they_agree(self):
        assert self.circuit.status == self.twin.state
        assert abs(self.circuit.out_until - self.twin.until) < 1e-6
        assert self.circuit.failures == self.twin.failures_in_a_row()
        assert list(self.circuit.in_flight) == self.twin.flying
        assert self.circuit.is_full(self.now) == (len(self.twin.flying) >= self.twin.room(self.now))

    @invariant()
    def nobody_is_out_for_more_than_an_hour(self):
        assert self.circuit.out_until - self.now <= 3600 + 1e-6


TestCircuit = CircuitMachine.TestCase
TestCircuit.settings = settings(max_examples=125, stateful_step_count=80, deadline=None)
