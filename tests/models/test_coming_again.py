"""Every model has failed, and some have said when to come again: the request waits for the soonest, if it has the time."""

import asyncio

import pytest

from orchestrator.errors import CapacityError, RateLimitError, ServerError


@pytest.fixture
def pair(registry, scripted):
    """Two models: a is asked first."""
    return [registry.register_model(scripted(name)) for name in "ab"]


async def answered(registry, call, most_s=300):
    """The call's result and the seconds it took on the registry's clock."""
    began = registry.clock.monotonic()
    task = asyncio.ensure_future(call)
    while not task.done() and registry.clock.monotonic() - began < most_s:
        await registry.clock.advance(0.5)
    return await task, registry.clock.monotonic() - began


def told(after_s):
    """A refusal with a moment to come again."""
    return RateLimitError("slow down", retry_after_s=after_s)


@pytest.mark.parametrize(("moments", "soonest"), [((5, 2), "b"), ((2, 5), "a")])
async def test_two_that_are_busy_are_waited_for(registry, pair, moments, soonest):
    """Whoever wants to be asked first is, at that moment and not before, as a model that stands alone would be."""
    for model, after_s in zip(pair, moments, strict=True):
        model.steps.append(told(after_s))
    response, took_s = await answered(registry, registry.generate_response("hi"))
    assert (response.model_id, took_s) == (soonest, 2)
    assert [attempt.model_id for attempt in response.attempts] == ["a", "b", soonest]


@pytest.mark.parametrize("name", ["a", "b"])
async def test_one_that_wants_to_be_asked_again_at_once_is(registry, pair, name):
    """Nought seconds are a moment as well: as with a model that stands alone."""
    for model in pair:
        model.steps.append(told(0 if model.id == name else 9))
    response, took_s = await answered(registry, registry.generate_response("hi"))
    assert response.model_id == name
    assert took_s < 1


async def test_a_stream_waits_as_well(registry, streaming):
    """Nothing was shown yet, so nothing is lost but time."""
    for name, after_s in zip("ab", (5, 2), strict=True):
        registry.register_model(streaming(name, [[told(after_s)]]))

    async def read():
        return [chunk async for chunk in registry.stream_response("hi")]

    chunks, took_s = await answered(registry, read())
    assert (chunks[-1].response.text, took_s) == ("b says hello", 2)


async def test_one_that_is_broken_does_not_hide_one_that_is_busy(registry, pair):
    """A failed after b had asked for two seconds, or before: b is waited for."""
    pair[0].steps.append(ServerError("x"))
    pair[1].steps.append(told(2))
    response, took_s = await answered(registry, registry.generate_response("hi"))
    assert (response.model_id, took_s) == ("b", 2)


async def test_one_that_may_not_be_retried_does_not_end_the_wait(registry, scripted):
    """It has a free place before the other wants to be asked again, and no retry is left for it."""
    failing = registry.register_model(scripted("a", provider="openai", constraints={"max_concurrent_requests": 1}))
    busy = registry.register_model(scripted("b", [told(4)]))
    failing.steps += [ServerError("x")] * 99
    while registry.settlement.retry_budgets.has_one_for(failing):
        with pytest.raises(ServerError):
            await answered(registry, failing.generate_response("hi"))
    failing.steps[:] = [asyncio.Event().wait]
    inside = asyncio.create_task(failing.generate_response("hi"))
    asyncio.get_running_loop().call_later(0, inside.cancel)
    response, took_s = await answered(registry, registry.generate_response("hi"))
    assert (response.model_id, busy.asked, took_s) == ("b", 2, 4)


@pytest.mark.parametrize("out", [lambda registry: registry.health.drain("b"), lambda registry: registry.pop("b")])
async def test_nobody_waits_for_one_that_is_out_by_then(registry, pair, out):
    """Drained by hand or gone, while it was saying when to come again: the other is waited for, though it takes longer."""
    pair[0].steps.append(told(5))
    pair[1].steps.append(lambda: [out(registry), told(2)][1])
    response, took_s = await answered(registry, registry.generate_response("hi"))
    assert (response.model_id, took_s) == ("a", 5)


@pytest.mark.parametrize("limits", [{"deadline_s": 2}, {"max_attempts": 2}])
async def test_who_has_no_time_or_attempt_left_is_told_at_once(registry, pair, limits):
    """With the last refusal, and every attempt on it."""
    for model in pair:
        model.steps.append(told(3))
    began = registry.clock.monotonic()
    with pytest.raises(RateLimitError) as caught:
        await registry.generate_response("hi", **limits)
    assert registry.clock.monotonic() == began
    assert len(caught.value.attempts) == 2


async def test_who_refuses_once_more_is_the_end_of_the_attempts(registry, pair):
    """Three attempts by default, however often somebody says when to come again."""
    for model in pair:
        model.steps += [told(1)] * 9
    with pytest.raises(RateLimitError) as caught:
        await answered(registry, registry.generate_response("hi"))
    assert len(caught.value.attempts) == 3


@pytest.mark.parametrize("after_s", [0, 1])
@pytest.mark.parametrize("at_once", [1, 20])
async def test_waiting_multiplies_no_outage(registry, pair, at_once, after_s):
    """Both refuse for minutes and say "at once" or "in a second" each time: 1.1 requests a call, as in any outage."""
    for model in pair:
        model.steps += [told(after_s)] * 9_999
    for _ in range(200 // at_once):
        calls = [asyncio.create_task(registry.generate_response("hi")) for _ in range(at_once)]
        while not all(call.done() for call in calls):
            await registry.clock.advance(1)
        assert {type(call.exception()) for call in calls} <= {RateLimitError, CapacityError}
    assert sum(model.asked for model in pair) <= 200 * 1.1


async def test_when_it_passes_everybody_is_answered(registry, pair):
    """Twenty at once find both busy for a second: those who may not ask again at once wait for it, and are answered."""
    until = registry.clock.monotonic() + 1
    for model in pair:
        model.steps += [lambda: told(1) if registry.clock.monotonic() < until else "at last"] * 99
    calls = [asyncio.create_task(registry.generate_response("hi")) for _ in range(20)]
    while not all(call.done() for call in calls):
        await registry.clock.advance(0.5)
    assert [(await call).text for call in calls] == ["at last"] * 20
    assert sum(model.asked for model in pair) <= 20 + 3 + 20, "a call each, three retries at once, an answer each"
