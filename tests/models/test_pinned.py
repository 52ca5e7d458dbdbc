"""A call of one named model: its passing failures are retried, others are not asked."""

import asyncio

import pytest

from orchestrator.errors import (
    AuthenticationError,
    InvalidRequestError,
    MalformedResponseError,
    OverloadedError,
    ProviderConnectionError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
    UpstreamNotFoundError,
)
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.service import ModelService


async def finished(call, clock):
    """The call's result, with as much time as it wants."""
    task = asyncio.ensure_future(call)
    while not task.done():
        await clock.advance(1)
    return await task


@pytest.mark.parametrize("error", [ServerError, OverloadedError, ProviderConnectionError, MalformedResponseError])
async def test_a_passing_failure_is_retried_on_the_same_model(registry, three, error):
    """Twice failed and then answered, with every attempt on the response."""
    three[1].steps.extend([error("x"), error("x")])
    response = await finished(three[1].generate_response("hi"), registry.clock)
    assert [(a.model_id, a.error_type is None) for a in response.attempts] == [("b", False), ("b", False), ("b", True)]
    assert [m.asked for m in three] == [0, 3, 0]


@pytest.mark.parametrize(
    "error", [AuthenticationError, QuotaError, InvalidRequestError, UpstreamNotFoundError, ProviderTimeoutError]
)
async def test_a_lasting_failure_is_not(registry, three, error):
    """Asking again would give the same or cost the same time."""
    three[0].steps.append(error("x"))
    with pytest.raises(error):
        await three[0].generate_response("hi")
    assert three[0].asked == 1


async def test_retries_are_bounded_and_spaced(registry, three):
    """Three attempts, and pauses drawn up to 1 and 2 seconds (full jitter)."""
    three[0].steps.extend([ServerError("x")] * 9)
    with pytest.raises(ServerError) as caught:
        await finished(three[0].generate_response("hi"), registry.clock)
    assert len(caught.value.attempts) == 3
    assert registry.clock.monotonic() <= 3 + 1


async def test_a_rate_limit_is_waited_out_when_the_provider_says_how_long(registry, three):
    """No sooner, and only if there is time."""
    three[0].steps.append(RateLimitError("x", retry_after_s=7))
    call = asyncio.create_task(three[0].generate_response("hi"))
    await registry.clock.advance(6.9)
    assert (three[0].asked, call.done()) == (1, False)
    await registry.clock.advance(0.2)
    assert (await call).text == "a says hello"


@pytest.mark.parametrize("told_s", [None, 200])
async def test_a_rate_limit_without_end_is_raised_at_once(registry, three, told_s):
    """Unknown or longer than the deadline: the caller decides."""
    three[0].steps.append(RateLimitError("x", retry_after_s=told_s))
    with pytest.raises(RateLimitError):
        await three[0].generate_response("hi")
    assert (three[0].asked, registry.clock.monotonic()) == (1, 0)


async def test_the_deadline_covers_retries_and_pauses(scripted, fake_clock):
    """A hanging model is given up when the caller's time is over."""
    registry = ModelRegistry(clock=fake_clock, deadline_s=10)
    model = registry.register_model(scripted("a", [lambda: asyncio.get_running_loop().create_future()]))
    call = asyncio.create_task(model.generate_response("hi"))
    await fake_clock.advance(9.9)
    assert not call.done()
    await fake_clock.advance(0.2)
    with pytest.raises(ProviderTimeoutError):
        await call
    assert model.metrics.in_flight == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"deadline_s": 0},
        {"deadline_s": -1},
        {"deadline_s": float("nan")},
        {"deadline_s": "5"},
        {"max_attempts": 0},
        {"max_attempts": 1.5},
    ],
)
async def test_absurd_limits_are_refused_before_anything_is_asked(registry, three, bad):
    """The message names the limit and the value; the constructor is as strict."""
    name, value = next(iter(bad.items()))
    for ask in (registry.generate_response, three[0].generate_response):
        with pytest.raises(ValueError, match=f"{name}={value!r}"):
            await ask("hi", **bad)
    with pytest.raises(ValueError, match=name):
        ModelRegistry(**bad)
    assert three[0].asked == 0


async def test_a_pause_that_is_cancelled_leaves_nothing_behind(registry, three):
    """Between two attempts nothing is in flight."""
    three[0].steps.append(ServerError("x"))
    call = asyncio.create_task(three[0].generate_response("hi"))
    await registry.clock.wait_for_sleepers()
    assert three[0].metrics.in_flight == 0
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_every_door_leads_to_the_same_road(registry, three):
    """Model, registry and service: one count, one account."""
    await three[0].generate_response("hi")
    await registry.invoke_model_async("a", "hi")
    await ModelService(registry).invoke_model_async("a", "hi")
    assert (three[0].asked, three[0].metrics.calls) == (3, 3)
    assert registry.get_usage_summary("a").request_count == 3


async def test_a_model_that_left_the_registry_works_alone(registry, three):
    """Without a registry it is called once, as it is, and counted by itself."""
    registry.unregister_model("a")
    three[0].steps.append(ServerError("x"))
    with pytest.raises(ServerError):
        await three[0].generate_response("hi")
    assert (await three[0].generate_response("hi")).text == "a says hello"
    assert not registry.get_usage_summary("a")


@pytest.mark.parametrize(("texts", "what"), [([["a"]], "list"), (["a", None, 5], "NoneType or int"), ([b"a"], "bytes")])
async def test_what_is_no_text_is_not_embedded(registry, scripted, texts, what):
    """It is refused by its type, before anything is looked up, set aside or sent."""
    model = registry.register_model(scripted("a", constraints={"max_tokens_per_minute": 100}))
    with pytest.raises(TypeError, match=f"only texts can be embedded, not {what}"):
        await model.embed(texts)
    assert registry.settlement.outcomes == 0
