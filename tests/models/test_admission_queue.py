"""Waiting for capacity: in order, fair, bounded, within the deadline, and without a trace of who gave up."""

import asyncio
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.core.clock import SYSTEM_CLOCK
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.errors import (
    CapacityError,
    ConfigurationError,
    OverloadedError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
)
from orchestrator.models.admission import FREE, Admission
from orchestrator.testing import FakeClock

SOON = 1e6


def model(name="a", **constraints):
    """A model with these limits."""
    return Model(id=name, provider="custom", constraints=constraints)


class Keyed(Model):
    """A model that shares its key with others of its kind."""

    key_id = "one key"


def ask(prompt="hi", **params):
    """A request."""
    return Request.of(prompt, **params)


@pytest.fixture
def door(fake_clock):
    """An admission on the fake clock."""
    return Admission(fake_clock)


def waiting(door, *models, request=None, priority=0, ends_at=SOON):
    """A task that waits for a place."""
    return asyncio.create_task(door.wait(models, request or ask(), priority=priority, ends_at=ends_at))


async def settle():
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def answered(one, tokens=None, latency_s=1.0):
    """A success."""
    return Outcome(model_id=one.id, latency_s=latency_s, usage=UsageStats(tokens, None if tokens is None else 0))


def failed(one, error):
    """A failure."""
    return Outcome(model_id=one.id, latency_s=1.0, error=error)


def test_a_model_without_limits_has_the_common_permit(door):
    """Nothing is made, kept or counted for it."""
    assert door.admit(model(), ask()) is FREE
    assert door.snapshot() == []
    door.release(model(), FREE, answered(model()))
    assert door.snapshot() == []


async def test_a_place_given_back_wakes_the_next(door):
    """In the order they came."""
    one = model(max_concurrent_requests=1)
    permit = door.admit(one, ask())
    tasks = [waiting(door, one) for _ in range(3)]
    await settle()
    for number in range(3):
        assert [task.done() for task in tasks] == [True] * number + [False] * (3 - number)
        door.release(one, permit, answered(one))
        await settle()
        permit = tasks[number].result()[1]
    door.release(one, permit, answered(one))
    assert door.snapshot()[0].in_flight == 0


async def test_nobody_overtakes_those_who_wait(door, fake_clock):
    """A newcomer finds no place while others wait for theirs, although its small share would fit."""
    one = model(max_tokens_per_minute=100)
    door.admit(one, ask(max_tokens=80))
    task = waiting(door, one, request=ask(max_tokens=60))
    await settle()
    assert door.admit(one, ask(max_tokens=1)) is None
    await fake_clock.advance(60)
    assert task.done()
    assert door.admit(one, ask(max_tokens=1)) is not None


async def test_time_opens_the_door_one_by_one(door, fake_clock):
    """Six a minute: one every ten seconds."""
    one = model(max_requests_per_minute=6)
    while door.admit(one, ask()):
        pass
    tasks = [waiting(door, one) for _ in range(4)]
    for _ in range(4):
        done = sum(task.done() for task in tasks)
        await fake_clock.advance(9.9)
        assert sum(task.done() for task in tasks) == done
        await fake_clock.advance(0.1)
        assert sum(task.done() for task in tasks) == done + 1


async def test_the_first_free_of_several_models_takes_the_request(door):
    """It stands in both queues and leaves the other when its turn comes in one."""
    a, b = model("a", max_concurrent_requests=1), model("b", max_concurrent_requests=1)
    held = {one.id: door.admit(one, ask()) for one in (a, b)}
    first, second = waiting(door, a, b), waiting(door, a, b)
    await settle()
    door.release(b, held["b"], answered(b))
    await settle()
    assert first.done()
    assert first.result()[0] is b
    assert not second.done()
    assert [traffic.waiting for traffic in door.snapshot()] == [{"normal": 1}, {"normal": 1}]
    door.release(a, held["a"], answered(a))
    await settle()
    assert second.result()[0] is a
    assert [traffic.waiting for traffic in door.snapshot()] == [{}, {}]


async def test_a_high_priority_goes_first(door):
    """Also when it came last."""
    one = model(max_concurrent_requests=1)
    permit = door.admit(one, ask())
    normal, high = waiting(door, one), waiting(door, one, priority=1)
    await settle()
    door.release(one, permit)
    await settle()
    assert (normal.done(), high.done()) == (False, True)
    normal.cancel()


async def test_the_deadline_ends_the_wait(door, fake_clock):
    """To the moment, and the error says when to come again."""
    one = model(max_requests_per_minute=1)
    door.admit(one, ask())
    task = waiting(door, one, ends_at=30)
    await fake_clock.advance(29.9)
    assert not task.done()
    await fake_clock.advance(0.1)
    with pytest.raises(CapacityError, match="no place at 'a': none came free within the deadline") as caught:
        task.result()
    assert caught.value.retry_after_s == pytest.approx(30)
    assert door.snapshot()[0].waiting == {}


async def test_a_full_queue_sends_away_at_once(fake_clock):
    """With the time after which the queue should have moved up."""
    door, one = Admission(fake_clock, max_queue=2), model(max_concurrent_requests=1)
    permit = door.admit(one, ask())
    tasks = [waiting(door, one) for _ in range(2)]
    await settle()
    with pytest.raises(CapacityError, match="no place at 'a': the queue is full") as caught:
        await door.wait([one], ask(), ends_at=SOON)
    assert caught.value.retry_after_s == pytest.approx(3)
    door.release(one, permit)
    await settle()
    assert [task.done() for task in tasks] == [True, False]
    tasks[1].cancel()


async def test_the_one_sent_away_is_told(fake_clock):
    """A more entitled request takes the last place in the queue, and who had it gets the typed error."""
    door, one = Admission(fake_clock, max_queue=1), model(max_concurrent_requests=1)
    door.admit(one, ask())
    low, high = waiting(door, one, priority=-1), waiting(door, one, priority=1)
    await settle()
    with pytest.raises(CapacityError, match="full of requests that go first"):
        low.result()
    assert door.snapshot()[0].waiting == {"high": 1}
    high.cancel()


@pytest.mark.parametrize("places", [0, 1])
async def test_a_cancelled_waiter_leaves_no_trace(door, places):
    """Neither in the queue, nor with a place that was given to it in the same moment."""
    one = model(max_concurrent_requests=1, max_tokens_per_minute=1000)
    permit = door.admit(one, ask())
    first, second = waiting(door, one), waiting(door, one)
    await settle()
    if places:
        door.release(one, permit, answered(one, tokens=0))
    first.cancel()
    await settle()
    assert first.cancelled()
    if places:
        assert second.done()
    else:
        assert door.snapshot()[0].waiting == {"normal": 1}
        second.cancel()
        await settle()
        door.release(one, permit, answered(one, tokens=0))
    traffic = door.snapshot()[0]
    assert (traffic.in_flight, traffic.waiting) == (places, {})
    assert traffic.tokens_left == 1000 - places


async def test_the_next_in_line_looks_at_the_clock_when_the_first_gives_up(door, fake_clock):
    """Nobody sleeps through an open door because somebody else had the alarm."""
    one = model(max_requests_per_minute=1)
    door.admit(one, ask())
    first, second = waiting(door, one), waiting(door, one)
    await fake_clock.advance(30)
    first.cancel()
    await fake_clock.advance(30)
    assert second.done()


async def test_what_comes_back_may_open_the_door_before_time_does(door, fake_clock):
    """The reserve of a long answer that turned out short is there for the next."""
    one = model(max_tokens_per_minute=100)
    permit = door.admit(one, ask(max_tokens=99))
    task = waiting(door, one, request=ask(max_tokens=49))
    await fake_clock.advance(1)
    door.release(one, permit, answered(one, tokens=5))
    await settle()
    assert task.done()
    assert door.snapshot()[0].tokens_left == pytest.approx(46, abs=1)


@pytest.mark.parametrize(
    ("end", "left"),
    [
        ("answered with 30 tokens", 70),
        ("answered", 10),
        (RateLimitError(status=429), 100),
        (ServerError("cut"), 10),
        ("cancelled", 10),
        ("never sent", 100),
    ],
    ids=str,
)
def test_a_reserve_becomes_what_was_used(door, end, left):
    """What was refused or never sent costs nothing; what nobody knows counts in full."""
    one = model(max_tokens_per_minute=100)
    permit = door.admit(one, ask("hi", max_tokens=89))
    if end == "never sent":
        door.cancel(permit)
    elif end == "cancelled":
        door.release(one, permit)
    elif isinstance(end, Exception):
        door.release(one, permit, failed(one, end))
    else:
        door.release(one, permit, answered(one, tokens=30 if "30" in end else None))
    assert door.snapshot()[0].tokens_left == left


def test_the_usual_answer_is_set_aside_where_nobody_bounds_it(door):
    """After answers of 40 tokens, 40 are reserved for the next one."""
    one = model(max_tokens_per_minute=1000)
    for _ in range(3):
        permit = door.admit(one, ask())
        door.release(one, permit, Outcome(model_id="a", latency_s=1, usage=UsageStats(1, 40)))
    before = door.snapshot()[0].tokens_left
    door.admit(one, ask())
    assert before - door.snapshot()[0].tokens_left == 41


def test_what_was_learned_holds_nobody_who_has_nowhere_else_to_go(door):
    """A learned limit sends calls elsewhere; only the user's own turns them away."""
    free, own = model("a"), model("b", max_concurrent_requests=2)
    for one in (free, own):
        one.metrics.in_flight = 1
        door.release(one, door.admit(one, ask()), failed(one, RateLimitError(status=429)))
        assert door.admit(one, ask()) is not None
        assert door.admit(one, ask()) is None
        assert door.admit(one, ask(), pressing=True) is not None
    assert door.admit(free, ask(), pressing=True) is not None
    assert door.admit(own, ask(), pressing=True) is None


def test_a_limit_of_the_account_holds_for_all_its_models(fake_clock):
    """Each model's own limit holds too, and a refused call takes nothing of either."""
    door = Admission(fake_clock, limits={"Custom": {"requests_per_minute": 3}})
    a, b = (
        Keyed(id="a", provider="custom", constraints={"max_requests_per_minute": 2}),
        Keyed(id="b", provider="custom"),
    )
    elsewhere = Model(id="c", provider="other")
    assert [door.admit(one, ask()) is not None for one in (a, a, a, b, b)] == [True, True, False, True, False]
    assert door.admit(elsewhere, ask()) is FREE
    assert [traffic.requests_left for traffic in door.snapshot()] == [0, 0]


async def test_an_account_serves_the_queues_of_its_models_in_turn(fake_clock):
    """A place that one model gives back may serve another, and none of the queues has to wait for all of another."""
    door = Admission(fake_clock, limits={"custom": {"max_concurrent_requests": 1}})
    a, b = Keyed(id="a", provider="custom"), Keyed(id="b", provider="custom")
    held = (a, door.admit(a, ask()))
    tasks = [waiting(door, one) for one in (a, a, b, b)]
    await settle()
    order = []
    for _ in range(4):
        door.release(*held, answered(held[0]))
        await settle()
        held = next(task.result() for task in tasks if task.done() and task not in order)
        order += [task for task in tasks if task.done() and task not in order]
    assert [tasks.index(task) for task in order] == [0, 2, 1, 3]


async def test_a_model_that_leaves_sends_its_queue_away(door):
    """Who waits for another model too goes on waiting there."""
    a, b = model("a", max_concurrent_requests=1), model("b", max_concurrent_requests=1)
    for one in (a, b):
        door.admit(one, ask())
    alone, both = waiting(door, a), waiting(door, a, b)
    await settle()
    door.forget("a")
    await settle()
    with pytest.raises(CapacityError, match="'a' has left the registry"):
        alone.result()
    assert not both.done()
    both.cancel()


def test_limits_may_be_changed_while_calls_are_under_way(door):
    """Fewer at once holds from now on, more opens the door."""
    one = model(max_concurrent_requests=2)
    permits = [door.admit(one, ask()) for _ in range(2)]
    one.info.constraints.max_concurrent_requests = 3
    permits.append(door.admit(one, ask()))
    assert None not in permits
    one.info.constraints.max_concurrent_requests = 1
    for permit in permits:
        assert door.admit(one, ask()) is None
        door.release(one, permit, answered(one))
    assert door.admit(one, ask()) is not None


@pytest.mark.parametrize("error", [RateLimitError(status=429), OverloadedError(status=529)], ids=["429", "529"])
def test_a_model_without_limits_gets_one_when_it_asks_for_less(door, error):
    """Ten calls at once were too many, seven may be right; it opens again as it answers."""
    one = model()
    one.metrics.in_flight = 10
    door.release(one, door.admit(one, ask()), failed(one, error))
    assert door.snapshot()[0].limit == 7
    for _ in range(40):
        permits = [permit for _ in range(12) if (permit := door.admit(one, ask()))]
        for permit in permits:
            door.release(one, permit, answered(one))
    assert len(permits) == 12


def test_long_answers_that_are_given_too_little_time_ask_for_nothing(door):
    """Twenty seconds are usual, twenty-five were too few: that is no crowd."""
    one = model(max_concurrent_requests=4)
    for _ in range(40):
        long = Outcome(model_id="a", latency_s=20.0, usage=UsageStats(10, 1000))
        door.release(one, door.admit(one, ask()), long)
        one.metrics.record(long)
    late = Outcome(model_id="a", latency_s=25.0, error=ProviderTimeoutError("x"))
    for _ in range(40):
        door.release(one, door.admit(one, ask()), late)
    assert door.snapshot()[0].limit == 4


def test_the_limit_never_shrinks_to_nothing(door):
    """Whatever a model refuses, one call at a time stays allowed."""
    one = model(max_concurrent_requests=4)
    for _ in range(50):
        door.release(one, door.admit(one, ask()), failed(one, RateLimitError(status=429)))
    assert door.snapshot()[0].limit == 1


def test_a_model_that_grows_slow_gets_fewer_calls_at_once(door):
    """Answers that take four times the usual time while the limit is in use are a wish for less."""
    one = model(max_concurrent_requests=8)
    for round_ in range(20):
        permits = [permit for _ in range(8) if (permit := door.admit(one, ask()))]
        for permit in permits:
            door.release(one, permit, answered(one, latency_s=0.5 if round_ < 15 else 2.0))
    assert door.snapshot()[0].limit < 8
    longer = Outcome(model_id="a", latency_s=40.0, usage=UsageStats(1, 4000))
    other = model("b", max_concurrent_requests=8)
    for round_ in range(20):
        permits = [door.admit(other, ask()) for _ in range(8)]
        for permit in permits:
            door.release(other, permit, answered(other, latency_s=0.5) if round_ < 15 else longer)
    assert door.snapshot()[1].limit == 8, "long answers are not slow ones"


@pytest.mark.parametrize("max_queue", [-1, 1.5, True])
def test_a_queue_has_a_bound(fake_clock, max_queue):
    """A whole number; 0 lets nobody wait."""
    with pytest.raises(ConfigurationError, match="give a whole number from 0 up"):
        Admission(fake_clock, max_queue=max_queue)


def test_a_place_given_back_in_another_thread_wakes_who_waits():
    """Whatever loop or thread a call ends in."""
    one, door = model(max_concurrent_requests=1), Admission(SYSTEM_CLOCK)
    permit = door.admit(one, ask())

    async def wait():
        task = asyncio.create_task(door.wait([one], ask(), ends_at=SYSTEM_CLOCK.monotonic() + 30))
        await asyncio.sleep(0)  # until it stands in the queue
        await asyncio.to_thread(door.release, one, permit, answered(one))
        return await task

    assert asyncio.run(wait())[0] is one


async def test_a_flood_is_bounded_shed_and_fair(fake_clock):
    """Ten thousand prompts on two slow models: 200 wait, the rest is told when to come, and the small tenant lives."""
    door = Admission(fake_clock, max_queue=200)
    models = [model(name, max_concurrent_requests=5) for name in "ab"]
    done, shed = Counter(), Counter()

    async def call(tenant, number):
        request = ask(f"prompt {number}", tenant=tenant)
        try:
            one, permit = await door.wait(models, request, ends_at=fake_clock.monotonic() + 120)
        except CapacityError as error:
            shed[tenant] += error.retry_after_s > 0
            return
        await fake_clock.sleep(10)
        door.release(one, permit, answered(one, latency_s=10.0))
        done[tenant] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(9_900):
            group.create_task(call("flood", number))
        await asyncio.sleep(0)
        for number in range(100):
            group.create_task(call("small", number))
        await settle()
        assert [sum(traffic.waiting.values()) for traffic in door.snapshot()] == [200, 200]
        await fake_clock.advance(200)
    assert done.total() + shed.total() == 10_000
    assert done.total() == 120, "twelve rounds of ten, until the deadline"
    assert done["small"] == pytest.approx(55, abs=1), "half of all places since it came"
    traffic = door.snapshot()
    assert [(one.in_flight, one.waiting) for one in traffic] == [(0, {}), (0, {})]


class DoorMachine(RuleBasedStateMachine):
    """Whatever comes, waits, gives up and goes: never too many inside, and nobody outside while there is a place."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.door = Admission(self.clock, max_queue=5)
        self.models = [model(name, max_concurrent_requests=2, max_requests_per_minute=30) for name in "ab"]
        self.inside, self.outside = [], []

    def teardown(self):
        """Cancel who still waits; then nothing is left."""
        for task in self.outside:
            task.cancel()
        self.run(0)
        for one, permit in self.inside:
            self.door.release(one, permit)
        assert all(traffic.in_flight == 0 and not traffic.waiting for traffic in self.door.snapshot())
        self.loop.close()

    def run(self, seconds):
        """Let time pass and note who got in."""
        self.loop.run_until_complete(self.clock.advance(seconds))
        for task in [task for task in self.outside if task.done()]:
            self.outside.remove(task)
            if not task.cancelled() and task.exception() is None:
                self.inside.append(task.result())

    @rule(which=st.sampled_from([(0,), (1,), (0, 1)]), tenant=st.sampled_from("xy"), priority=st.integers(-1, 1))
    def someone_comes(self, which, tenant, priority):
        """And waits for one of these models."""
        wanted = [self.models[number] for number in which]
        waiting = self.door.wait(wanted, ask(tenant=tenant), priority=priority, ends_at=self.clock.monotonic() + 20)
        self.outside.append(self.loop.create_task(waiting))
        self.run(0)

    @precondition(lambda self: self.inside)
    @rule(error=st.sampled_from([None, RateLimitError(status=429)]), sent=st.booleans())
    def someone_is_done(self, error, sent):
        """Served, refused, or never sent."""
        one, permit = self.inside.pop(0)
        outcome = answered(one) if error is None else failed(one, error)
        if sent:
            self.door.release(one, permit, outcome)
        else:
            self.door.cancel(permit)
        self.run(0)

    @precondition(lambda self: self.outside)
    @rule(data=st.data())
    def someone_gives_up(self, data):
        """From anywhere."""
        data.draw(st.sampled_from(self.outside)).cancel()
        self.run(0)

    @rule(seconds=st.integers(1, 10))
    def time_passes(self, seconds):
        """Limits by the minute flow back, deadlines come."""
        self.run(seconds)

    @invariant()
    def the_door_keeps_its_promises(self):
        """Counts are right, bounds hold, and a door with places has nobody in front of it."""
        for one, traffic in zip(self.models, self.door.snapshot(), strict=False):
            assert traffic.model_id in "ab"
            assert traffic.in_flight <= 2
            assert sum(traffic.waiting.values()) <= 5
            if traffic.waiting:
                assert traffic.in_flight >= traffic.limit or traffic.requests_left < 1, one
        inside = Counter(one.id for one, _ in self.inside)
        assert {traffic.model_id: traffic.in_flight for traffic in self.door.snapshot()}.items() >= inside.items()


DoorMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestDoor = DoorMachine.TestCase
