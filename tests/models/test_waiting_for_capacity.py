"""Limits on the road of a request: who waits, who is told when to come, and what the provider says about it."""

import asyncio

import pytest

from orchestrator.core.clock import SYSTEM_CLOCK
from orchestrator.errors import CapacityError, OverloadedError, RateLimitError, ServerError
from orchestrator.integrations.openai_model import OpenAIModel
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import EmulatedModel, Emulator


async def turns(number=20):
    """Let everything run that can."""
    for _ in range(number):
        await asyncio.sleep(0)


def traffic(registry):
    """In flight and waiting, by model."""
    return {one.model_id: (one.in_flight, sum(one.waiting.values())) for one in registry.admission.snapshot()}


@pytest.mark.parametrize("door", ["registry", "model"])
async def test_a_request_may_wait_for_a_place(registry, scripted, door):
    """Where all fitting models are at their limits it waits, if the caller says so, and is answered in its turn."""
    gate = asyncio.Event()
    model = registry.register_model(scripted("a", [gate.wait], constraints={"max_concurrent_requests": 1}))
    ask = registry.generate_response if door == "registry" else model.generate_response
    first = asyncio.create_task(ask("hi"))
    await turns()
    second = asyncio.create_task(ask("hi", wait_for_capacity=True))
    await turns()
    with pytest.raises(CapacityError):
        await ask("hi")
    assert traffic(registry) == {"a": (1, 1)}
    gate.set()
    assert [(await call).model_id for call in (first, second)] == ["a", "a"]
    assert traffic(registry) == {"a": (0, 0)}


async def test_a_registry_may_have_all_requests_wait(fake_clock, scripted):
    """And a call may say that it does not."""
    registry = ModelRegistry(clock=fake_clock, wait_for_capacity=True)
    model = registry.register_model(scripted("a", constraints={"max_requests_per_minute": 1}))
    await model.generate_response("hi")
    with pytest.raises(CapacityError):
        await model.generate_response("hi", wait_for_capacity=False)
    call = asyncio.create_task(model.generate_response("hi"))
    await fake_clock.advance(60)
    assert (await call).text == "a says hello"


async def test_the_wait_ends_with_the_deadline(registry, scripted):
    """Also where the place would come later, and nobody was asked in vain."""
    model = registry.register_model(scripted("a", constraints={"max_requests_per_minute": 1}))
    await model.generate_response("hi")
    call = asyncio.create_task(model.generate_response("hi", wait_for_capacity=True, deadline_s=10))
    await registry.clock.advance(10)
    with pytest.raises(CapacityError, match="no place at 'a': none came free within the deadline") as caught:
        await call
    assert caught.value.retry_after_s == pytest.approx(50)
    assert model.asked == 1


async def test_priorities_are_served_in_their_order(registry, scripted):
    """By name or number; the options of the engine reach no provider."""
    order = []

    class Noting(scripted):
        async def generate_response(self, prompt, **kwargs):
            order.append((prompt, kwargs))
            return "ok"

    model = registry.register_model(Noting("a", constraints={"max_requests_per_minute": 60, "burst_s": 1}))
    await model.generate_response("first")
    calls = [
        asyncio.create_task(registry.generate_response(str(priority), wait_for_capacity=True, priority=priority))
        for priority in ("low", "normal", 5, "high")
    ]
    await registry.clock.advance(4)
    await asyncio.gather(*calls)
    assert order == [("first", {}), ("5", {}), ("high", {}), ("normal", {}), ("low", {})]


async def test_tenants_share_a_queue(registry, scripted):
    """After twenty of one tenant, the first of another is next but one."""
    model = registry.register_model(scripted("a", constraints={"max_requests_per_minute": 60, "burst_s": 1}))
    await model.generate_response("hi")
    calls = [
        asyncio.create_task(model.generate_response("hi", wait_for_capacity=True, tenant="flood")) for _ in range(20)
    ]
    await turns()
    small = asyncio.create_task(model.generate_response("hi", wait_for_capacity=True, tenant="small"))
    await registry.clock.advance(2)
    assert small.done()
    assert sum(call.done() for call in calls) == 1
    await registry.clock.advance(20)
    await asyncio.gather(*calls)


@pytest.mark.parametrize("phase", ["queued", "admitted", "in flight"])
async def test_a_cancelled_call_leaves_nothing_behind(registry, scripted, phase):
    """Whenever it is cancelled, its place is free again and nobody waits for it."""
    gate = asyncio.Event()
    model = registry.register_model(scripted("a", [gate.wait] * 9, constraints={"max_concurrent_requests": 1}))
    first = asyncio.create_task(model.generate_response("hi"))
    await turns()
    second = asyncio.create_task(model.generate_response("hi", wait_for_capacity=True))
    await turns()
    if phase != "queued":
        gate.set()
        await (turns() if phase == "in flight" else first)
    if phase == "in flight":
        gate.clear()
        second = asyncio.create_task(model.generate_response("hi"))
        await turns()
    second.cancel()
    await asyncio.gather(first if gate.is_set() else turns(), second, return_exceptions=True)
    gate.set()
    await asyncio.gather(first, return_exceptions=True)
    assert traffic(registry) == {"a": (0, 0)}
    assert model.metrics.in_flight == 0


async def test_nobody_holds_a_place_through_a_pause(registry, scripted):
    """A call that waits before it tries again lets others pass meanwhile."""
    limits = {"max_concurrent_requests": 1}
    model = registry.register_model(scripted("a", [RateLimitError("slow", retry_after_s=10)], constraints=limits))
    call = asyncio.create_task(model.generate_response("hi"))
    await turns()
    assert traffic(registry) == {"a": (0, 0)}
    assert (await model.generate_response("hi")).text == "a says hello"
    await registry.clock.advance(10)
    assert len((await call).attempts) == 2


async def test_streams_and_embeddings_keep_the_limits_too(registry, streaming):
    """A stream holds its place until it is over."""
    model = registry.register_model(streaming("a", constraints={"max_concurrent_requests": 1}))
    pieces = model.stream_response("hi")
    await anext(pieces)
    assert traffic(registry) == {"a": (1, 0)}
    waiting = model.stream_response("hi", wait_for_capacity=True)
    second = asyncio.create_task(anext(waiting))
    with pytest.raises(CapacityError):
        await model.embed(["hi"])
    await pieces.aclose()
    assert (await second).text == "a "
    await waiting.aclose()
    assert traffic(registry) == {"a": (0, 0)}


async def test_a_model_that_refuses_gets_fewer_calls_at_once_and_others_more(registry, scripted):
    """Eight at once were too many for a: one call goes first, and once it is answered five may go, the rest to b."""
    gate = asyncio.Event()

    async def refuse():
        await gate.wait()
        raise RateLimitError("too many", retry_after_s=0.1)

    a = registry.register_model(scripted("a", [refuse] * 8))
    calls = [asyncio.create_task(a.generate_response("hi", max_attempts=1)) for _ in range(8)]
    await turns()
    gate.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in found} == {RateLimitError}
    assert registry.admission.snapshot()[0].limit == 1
    await registry.clock.advance(1)
    registry.register_model(scripted("b"))
    assert (await a.generate_response("hi")).text
    assert registry.admission.snapshot()[0].limit == 5


async def test_who_does_not_wait_is_turned_away_by_the_users_limits_alone(registry, scripted):
    """At a limit that was learnt it stands in the queue behind those who wait, and overtakes nobody."""
    gate = asyncio.Event()
    model = registry.register_model(scripted("a", [OverloadedError("full"), gate.wait]))
    with pytest.raises(OverloadedError):
        await model.generate_response("hi", max_attempts=1)
    first = asyncio.create_task(model.generate_response("hi"))
    await turns()
    waits = asyncio.create_task(model.generate_response("hi", wait_for_capacity=True))
    await turns()
    assert traffic(registry) == {"a": (1, 1)}
    does_not = asyncio.create_task(model.generate_response("hi"))
    await turns()
    assert traffic(registry) == {"a": (1, 2)}
    gate.set()
    assert [(await call).model_id for call in (first, waits, does_not)] == ["a"] * 3
    assert traffic(registry) == {"a": (0, 0)}


@pytest.mark.parametrize("patient", [False, True], ids=["does not wait", "waits"])
async def test_who_has_too_little_time_is_told_so_at_once(registry, scripted, patient):
    """Others wait for a model that wants to be asked in ten minutes: who has one does not spend it in their queue."""
    model = registry.register_model(scripted("a", [RateLimitError("slow down", retry_after_s=600)]))
    with pytest.raises(RateLimitError):
        await model.generate_response("hi", max_attempts=1)
    waits = asyncio.create_task(model.generate_response("hi", wait_for_capacity=True, deadline_s=1000))
    await turns()
    with pytest.raises(CapacityError) as caught:
        await model.generate_response("hi", deadline_s=60, wait_for_capacity=patient)
    assert caught.value.retry_after_s == 600
    await registry.clock.advance(600)
    assert (await waits).text == "a says hello"


async def test_those_who_wait_leave_when_the_moment_moves_too_far(registry, scripted):
    """One call goes ahead after two seconds and hears of ten minutes: none of the others spends its minute in vain."""
    refusals = [RateLimitError("slow down", retry_after_s=after_s) for after_s in (2, 600)]
    model = registry.register_model(scripted("a", refusals))
    with pytest.raises(RateLimitError):
        await model.generate_response("hi", max_attempts=1)
    options = {"wait_for_capacity": True, "deadline_s": 60, "max_attempts": 1}
    calls = [asyncio.create_task(model.generate_response("hi", **options)) for _ in range(4)]
    await turns()
    await registry.clock.advance(2)
    await turns()
    assert [call.done() and type(call.exception()) for call in calls] == [RateLimitError] + [CapacityError] * 3
    assert traffic(registry) == {"a": (0, 0)}


async def test_who_was_told_to_come_again_does_not_wait_when_that_moment_moves_too_far(registry, scripted):
    """It sleeps two seconds, as it was told; meanwhile another one hears of ten minutes."""
    refusals = [RateLimitError("slow down", retry_after_s=after_s) for after_s in (2, 600)]
    model = registry.register_model(scripted("a", refusals))
    call = asyncio.create_task(model.generate_response("hi", deadline_s=60))
    await turns()
    with pytest.raises(RateLimitError):
        await model.generate_response("hi", max_attempts=1)
    await registry.clock.advance(2)
    assert call.done()
    with pytest.raises(RateLimitError):
        await call


async def test_a_stream_on_trial_lets_the_others_in_with_its_first_word(registry, streaming):
    """Not with its last, which may be minutes away."""
    refused, over = asyncio.Event(), asyncio.Event()
    refusal = [refused.wait, RateLimitError("slow down", retry_after_s=1)]
    model = registry.register_model(streaming("a", [refusal] * 3 + [["hi", over.wait]] * 3))
    streams = [model.stream_response("hi") for _ in range(3)]
    first = [asyncio.create_task(anext(stream)) for stream in streams]
    await turns()
    refused.set()
    await turns()
    await registry.clock.advance(1)
    assert registry.admission.snapshot()[0].limit == 2
    assert [task.done() for task in first] == [True, True, False]
    over.set()
    await anext(streams[0])
    assert (await first[2]).text == "hi"
    for stream in streams:
        await stream.aclose()


async def test_who_had_to_wait_fails_over_like_everybody(registry, scripted):
    """That all were full when it came is no reason not to ask the other when the first fails."""
    gates = {name: asyncio.Event() for name in "ab"}
    for name, gate in gates.items():
        steps = [gate.wait, ServerError("x")] if name == "a" else [gate.wait]
        registry.register_model(scripted(name, steps, constraints={"max_concurrent_requests": 1}))
    inside = [asyncio.create_task(registry[name].generate_response("hi")) for name in "ab"]
    await turns()
    waits = asyncio.create_task(registry.generate_response("hi", wait_for_capacity=True))
    await turns()
    assert traffic(registry) == {"a": (1, 1), "b": (1, 1)}
    for gate in gates.values():
        gate.set()
        await turns()
    response = await waits
    assert [attempt.error_type for attempt in response.attempts] == ["server", None]
    assert response.model_id == "b"
    await asyncio.gather(*inside)


@pytest.mark.parametrize("number", [1, 2], ids=["the only model", "both models"])
async def test_who_waits_lets_a_rate_limit_pass(registry, scripted, number):
    """When all that fit have asked to be left alone, the request is sent when the first wants to be asked again."""
    models = [
        registry.register_model(scripted(name, [RateLimitError("slow down", retry_after_s=after_s)]))
        for name, after_s in [("a", 20), ("b", 30)][:number]
    ]
    for model in models:
        with pytest.raises(RateLimitError):
            await model.generate_response("hi", max_attempts=1)
    call = asyncio.create_task(registry.generate_response("hi", wait_for_capacity=True))
    await registry.clock.advance(19.9)
    assert not call.done()
    assert [model.asked for model in models] == [1] * number
    await registry.clock.advance(0.1)
    assert (await call).model_id == "a"


@pytest.mark.parametrize(
    "options",
    [{"priority": "urgent"}, {"priority": 99}, {"wait_for_capacity": "yes"}, {"wait_for_capacity": 1}],
    ids=str,
)
async def test_a_wrong_option_is_refused_before_anything_is_sent(registry, scripted, options):
    """With the accepted values."""
    model = registry.register_model(scripted("a"))
    with pytest.raises(ValueError, match="give "):
        await model.generate_response("hi", **options)
    assert model.asked == 0


async def test_what_the_provider_says_is_left_counts():
    """Others use the same account: our own limit is wide, but no call is sent that would be refused."""
    async with Emulator([EmulatedModel("m", requests_per_minute=10)]) as emulator:
        registry = ModelRegistry(clock=SYSTEM_CLOCK)
        url = emulator.base_url("openai")
        stranger = OpenAIModel(name="m", api_key="k", base_url=url)
        for _ in range(4):
            await stranger.generate_response("hi")
        limits = {"max_requests_per_minute": 60}
        model = registry.register_model(OpenAIModel(name="m", api_key="k", base_url=url, constraints=limits))
        for _ in range(6):
            await model.generate_response("hi")
        with pytest.raises(CapacityError) as caught:
            await model.generate_response("hi")
        assert 0 < caught.value.retry_after_s <= 6, "ten a minute, as the provider says, is one in six seconds"
        assert emulator.requests["m"] == 10
        await registry.cleanup()
