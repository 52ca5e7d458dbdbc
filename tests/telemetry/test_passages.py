"""What an observer is told of a request, on a clock that stands still: whose time was whose, and who was asked."""

import asyncio
import logging

import pytest
from telemetry_stage import Watched

from orchestrator import Model, ModelCache, ModelRegistry, ServerError
from orchestrator.core.messages import Chunk, Reply
from orchestrator.core.usage import UsageStats


class Timed(Model):
    """Takes as many seconds as its plan says, then a second each, and fails where the plan holds an error."""

    def __init__(self, name, clock, *plan):
        super().__init__(id=name, provider="custom", cost={"input": 1, "output": 2})
        self.clock, self.plan = clock, list(plan)

    async def send(self, request):
        step = self.plan.pop(0) if self.plan else 1
        if isinstance(step, Exception):
            await self.clock.sleep(2)
            raise step
        await self.clock.sleep(step)
        return Reply("yes", usage=UsageStats(1, 1))

    async def open_stream(self, request):
        for piece in "abc":
            await self.clock.sleep(1)
            yield Chunk(piece)
        yield Chunk(finish_reason="stop", usage=UsageStats(1, 3))

    def setup_issue(self):
        return None


class Notes:
    """Keeps every passage that has ended."""

    def __init__(self):
        self.begun, self.ended_ones = 0, []

    def began(self, passage):
        self.begun += 1

    def ended(self, passage):
        self.ended_ones.append(passage)


@pytest.fixture
def clock(fake_clock):
    return fake_clock


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def registry(clock, notes):
    made = ModelRegistry(clock=clock, seed=0)
    made.observe(notes)
    return made


async def passed(clock, work, seconds):
    """The result of work that takes so many seconds."""
    task = asyncio.ensure_future(work)
    for _ in range(seconds):
        await clock.advance(1)
    return await task


async def test_the_time_of_the_provider_is_not_our_own(registry, clock, notes):
    """Two attempts of two and of three seconds, one after the other: nothing of the five is overhead."""
    for name, *plan in (("a", ServerError("x")), ("b", 3)):
        registry.register_model(Timed(name, clock, *plan))
    await passed(clock, registry.generate_response("hi"), 5)
    [passage] = notes.ended_ones
    assert [one.model.id for one in passage.attempts] == ["a", "b"]
    assert (passage.duration_s, passage.overhead_s) == (pytest.approx(5), pytest.approx(0))
    assert (passage.chosen, passage.candidates) == (["a", "b"], 2)


async def test_the_readers_time_is_not_ours_either(registry, clock, notes):
    """Of a stream, our own time ends with the first piece, however slowly the rest is read."""
    registry.register_model(Timed("a", clock))

    async def read():
        async for _ in registry.stream_response("hi"):
            await clock.sleep(2)

    await passed(clock, read(), 12)
    [passage] = notes.ended_ones
    assert (passage.first_s, passage.overhead_s) == (pytest.approx(1), pytest.approx(0))
    assert passage.duration_s > 8


async def test_who_joins_the_call_of_another_has_no_overhead(clock, notes):
    """Its provider's time stands in the passage that asked."""
    registry = ModelRegistry(clock=clock, seed=0, cache=ModelCache(clock=clock))
    registry.observe(notes)
    registry.register_model(Timed("a", clock))
    both = asyncio.gather(*(registry.generate_response("hi") for _ in range(2)))
    await passed(clock, both, 1)
    joined, asked = sorted(notes.ended_ones, key=lambda passage: len(passage.attempts))
    assert (joined.response.cached, joined.overhead_s, joined.attempts) == ("flight", None, [])
    assert asked.overhead_s == pytest.approx(0)


async def test_a_race_shows_both_who_ran(clock, notes):
    """A hedged call is two spans side by side; the one called off says so, and time is not counted twice."""
    registry = ModelRegistry("cost", clock=clock, seed=0)
    registry.observe(notes)
    slow, quick = (registry.register_model(Timed(name, clock)) for name in "ab")
    quick.cost = slow.cost.__class__(input=2, output=4)
    for model in (slow, quick):
        for _ in range(30):
            await passed(clock, model.generate_response("hi"), 1)
    for _ in range(20):
        registry.engine.hedges.earn()  # the share of calls that may be hedged
    slow.plan = [25]
    w = Watched(registry, None)
    await passed(clock, registry.generate_response("hi", hedge=True), 26)
    w.handle.stop()
    [request] = w.request_spans
    ends = {span.attributes["orchestrator.model"]: span.attributes.get("error.type") for span in w.attempts_of(request)}
    assert ends == {"a": "cancelled", "b": None}
    passage = notes.ended_ones[-1]
    assert (passage.overhead_s, passage.duration_s < 25) == (pytest.approx(0), True)


async def test_an_observer_that_raises_harms_nobody(registry, clock, notes, caplog):
    """The caller has the answer, the other observers are told, and the log has the fault without the prompt."""

    class Broken:
        def began(self, passage):
            raise RuntimeError("bad observer")

        ended = began

    registry.observe(Broken())
    registry.register_model(Timed("a", clock))
    with caplog.at_level(logging.ERROR):
        await passed(clock, registry.generate_response("canary prompt"), 1)
    assert (notes.begun, len(notes.ended_ones)) == (1, 1)
    assert caplog.text.count("an observer failed") == 2
    assert "canary prompt" not in caplog.text


async def test_a_request_inside_of_a_request_is_one_of_its_own(registry, clock, notes):
    """A model that asks another one: two passages, each with its own attempt."""

    class Asks(Model):
        async def generate_response(self, prompt, **kwargs):
            return (await registry["inner"].generate_response(prompt)).text

        async def health_check(self):
            return True

    registry.register_model(Timed("inner", clock))
    registry.register_model(Asks(id="outer", provider="custom"))
    await passed(clock, registry.invoke_model_async("outer", "hi"), 1)
    assert [[one.model.id for one in passage.attempts] for passage in notes.ended_ones] == [["inner"], ["outer"]]


async def test_who_leaves_is_told_no_more(registry, clock, notes):
    """And then no request is noted at all."""
    registry.register_model(Timed("a", clock))
    registry.unsubscribe(notes)
    await passed(clock, registry.generate_response("hi"), 1)
    assert notes.begun == 0
    assert not registry.service.observers
