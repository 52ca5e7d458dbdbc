"""How many calls at once a model bears is learnt from many calls, not from one that was unlucky."""

import heapq
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.metrics import ModelMetrics
from orchestrator.core.outcome import Outcome
from orchestrator.errors import OverloadedError, ProviderTimeoutError, RateLimitError, ServerError
from orchestrator.models.limits.concurrency import AdaptiveLimit, asks_for_less

ANSWER_S, REFUSAL_S = 0.5, 0.05


class Provider:
    """Answers in half a second; refuses who comes when it is full, and now and then somebody by chance."""

    def __init__(self, limit, *, bears=math.inf, chance=0.0, seed=0):
        self.limit, self.bears, self.chance, self.random = limit, bears, chance, Random(seed)
        self.inside = self.answered = self.refused = 0
        self.now, self.ends = 0.0, []

    def serve(self, seconds, callers):
        """So many callers, each back at once, as far as the limit lets them; returns the mean of the limit."""
        ends_at, number, area, flying = self.now + seconds, 0, 0.0, len(self.ends)
        while self.now < ends_at:
            while flying < min(callers, int(self.limit.allowed)):
                refused = self.inside >= self.bears or self.random.random() < self.chance
                self.inside += not refused
                after_s = REFUSAL_S if refused else ANSWER_S * self.random.uniform(0.6, 1.4)
                flying, number = flying + 1, number + 1
                heapq.heappush(self.ends, (self.now + after_s, number, refused, self.limit.epoch, after_s))
            at, _, refused, epoch, took_s = heapq.heappop(self.ends)
            area += (at - self.now) * min(callers, self.limit.allowed)
            self.now = at
            if refused:
                self.refused += 1
                self.limit.refused(flying, epoch)
            else:
                self.inside, self.answered = self.inside - 1, self.answered + 1
                self.limit.served(flying, epoch, took_s)
            flying -= 1
        return area / seconds


@pytest.mark.parametrize("seed", range(3))
def test_three_refusals_in_a_hundred_strangle_nobody(seed):
    """Forty callers keep nearly all of their room, for minutes, though a model refuses by chance."""
    limit = AdaptiveLimit()
    limit.refused(in_flight=20, epoch=0)  # what it takes for an unlimited model to have a limit at all
    assert limit.allowed == 14
    assert Provider(limit, chance=0.03, seed=seed).serve(300, callers=40) > 30


@pytest.mark.parametrize("bears", [5, 10, 30])
def test_a_true_bound_is_found_and_kept_to(bears):
    """Nearly all that the model bears is used, and few calls are refused beyond the tolerated tenth."""
    provider = Provider(AdaptiveLimit(), bears=bears)
    provider.limit.refused(in_flight=100, epoch=0)
    provider.serve(30, callers=100)
    provider.answered = provider.refused = 0
    mean = provider.serve(300, callers=100)
    assert 0.7 * bears <= mean <= 1.2 * bears
    assert provider.refused <= 0.12 * provider.answered


def test_room_comes_back_quickly_once_nothing_is_refused():
    """From one call at once to forty within fifteen rounds, where one a round would take forty."""
    provider = Provider(AdaptiveLimit())
    for epoch in range(40):
        provider.limit.refused(in_flight=1, epoch=epoch)
    assert provider.limit.allowed == 1
    provider.serve(40, callers=40)
    provider.limit.allowed = 1.0
    provider.serve(15 * ANSWER_S, callers=40)
    assert provider.limit.allowed >= 40


def test_who_has_said_when_to_come_again_is_asked_by_one_call_first():
    """It is refused: fewer for all, and one again; it is answered: the others may follow."""
    limit = AdaptiveLimit()
    limit.refused(in_flight=10, epoch=0)
    limit.ajar()
    assert limit.allowed == 1
    limit.served(in_flight=9, epoch=0, pace_s=0.5)
    assert limit.allowed == 1, "one that left before says nothing of what it is like now"
    limit.refused(in_flight=1, epoch=limit.epoch)
    limit.ajar()
    assert limit.allowed == 1
    limit.served(in_flight=1, epoch=limit.epoch, pace_s=0.5)
    assert limit.allowed == pytest.approx(10 * 0.7 * 0.7)


@pytest.mark.parametrize(
    ("error", "latency_s", "usual_s", "asks"),
    [
        (RateLimitError("x"), 0.1, None, True),
        (OverloadedError("x"), 0.1, 1.0, True),
        (ProviderTimeoutError("x"), 1.5, 1.0, False),
        (ProviderTimeoutError("x"), 1.5, None, False),
        (ProviderTimeoutError("x"), 2.5, 1.0, True),
        (ServerError("x"), 9.0, 1.0, False),
    ],
    ids=["429", "overloaded", "little time", "nothing known", "far more than usual", "broken"],
)
def test_what_asks_for_less(error, latency_s, usual_s, asks):
    """A time-out does when the model had twice the time it usually takes; less is the caller's impatience."""
    metrics = ModelMetrics()
    if usual_s is not None:
        metrics.record(Outcome(model_id="a", latency_s=usual_s))
    assert asks_for_less(Outcome(model_id="a", latency_s=latency_s, error=error), metrics) is asks


@pytest.mark.parametrize(("ttft_s", "asks"), [(None, True), (0.3, False)], ids=["silent", "cut short"])
def test_a_stream_asks_for_less_by_its_silence(ttft_s, asks):
    """Ten seconds without a word where half of one is usual; one that speaks has as long as whole answers take."""
    metrics = ModelMetrics()
    metrics.record(Outcome(model_id="a", latency_s=20.0, ttft_s=0.5, streamed=True))
    late = Outcome(model_id="a", latency_s=10.0, error=ProviderTimeoutError("x"), ttft_s=ttft_s, streamed=True)
    assert asks_for_less(late, metrics) is asks


@given(
    most=st.one_of(st.just(math.inf), st.integers(1, 50)),
    events=st.lists(
        st.tuples(st.sampled_from(["served", "refused", "ajar", "taken"]), st.integers(1, 60), st.booleans()),
        max_size=200,
    ),
)
def test_whatever_happens_one_call_is_allowed_and_never_more_than_the_users_bound(most, events):
    """Between 1 and `most`, and a number."""
    limit = AdaptiveLimit(most)
    for event, in_flight, late in events:
        epoch = limit.epoch - late
        if event == "served":
            limit.served(in_flight, epoch, 0.5)
        elif event == "refused":
            limit.refused(in_flight, epoch)
        elif event == "taken":
            limit.taken(epoch)
        else:
            limit.ajar()
        assert 1 <= limit.allowed <= most
